"""Which databases a test runs on."""

from __future__ import annotations

import os

import private_postgres
import pytest

# in continuous integration its absence is a failure, not a reason to skip
NEEDS_POSTGRESQL = pytest.mark.skipif(
    private_postgres.programs() is None and not os.environ.get("CI"),
    reason="PostgreSQL is not installed here (Debian: apt-get install postgresql)",
)
EACH_DATABASE = ["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRESQL)]
