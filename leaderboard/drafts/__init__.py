"""Assignments that are being made or changed in the browser, before they are published."""
