"""A Twilio that only accepts messages, quick enough not to be what is measured."""

import asyncio
import itertools
import json
import re
import sys
from urllib.parse import parse_qs

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_numbers = itertools.count(1)


class _Creates(asyncio.Protocol):
    """One connection; requests follow each other, as the SDK makes them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"GET"):  # nothing but messages can be created here
            self._transport.close()
            return
        length = int(_LENGTH.search(head)[1])  # type: ignore[index]
        if len(rest) < length:
            return
        self._read = rest[length:]
        asyncio.get_running_loop().call_later(self._seconds, self._answer, rest[:length].decode())

    def _answer(self, form: str) -> None:
        sent = parse_qs(form)
        body = json.dumps(
            {
                "sid": f"SM{next(_numbers):032x}",
                "status": "accepted",
                "to": sent["To"][0],
                "from": None,
                "body": sent["Body"][0],
                "num_segments": "0",
                "num_media": "0",
                "direction": "outbound-api",
                "date_created": "Sun, 22 Nov 2026 09:30:00 +0000",
                "date_updated": "Sun, 22 Nov 2026 09:30:00 +0000",
                "date_sent": None,
                "error_code": None,
                "error_message": None,
                "price": None,
                "price_unit": None,
                "messaging_service_sid": sent["MessagingServiceSid"][0],
                "uri": "/",
                "subresource_uris": {},
            }
        ).encode()
        head = (
            f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        if not self._transport.is_closing():
            self._transport.write(head.encode() + b"\r\n\r\n" + body)


async def _serve(port: int, milliseconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Creates(milliseconds / 1000), "127.0.0.1", port, backlog=512
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
