"""Twilio's SDK as it is shipped, led to the address of the fake Twilio."""

import os
import threading
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

import_module("twilio.rest.api")  # before the fork; else the first requests wait for it
_making = threading.Lock()
_made: list[Client] = []


class _Led(TwilioHttpClient):
    def request(self, method: str, url: str, *given: Any, **named: Any) -> Any:
        path = urlsplit(url).path
        return super().request(method, os.environ["BENCH_TWILIO_URL"] + path, *given, **named)


def create(to: str, body: str) -> str:
    """Create a message and return its SID."""
    with _making:
        if not _made:
            account, token = os.environ["BENCH_ACCOUNT_SID"], os.environ["BENCH_AUTH_TOKEN"]
            _made.append(Client(account, token, http_client=_Led(timeout=10)))
    message = _made[0].messages.create(
        to=to,
        messaging_service_sid="MG" + "c" * 32,
        body=body,
        status_callback="https://sms.example.com/v1/webhook/twilio/sms-status",
    )
    return str(message.sid)
