"""E-mail addresses, and the SMTP server with the recipients of alerts. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from app.kernel.hosts import is_loopback

MAX_EMAIL_CHARS = 254
NOT_AN_EMAIL = "Must be an e-mail address, for example ada@example.com."
NOT_ASCII = "Must consist of ASCII characters."
_SPACE = " \t"
# In the header of a mail, the other characters make several addresses, names or comments.
_PLAIN = re.compile(r"[^@\s()<>\[\]:;,\\\"]+@[^@\s()<>\[\]:;,\\\"]+(?<!\.)", re.ASCII)


def normal_email(email: str) -> str:
    """Lower-case an ASCII address; others keep their case, so that different ones stay so."""
    text = email.strip(_SPACE)
    return text.lower() if text.isascii() else text


def mistake_in_email(email: str) -> str | None:
    text = email.strip(_SPACE)
    if not text.isascii():
        return NOT_ASCII
    is_plain = text.isprintable() and _PLAIN.fullmatch(text)
    return None if is_plain and len(text) <= MAX_EMAIL_CHARS else NOT_AN_EMAIL


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
    parts, port = _split(url)
    is_usable = parts.scheme in {"smtp", "smtps"} and parts.hostname and port != 0
    # An unescaped "#" in a password would cut off the host.
    if not is_usable or parts.path.strip("/") or parts.query or "#" in url or url[-1] == ":":
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
