"""The steps of `leaderboard verify` that compute anew what the database holds."""
