"""Bundles, prediction files and reruns, handed in like a student's."""
