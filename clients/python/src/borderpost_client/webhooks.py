"""Verification of webhooks, by the Standard Webhooks signature."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence

from borderpost_client.errors import BorderpostError
from borderpost_client.models import WebhookEvent, time_of

_TOLERANCE_SECONDS = 300


class WebhookRefused(BorderpostError):
    """The request is not a genuine, recent event."""


def verify_webhook(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_seconds: float = _TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent:
    """Return the event of a request that Borderpost signed.

    Args:
        secret: the endpoint's secret (``whsec_…``), or several during a rotation.
        headers: the request's headers; their case does not matter.
        body: the body as it came, before any parser.
        tolerance_seconds: how old the signature may be, and how far in the future.
        now: seconds since the epoch, in place of the system's clock.

    Raises:
        WebhookRefused: the signature is missing, wrong or too old, or the body is not an event.
    """
    named = {name.lower(): text for name, text in headers.items()}
    try:
        event_id, sent_at = named["webhook-id"], named["webhook-timestamp"]
        given = [one.partition(",") for one in named["webhook-signature"].split()]
        age = abs((time.time() if now is None else now) - int(sent_at))
    except (KeyError, ValueError) as problem:
        raise WebhookRefused(f"a header is missing or malformed: {problem}") from problem
    if age > tolerance_seconds:
        raise WebhookRefused("the timestamp is too old, or in the future")
    signed = f"{event_id}.{sent_at}.".encode() + body
    signatures = [text.encode() for version, _, text in given if version == "v1"]
    secrets = [secret] if isinstance(secret, str) else secret
    expected = [_sign(one, signed) for one in secrets]
    # Every pair is compared, so that the time taken does not tell which one fits.
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures]
    if not any(fits):
        raise WebhookRefused("the signature is wrong")
    try:
        found = json.loads(body)
        at, data = time_of(found["timestamp"]), found["data"]
        return WebhookEvent(event_id, str(found["type"]), at, data)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise WebhookRefused("the body is not an event") from problem


def _sign(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as problem:
        raise ValueError("the secret of a webhook is whsec_ and base64") from problem
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
