"""Answers that do not change: kept also compressed, and known again by their ETag.

Only for what holds no secret: compressing a secret beside a visitor's words tells its length.
"""

import gzip
import hashlib
from functools import cached_property

from flask import Response, request


class Packed:
    """Content and its gzip form, which is made at the first request for it and kept."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    @cached_property
    def gzipped(self) -> bytes | None:
        """Return the gzip form; None where it would not be shorter."""
        made = gzip.compress(self.content, mtime=0)
        return made if len(made) < len(self.content) else None

    @cached_property
    def etag(self) -> str:
        """Return the strong tag of the plain form, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


def packed_answer(packed: Packed, *, cache: str) -> Response:
    """Answer with the form that the client takes; 304 where it has it already."""
    gzipped = packed.gzipped if request.accept_encodings["gzip"] > 0 else None
    answer = Response(packed.content if gzipped is None else gzipped)
    answer.headers["Content-Type"] = packed.media_type
    answer.headers["Cache-Control"] = cache
    answer.headers["Vary"] = "Accept-Encoding"
    answer.set_etag(packed.etag if gzipped is None else f"{packed.etag}-gzip")
    if gzipped is not None:
        answer.headers["Content-Encoding"] = "gzip"
    answer.make_conditional(request)
    return answer
