"""Model registry: one family a file, one entry a model."""

from reference.models import catalogue as catalogue  # registers every entry
from reference.models.registry import Entry, find, names, register

__all__ = ["Entry", "find", "names", "register"]
