"""A provider account as stored, and the form of its tokens."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """A Twilio (sub)account with its secret, encrypted as in the database."""

    sid: str
    encrypted_auth_token: str


_TOKEN = re.compile(r"[!-~]{1,255}", re.ASCII)


def mistake_in_token(token: str) -> str | None:
    """Return the problem with the form of an auth token, or None; the text never repeats it."""
    return None if _TOKEN.fullmatch(token) else "Must have 1 to 255 visible ASCII characters"
