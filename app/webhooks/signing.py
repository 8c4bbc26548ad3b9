"""Endpoint secrets and signatures (Standard Webhooks)."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from uuid import UUID

from standardwebhooks import Webhook

_PREFIX = "whsec_"
_SECRET_BYTES = 32

# The headers of every event, without its signature.
FIXED_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"Borderpost/{version('borderpost')}",
}


def mint_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def secret_owner(endpoint_id: UUID) -> str:
    return f"webhook_endpoint:{endpoint_id}"


def signed_headers(
    signing_secrets: Sequence[str], event_id: UUID, at: datetime, text: str
) -> dict[str, str]:
    message_id = str(event_id)
    signatures = [Webhook(secret).sign(message_id, at, text) for secret in signing_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
