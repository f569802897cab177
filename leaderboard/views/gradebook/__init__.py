"""Grades as staff, students and other programs read them."""

from __future__ import annotations

from leaderboard.views.gradebook.table import grades_csv

__all__ = ["grades_csv"]
