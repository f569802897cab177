"""Model registry: one family a file, one entry a model."""

from reference.models import catalogue  # this registers every entry
from reference.models.registry import Entry, find, names, register

__all__ = ["Entry", "catalogue", "find", "names", "register"]
