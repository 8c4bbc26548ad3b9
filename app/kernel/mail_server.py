"""The SMTP server that takes mail about alerts, and who writes to whom. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MailServer:
    """``is_tls`` encrypts a connection from its beginning, ``needs_starttls`` soon after."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    is_tls: bool = False
    needs_starttls: bool = True
    user: str | None = field(repr=False, default=None)
    password: str | None = field(repr=False, default=None)
