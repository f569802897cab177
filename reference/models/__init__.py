"""Model registry: one family a file, one entry a model."""

from reference.models import catalogue, catalogue_imagenet  # these register every entry
from reference.models.registry import Entry, find, names, register

__all__ = ["Entry", "catalogue", "catalogue_imagenet", "find", "names", "register"]
