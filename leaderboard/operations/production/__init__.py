"""What a server that students rely on needs beyond working: `leaderboard doctor --production`."""
