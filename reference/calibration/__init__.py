"""Baselines that make a score mean something: trained on an assignment, and watched by night."""
