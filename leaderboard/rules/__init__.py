"""What an assignment states and decides: dates, lateness, quotas, declarations."""
