"""Grades of people: the scale that holds, what staff decide, what is published."""
