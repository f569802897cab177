"""Metrics, scores, significance and the Ladder: pure functions of labels."""
