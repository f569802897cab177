"""Staff's pages of grades."""
