"""Values that the A2P and Messaging Service resources share."""

import hashlib
import re
from typing import Final

from app.emulator.errors import TwilioError

HOST: Final = "https://messaging.twilio.com"
MADE_AT: Final = "2024-01-01T00:00:00Z"


def require_sid(prefix: str, sid: str) -> str:
    """Returns the SID; raises `TwilioError` 20404 if it is malformed."""
    if not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", sid):
        raise TwilioError(20404)
    return sid


def derived_sid(prefix: str, origin: str) -> str:
    """A SID that depends only on another resource's SID."""
    return prefix + hashlib.sha256(f"{prefix}/{origin}".encode()).hexdigest()[:32]


def page_meta(key: str, url: str) -> dict[str, object]:
    """The envelope of a list with a single page."""
    first = f"{url}?PageSize=50&Page=0"
    return {
        "page": 0,
        "page_size": 50,
        "first_page_url": first,
        "previous_page_url": None,
        "next_page_url": None,
        "url": first,
        "key": key,
    }
