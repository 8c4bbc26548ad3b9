"""Collects the bytes of a connection until a request is complete, without a socket.

gunicorn's parser decides, once for each head that is complete or already wrong, so bytes that
arrive one at a time cost no more than others.
"""

import io
import re
from enum import Enum, auto
from typing import Any

from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from app.kernel.errors import PayloadTooLarge
from app.web.bodies import MAX_BODY_BYTES

MAX_HEAD_BYTES = 64 * 1024
# One byte more than the application accepts, so that it can refuse the body.
_MAX_BUFFERED_BODY = MAX_BODY_BYTES + 1
_MAX_CHUNK_LINE = 1024
# Each chunk costs the event loop microseconds: a body of one-byte chunks would block all other
# connections.
MAX_CHUNKS = 1024
_MAX_TRAILER_BYTES = 8 * 1024
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_WHOLE_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,4})\r\n")
_END_OF_HEAD = b"\r\n\r\n"


class TooManyChunks(ParseException):  # type: ignore[misc]
    """A body has more chunks than are decoded."""


class ReadOnce:
    """gunicorn's configuration, which calls two functions for each value, many for each request."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cfg, name)
        setattr(self, name, value)
        return value


class RequestReader:
    """Turns the bytes of one connection into complete requests.

    Raises gunicorn's errors and `PayloadTooLarge`; then the connection must be closed.
    """

    def __init__(self, cfg: Any, peer: Any) -> None:
        self._cfg = cfg
        self._peer = peer
        self._buffer = bytearray()
        self._searched = 0
        self._count = 0
        self._body: _SizedBody | _ChunkedBody | None = None
        self.request: Any = None  # its head is complete, its body is not

    @property
    def has_begun(self) -> bool:
        return self._body is not None or bool(self._buffer)

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    @property
    def is_in_body(self) -> bool:
        return self._body is not None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_request(self) -> Any | None:
        """Return the next complete request, or None; its ``body`` is a file of the decoded body."""
        if self._body is None:
            self._read_head()
        if self._body is None or not self._body.take(self._buffer):
            return None
        request, self.request = self.request, None
        request.body = io.BytesIO(self._body.data)
        self._body = None
        return request

    def _read_head(self) -> None:
        end = self._end_of_head()
        if end is None:
            return
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        self._count += 1
        self.request = _Request(self._cfg, _Head(head), self._peer, self._count)
        if _asks_to_close(self.request):
            self.request.force_close()
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            _require_chunks_alone(self.request)
            self._body = _ChunkedBody(self.request)
        else:
            self._body = _SizedBody(reader.length)

    def _end_of_head(self) -> int | None:
        """Return how many bytes the parser needs to decide, or None."""
        buffer, searched = self._buffer, self._searched
        found = buffer.find(_END_OF_HEAD, max(0, searched - 3))
        if found >= 0:
            return found + len(_END_OF_HEAD)
        # The parser never ends a line at a bare line feed, and refuses a request line that is too
        # long: it can refuse both without more bytes.
        if buffer.count(b"\n", searched) != buffer.count(b"\r\n", max(0, searched - 1)):
            return len(buffer)
        longest_line = self._cfg.limit_request_line or MAX_HEAD_BYTES
        if len(buffer) > longest_line + 4 and buffer.find(b"\r\n", 2, longest_line + 4) < 0:
            return len(buffer)
        if len(buffer) > MAX_HEAD_BYTES:
            raise LimitRequestHeaders("the head is too large")
        self._searched = len(buffer)
        return None


class _Request(Request):  # type: ignore[misc]
    """gunicorn's request; no peer may name another client or scheme, so none is looked up."""

    def _peer_is_trusted_proxy(self) -> bool:
        return False


def _asks_to_close(request: Any) -> bool:
    """Whether ``close`` is a connection option; gunicorn sees only one option."""
    options = ",".join(value for name, value in request.headers if name == "CONNECTION")
    return "close" in {option.strip(" \t").lower() for option in options.split(",")}


def _require_chunks_alone(request: Any) -> None:
    """A compressed body would be passed on without decompressing."""
    codings = [value for name, value in request.headers if name == "TRANSFER-ENCODING"]
    if [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise UnsupportedTransferCoding("only chunked is decoded")


class _Head(Unreader):  # type: ignore[misc]
    def __init__(self, head: bytes) -> None:
        super().__init__()
        self._head = head

    def chunk(self, size_hint: int | None = None) -> bytes:
        del size_hint
        if not self._head:
            raise InvalidRequestLine("the head is malformed")
        head, self._head = self._head, b""
        return head


class _SizedBody:
    def __init__(self, length: int) -> None:
        if length > _MAX_BUFFERED_BODY:
            raise PayloadTooLarge
        self._length = length
        self.data = b""

    def take(self, buffer: bytearray) -> bool:
        """Return whether the body is complete."""
        if len(buffer) < self._length:
            return False
        self.data = bytes(buffer[: self._length])
        del buffer[: self._length]
        return True


class _Part(Enum):
    SIZE = auto()
    DATA = auto()
    END_OF_DATA = auto()
    TRAILERS = auto()


class _ChunkedBody:
    """A body in chunks (RFC 9112, section 7.1), decoded without blocking."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._part = _Part.SIZE
        self._left = 0
        self._chunks = 0
        self.data = bytearray()

    def take(self, buffer: bytearray) -> bool:
        """Return whether the body is complete."""
        while self._part is not _Part.TRAILERS:
            if not self._take_part(buffer):
                return False
        return self._take_trailers(buffer)

    def _take_part(self, buffer: bytearray) -> bool:
        """Return whether the part was complete."""
        if self._part is _Part.SIZE:
            self._take_whole_chunks(buffer)
            return self._take_size(buffer)
        if self._part is _Part.DATA:
            data = buffer[: self._left]
            del buffer[: self._left]
            self.data += data
            self._left -= len(data)
            if self._left:
                return False
            self._part = _Part.END_OF_DATA
        end = bytes(buffer[:2])
        if not b"\r\n".startswith(end):
            raise ChunkMissingTerminator(end)
        if len(end) < len(b"\r\n"):
            return False
        del buffer[:2]
        self._part = _Part.SIZE
        return True

    def _take_whole_chunks(self, buffer: bytearray) -> None:
        """Take complete plain chunks, at a third of the cost of `_take_part`."""
        at = 0
        while line := _WHOLE_SIZE_LINE.match(buffer, at):
            begin, size = line.end(), int(line[1], 16)
            end = begin + size
            if not size or self._chunks == MAX_CHUNKS or buffer[end : end + 2] != b"\r\n":
                break
            if len(self.data) + size > _MAX_BUFFERED_BODY:
                break
            self._chunks += 1
            self.data += buffer[begin:end]
            at = end + 2
        del buffer[:at]

    def _take_size(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE)
        if end < 0:
            if len(buffer) >= _MAX_CHUNK_LINE or b"\n" in buffer:
                raise InvalidChunkSize(b"the line does not end")
            return False
        size, mark, extension = bytes(buffer[:end]).partition(b";")
        del buffer[: end + 2]
        if mark:
            size = size.rstrip(b" \t")
        if not _CHUNK_SIZE.fullmatch(size):
            raise InvalidChunkSize(size)
        if mark and not CHUNK_EXT_RE.fullmatch(mark + extension):
            raise InvalidChunkExtension("malformed")
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise TooManyChunks("too many chunks")
        self._left = int(size, 16)
        if len(self.data) + self._left > _MAX_BUFFERED_BODY:
            raise PayloadTooLarge
        self._part = _Part.DATA if self._left else _Part.TRAILERS
        return True

    def _take_trailers(self, buffer: bytearray) -> bool:
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            return True
        end = buffer.find(_END_OF_HEAD, 0, _MAX_TRAILER_BYTES)
        if end < 0:
            if len(buffer) >= _MAX_TRAILER_BYTES:
                raise LimitRequestHeaders("the trailers are too large")
            if buffer.count(b"\n") != buffer.count(b"\r\n"):
                raise InvalidHeader("bare LF as line terminator")
            return False
        lines = bytes(buffer[:end])
        del buffer[: end + len(_END_OF_HEAD)]
        self._request.trailers = self._request.parse_headers(lines, from_trailer=True)
        return True
