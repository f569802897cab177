"""Who may do what: one table, from which requests are refused and the page "Rights" is drawn."""
