"""The public pack as a download that goes on where it broke off (RFC 9110, section 14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flask import Response, request

from leaderboard.blobs import BlobStore
from leaderboard.models import Assignment
from leaderboard.state import current_state

# the second is for programs made from the OpenAPI document, whose generators know no zips
_KINDS: Final = ("application/zip", "application/octet-stream")


def pack(assignment: Assignment) -> Response:
    """The pack's zip, streamed: whole, or the part that a Range header asks for.

    `X-Content-SHA256` and the ETag are of the whole file in both cases.

    Raises:
        RequestedRangeNotSatisfiable: (416) the range lies outside of it.
        PlatformFault: the store has no such file, or is away.
    """
    blobs = current_state().blobs
    blobs.size(assignment.pack_sha256)  # once bytes are on their way, no failure can be told
    content = _Content(blobs, assignment.pack_sha256, assignment.pack_bytes)
    kind = request.accept_mimetypes.best_match(_KINDS, default=_KINDS[0])
    response = Response(content, mimetype=kind)
    response.vary.add("Accept")
    response.content_length = assignment.pack_bytes
    response.headers["X-Content-SHA256"] = assignment.pack_sha256
    response.headers["Content-Disposition"] = f'attachment; filename="{assignment.slug}.zip"'
    response.set_etag(assignment.pack_sha256)
    response.make_conditional(request, accept_ranges=True, complete_length=assignment.pack_bytes)
    return response


class _Content:
    """A blob's bytes, opened when they are asked for; werkzeug seeks to where a range starts."""

    def __init__(self, blobs: BlobStore, sha256: str, size: int) -> None:
        self._blobs, self._sha256, self._size = blobs, sha256, size
        self._position = 0
        self._pieces: Iterator[bytes] | None = None

    def seekable(self) -> bool:
        return True

    def seek(self, position: int) -> int:
        self._position, self._pieces = position, None
        return position

    def tell(self) -> int:
        return self._position

    def __iter__(self) -> _Content:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = self._blobs.part(self._sha256, self._position, self._size)
        piece = next(self._pieces)
        self._position += len(piece)
        return piece
