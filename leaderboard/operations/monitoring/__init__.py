"""What a server says of itself while it runs: numbers for a scrape, and what staff are told of."""
