"""Strict reading of HTTP answers: a malformed or ambiguous one is an error."""

import io
import re
from http.client import BadStatusLine, HTTPException, HTTPMessage, HTTPResponse
from typing import cast

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101
_MOST_INTERIM_ANSWERS = 20
_STATUS_LINE = re.compile(r"HTTP/1\.[01] [1-9][0-9]{2}( [^\r\n]*)?\r?\n", re.ASCII)
# RFC 9110, section 5.6.2: what the name of a header may be.
HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_LINE = re.compile(rf"({HEADER_NAME}):[ \t]*([^\r\n]*)\r?\n", re.ASCII)
_MAX_HEADER_LINE = 64 * 1024
_MAX_HEADERS = 100
_MAX_STATUS_LINE = 4096
_HTTP_1_0, _HTTP_1_1 = 10, 11
_MAX_LENGTH_DIGITS = 15
_WITHOUT_BODY = frozenset({204, 304})
# RFC 9112, section 7.1: hexadecimal digits, and an extension, which is ignored.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_MAX_CHUNK_LINE = 1024
_MAX_CHUNKS = 64 * 1024
_TRAILER_LINE = re.compile(HEADER_NAME.encode() + rb":[\t\x20-\x7e\x80-\xff]*\r\n")
_MAX_TRAILERS = 100
_READ_BYTES = 16 * 1024


class FinalAnswer(HTTPResponse):
    """A response that skips interim answers (1xx) and refuses malformed or ambiguous ones.

    ``http.client`` takes a 103 for the answer, and the real answer for that of the next
    request. It also takes ``+2_01`` for a status and ``0x1_0`` for a chunk size, and ignores
    the end of a chunk.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM_ANSWERS):
            line = str(self.fp.readline(_MAX_STATUS_LINE), "iso-8859-1")
            if not _STATUS_LINE.fullmatch(line):
                raise BadStatusLine("the status line is malformed")
            version, code, *reason = line.rstrip("\r\n").split(" ", 2)
            status = int(code)
            if status >= _FIRST_FINAL_STATUS:
                return version, status, "".join(reason)
            if status == _SWITCHING_PROTOCOLS:
                raise BadStatusLine("101 without an upgrade")
            _read_headers(self.fp)
        raise HTTPException("too many interim answers")

    def begin(self) -> None:
        """Raises `HTTPException` if the answer is malformed or its length ambiguous."""
        version, self.status, self.reason = self._read_status()
        self.code = self.status
        self.version = _HTTP_1_1 if version == "HTTP/1.1" else _HTTP_1_0
        found = _read_headers(self.fp)
        lengths = _values(found, "content-length")
        encodings = _values(found, "transfer-encoding")
        is_plain = len(lengths) <= 1 and all(_is_number(one) for one in lengths)
        may_be_chunked = self.version == _HTTP_1_1 and self.status not in _WITHOUT_BODY
        is_chunked = [one.lower() for one in encodings] == ["chunked"] and may_be_chunked
        if not is_plain or (encodings and (lengths or not is_chunked)):
            raise HTTPException("the length of the answer is ambiguous")
        self.chunked = False  # `http.client` would decode the body again
        if is_chunked:
            self.fp = cast("io.BufferedReader", _ChunkedBody(self.fp))
            found = [one for one in found if one[0].lower() != "transfer-encoding"]
        self.headers = self.msg = HTTPMessage()
        for name, value in found:
            self.headers.set_raw(name, value)
        self.length = int(lengths[0]) if lengths else None
        if self.status in _WITHOUT_BODY or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        asks_to_close = any("close" in one.lower() for one in _values(found, "connection"))
        ends_with_connection = self.length is None and not is_chunked
        self.will_close = self.version == _HTTP_1_0 or ends_with_connection or asks_to_close

    def read_whole(self, most_bytes: int) -> bytes:
        """Return the body; raises `HTTPException` if it is cut off or longer."""
        body = self.read(most_bytes + 1)
        if len(body) > most_bytes:
            raise HTTPException("the answer is too large")
        if self.length:
            raise HTTPException("the answer is cut off")
        return body


class _ChunkedBody(io.BufferedIOBase):
    """A body in chunks (RFC 9112, section 7.1)."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self._source = source
        self._left = 0
        self._chunks = 0
        self._has_begun = False
        self._is_over = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns fewer bytes only at the end of the body; raises `HTTPException`."""
        wanted = float("inf") if size is None or size < 0 else size
        found = bytearray()
        while len(found) < wanted and not self._is_over:
            if not self._left:
                self._next_chunk()
                continue
            data = self._source.read(int(min(self._left, wanted - len(found), _READ_BYTES)))
            if not data:
                raise HTTPException("the answer ends in a chunk")
            found += data
            self._left -= len(data)
        return bytes(found)

    def _next_chunk(self) -> None:
        if self._has_begun and self._source.read(2) != b"\r\n":
            raise HTTPException("a chunk does not end where it should")
        self._has_begun = True
        self._chunks += 1
        line = _CHUNK_LINE.fullmatch(self._source.readline(_MAX_CHUNK_LINE))
        if line is None or self._chunks > _MAX_CHUNKS:
            raise HTTPException("a chunk is malformed" if line is None else "too many chunks")
        self._left = int(line[1], 16)
        if self._left == 0:
            self._read_trailers()

    def _read_trailers(self) -> None:
        for _ in range(_MAX_TRAILERS):
            line = self._source.readline(_MAX_CHUNK_LINE)
            if line == b"\r\n":
                self._is_over = True
                return
            if not _TRAILER_LINE.fullmatch(line):
                break
        raise HTTPException("the trailers are malformed")

    def close(self) -> None:
        self._source.close()
        super().close()


def _read_headers(source: io.BufferedIOBase) -> list[list[str]]:
    """Read names and values up to the empty line; `http.client` makes 75 calls for it."""
    found: list[list[str]] = []
    for _ in range(_MAX_HEADERS + 1):
        line = source.readline(_MAX_HEADER_LINE)
        if line in {b"\r\n", b"\n"}:
            return found
        text = line.decode("iso-8859-1")
        parts = _HEADER_LINE.fullmatch(text)
        if parts is not None:
            found.append([parts[1], parts[2].rstrip(" \t")])
        elif found and text[0] in " \t":  # it continues the line before
            found[-1][1] += f" {text.strip()}"
        else:
            raise HTTPException("a header is malformed")
    raise HTTPException("too many headers")


def _values(headers: list[list[str]], name: str) -> list[str]:
    return [value for found, value in headers if found.lower() == name]


def _is_number(text: str) -> bool:
    digits = text.strip(" \t")
    return digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_LENGTH_DIGITS
