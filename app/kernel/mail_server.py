"""The SMTP server, the sender of mails, and the recipients of alerts. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from app.kernel.hosts import is_loopback


@dataclass(frozen=True, slots=True)
class MailServer:
    """``is_tls`` encrypts a connection from its beginning, ``needs_starttls`` soon after."""

    host: str
    port: int
    sender: str
    alert_recipients: tuple[str, ...] = ()
    is_tls: bool = False
    needs_starttls: bool = True
    user: str | None = field(repr=False, default=None)
    password: str | None = field(repr=False, default=None)


def mistakes_in_smtp_url(url: str) -> Iterator[str]:
    parts, _ = _split(url)
    is_usable = parts.scheme in {"smtp", "smtps"} and parts.hostname
    if not is_usable or parts.path.strip("/") or parts.query:
        yield "must be smtp://host:587 or smtps://host:465, without a path"
    if not unquote(url).isascii():
        yield "must consist of ASCII characters, user and password included"


def mail_server_at(url: str, sender: str, alert_recipients: tuple[str, ...]) -> MailServer:
    """Read a URL without mistakes."""
    parts, port = _split(url)
    host, is_tls = parts.hostname or "", parts.scheme == "smtps"
    return MailServer(
        host=host,
        port=port or (465 if is_tls else 587),
        sender=sender,
        alert_recipients=alert_recipients,
        is_tls=is_tls,
        needs_starttls=not is_tls and not is_loopback(host),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return urlsplit(""), None
    return parts, port
