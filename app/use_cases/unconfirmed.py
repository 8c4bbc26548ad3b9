"""What a use case wants done about a send that the provider never confirmed. Pure."""

from enum import StrEnum


class OnUnconfirmed(StrEnum):
    """Wait for a trace of it, so that nothing is sent twice; or send again, at least once."""

    WAIT = "wait"
    RESEND = "resend"
