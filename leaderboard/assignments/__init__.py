"""Published assignments: editions, release, public data sets, the description."""
