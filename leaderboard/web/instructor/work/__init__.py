"""Pages of what is handed in: the queue, the table of submissions, one submission."""
