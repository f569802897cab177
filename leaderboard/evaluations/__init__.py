"""Evaluations: claimed, run, published, rescored, tried again."""
