"""What a board's mode lets students see of a public score. Pure."""

from __future__ import annotations


def shown_secondary(mode: str, value: float) -> float | None:
    """A metric beside the ranking one: on an exact board only, since several figures of one split,
    each coarse, narrow the exact score down."""
    return value if mode == "exact" else None
