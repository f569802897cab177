"""Cards of finished runs, their comparisons and plots."""
