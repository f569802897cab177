"""What is known of each model. These register every entry."""

from reference.models.catalogue import imagenet, small

__all__ = ["imagenet", "small"]
