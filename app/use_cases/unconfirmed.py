"""The action on an unconfirmed send. Pure."""

from enum import StrEnum


class OnUnconfirmed(StrEnum):
    """Wait for a trace (nothing is sent twice), or send again (at least once)."""

    WAIT = "wait"
    RESEND = "resend"
