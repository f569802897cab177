"""Every refusal of this package, and the exit code that its command ends with.

::

    Refused                 2   wrong usage
    ├── RecipeError         2   no such recipe, or a mistake in it
    ├── ModelError          2   no such model or option
    ├── RunError            2   no finished run in the folder
    ├── BundleError         2   no bundle can be written there
    ├── PackError           2   the public pack does not fit the model
    ├── ExplainError        2   nothing can be explained so
    ├── RerunError          4   the rerun can't be done or compared
    └── DataError           5   the image set can't be had here, or is damaged
        └── NoData          5   it is nowhere on this machine and can't be downloaded
"""

from __future__ import annotations


class Refused(Exception):
    """Something that is not done; the message says what would help."""

    exit_code = 2


class RecipeError(Refused):
    """A recipe that is not there, or one with a mistake; the message names file and line."""


class ModelError(Refused):
    """No model has this name, or the model has no such option."""


class RunError(Refused):
    """The folder holds no finished run that this version can read."""


class BundleError(Refused):
    """No bundle can be written under this name."""


class PackError(Refused):
    """The public pack does not fit the model: no test images, or other classes."""


class ExplainError(Refused):
    """This can't be explained so; the message says what could be."""


class RerunError(Refused):
    """The rerun can't be done or compared."""

    exit_code = 4


class DataError(Refused):
    """The image set can't be had here, or is damaged; the message says what was tried."""

    exit_code = 5


class NoData(DataError):
    """The image set is nowhere on this machine and can't be downloaded."""
