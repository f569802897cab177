"""Who someone is (service), what they may do (policy), and the sign-in pages (routes)."""
