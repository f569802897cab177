"""Where a reader goes next: a path of this server, whatever a link says."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import url_for


def local(target: str | None) -> str:
    """Return a path on this server to go to; never another host's."""
    if not target or not target.startswith("/") or "\\" in target or urlsplit(target).netloc:
        return url_for("student.home")
    return target
