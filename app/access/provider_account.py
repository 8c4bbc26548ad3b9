"""A provider account of a workspace, as the database holds it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """A Twilio (sub)account with its secret, sealed as in the database."""

    sid: str
    sealed_auth_token: str
