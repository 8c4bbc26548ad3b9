"""Precompressed fixed responses with an ETag, for content without secrets only."""

import gzip
import hashlib
from functools import cached_property

from flask import Response, request


class CachedResponse:
    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    @cached_property
    def gzipped(self) -> bytes | None:
        """The gzip form; None if it is not shorter."""
        made = gzip.compress(self.content, mtime=0)
        return made if len(made) < len(self.content) else None

    @cached_property
    def etag(self) -> str:
        """The strong tag of the plain form, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


def cached_answer(packed: CachedResponse, *, cache: str) -> Response:
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
