"""Bytes of a connection become requests, however they are cut; and nothing else does."""

from itertools import pairwise
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    InvalidHeader,
    InvalidHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from hypothesis import given, strategies as st

from app.kernel.errors import PayloadTooLarge
from app.web.server.request_reader import MAX_CHUNKS, MAX_HEAD_BYTES, RequestReader, TooManyChunks

HEAD = b"POST /v1/sms HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SEVERAL = (
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    + HEAD
    + b"Content-Length: 5\r\n\r\nhello"
    + CHUNKED
    + b"3;name=value\r\nabc\r\nA\r\n0123\r\n6789\r\n0\r\nTrailer-One: 1\r\n\r\n"
    + CHUNKED
    + b"0\r\n\r\n"
    + b"\r\nDELETE /v1/sms HTTP/1.0\r\n\r\n"
)
READ = [
    ("GET", b""),
    ("POST", b"hello"),
    ("POST", b"abc0123\r\n6789"),
    ("POST", b""),
    ("DELETE", b""),
]


def _reader() -> RequestReader:
    return RequestReader(Config(), ("203.0.113.9", 40000))


def _read(pieces: list[bytes], reader: RequestReader | None = None) -> list[Any]:
    reader = reader or _reader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next_request()) is not None:
            found.append((request.method, request.body.read()))
    return found


def _single_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@given(st.lists(st.integers(0, len(SEVERAL)), max_size=12))
def test_requests_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    """Break: in `app/web/server/request_reader.py`, search for the end of a head from `searched`."""
    places = [0, *sorted(cuts), len(SEVERAL)]
    pieces = [SEVERAL[a:b] for a, b in pairwise(places)]
    assert _read(pieces) == READ


def test_requests_are_the_same_where_each_byte_comes_alone() -> None:
    assert _read(_single_bytes(SEVERAL)) == READ


@pytest.mark.parametrize("at", [1, 20, len(HEAD), len(HEAD) + 21, len(HEAD) + 24])
def test_part_of_a_request_is_no_request(at: int) -> None:
    reader = _reader()
    whole = HEAD + b"Content-Length: 5\r\n\r\nhello"
    assert _read([whole[:at]], reader) == []
    assert reader.has_begun
    assert reader.is_in_body == (at > len(HEAD) + 20)
    assert _read([whole[at:]], reader) == [("POST", b"hello")]
    assert not reader.has_begun


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"NONSENSE\r\n\r\n", ParseException),
        (b"\r\n\r\n", ParseException),
        (b"GET / HTTP/1.1\n\n", ParseException),
        (b"GET / HTTP/1.1\r\nHost: x\n\n", ParseException),
        (b"GET / HTTP/3.0\r\n\r\n", ParseException),
        (b"GET /" + b"a" * 5000, LimitRequestLine),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", LimitRequestHeaders),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_HEAD_BYTES, LimitRequestHeaders),
        (HEAD + b"Content-Length: x\r\n\r\n", InvalidHeader),
        (HEAD + b"Content-Length: -1\r\n\r\n", InvalidHeader),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", InvalidHeader),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", InvalidHeader),
        (HEAD + b"Content-Length: 65538\r\n\r\n", PayloadTooLarge),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", PayloadTooLarge),
        (CHUNKED + b"Z\r\n", InvalidChunkSize),
        (CHUNKED + b"\r\n", InvalidChunkSize),
        (CHUNKED + b"-1\r\n", InvalidChunkSize),
        (CHUNKED + b"0x1\r\n", InvalidChunkSize),
        (CHUNKED + b"1_0\r\n", InvalidChunkSize),
        (CHUNKED + b"3\nabc", InvalidChunkSize),
        (CHUNKED + b"0" * 2000, InvalidChunkSize),
        (CHUNKED + b"3;\x00\r\n", InvalidChunkExtension),
        (CHUNKED + b"3\r\nabcd", ChunkMissingTerminator),
        (CHUNKED + b"3\r\nabc\n", ChunkMissingTerminator),
        (CHUNKED + b"FFFFFFFF\r\n", PayloadTooLarge),
        (CHUNKED + b"8000\r\n" + b"a" * 0x8000 + b"\r\n8002\r\n", PayloadTooLarge),
        (CHUNKED + b"1\r\na\r\n" * (MAX_CHUNKS + 1), TooManyChunks),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", UnsupportedTransferCoding),
        (CHUNKED + b"0\r\nno colon\r\n\r\n", InvalidHeader),
        (CHUNKED + b"0\r\nHost: other\r\n\r\n", InvalidHeaderName),
        (CHUNKED + b"0\r\nA: b\n\n", InvalidHeader),
        (CHUNKED + b"0\r\nA: " + b"b" * 9000, LimitRequestHeaders),
    ],
)
def test_bytes_that_are_no_request_are_refused_without_waiting(
    data: bytes, error: type[Exception]
) -> None:
    for pieces in ([data], _single_bytes(data)) if len(data) < 10_000 else ([data],):
        with pytest.raises(error):
            _read(pieces)


def test_body_of_the_largest_size_is_read() -> None:
    largest = b"a" * (64 * 1024 + 1)
    sized = HEAD + b"Content-Length: %d\r\n\r\n" % len(largest) + largest
    chunked = CHUNKED + b"%X\r\n" % len(largest) + largest + b"\r\n0\r\n\r\n"
    assert _read([sized, chunked]) == [("POST", largest)] * 2


def test_body_of_tiny_chunks_is_read_up_to_a_bound() -> None:
    """Break: in `app/web/server/request_reader.py`, do not count the chunks."""
    many = CHUNKED + b"1\r\na\r\n" * (MAX_CHUNKS - 1) + b"0\r\n\r\n"
    assert _read([many]) == [("POST", b"a" * (MAX_CHUNKS - 1))]
    with pytest.raises(TooManyChunks):
        _read([CHUNKED + b"1\r\na\r\n" * 10_000])


def test_close_is_found_among_other_connection_options() -> None:
    """Break: in `app/web/server/request_reader.py`, leave out the call of `force_close`."""
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    closing = (
        b"Connection: close\r\n",
        b"Connection: close, TE\r\n",
        b"Connection: TE ,\tClose\r\n",
        b"Connection: keep-alive\r\nConnection: close\r\n",
    )
    keeping = (b"", b"Connection: keep-alive\r\n", b"Connection: closed\r\n")
    for options in (*closing, *keeping):
        reader = _reader()
        reader.feed(get + options + b"\r\n")
        request = reader.next_request()
        assert request is not None
        assert request.should_close() is (options in closing), options
