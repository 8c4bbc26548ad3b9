"""What a provider knows of a message that it was just asked to create."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from support.fake_twilio import Call


def new_sid() -> str:
    return f"SM{uuid4().hex}"


def message_id_of(call: Call) -> str:
    """The id that travels in the callback URL of a create call."""
    return parse_qs(urlsplit(call.data["StatusCallback"]).query)["message_id"][0]
