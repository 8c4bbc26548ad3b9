"""The status callback URL with Twilio's connection overrides.

Source: Twilio, webhook connection overrides. Without them Twilio never retries after an error. The
fragment is neither sent nor signed. ``rp`` omits 4xx, because a 403 would only be repeated.
"""

from dataclasses import dataclass
from uuid import UUID

STATUS_PATH = "/v1/webhook/twilio/sms-status"
INBOUND_PATH = "/v1/webhook/twilio/sms-inbound"
_OVERRIDES = "rc=5&rp=5xx,ct,rt"


@dataclass(frozen=True, slots=True)
class CallbackUrl:
    """Makes callback URLs on the public base URL."""

    public_url: str

    def of(self, message_id: UUID) -> str:
        """Return the URL that carries a message's id; its query is covered by the signature."""
        return f"{self.public_url}{STATUS_PATH}?message_id={message_id}#{_OVERRIDES}"
