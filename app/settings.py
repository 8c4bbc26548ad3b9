"""The settings and their checks. Every problem is reported together."""

import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from app.database_url import read_database_url
from app.kernel.hosts import is_host, is_loopback
from app.kernel.mail import MailServer, mail_server_at, mistake_in_email, mistakes_in_smtp_url
from app.kernel.whole_numbers import LARGEST_PORT, read_whole_number
from app.setting_sources import MAIL, OIDC, RECIPIENTS, VARIABLE_PREFIX, SettingSources

DEFAULT_PUBLIC_URL = "http://127.0.0.1:8000"
DEFAULT_BIND = "127.0.0.1:8000"
NGROK = "ngrok"
_MIN_SECRET_CHARS = 32
_MIN_TOKEN_CHARS = 16
_MOST_PROCESSES = 512
_NOT_IN_URLS = frozenset("@?#\\ ")
_FERNET_KEY = re.compile(r"[A-Za-z0-9_+/-]{43}=")


class SettingsError(Exception):
    """One or more settings are wrong; ``problems`` names each, with its remedy."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class IdentityProviderSettings:
    """An OpenID Connect provider for sign-in."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    instance: Path
    database_url: str = field(repr=False)
    public_url: str
    twilio_url: str | None
    secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    metrics_token: str | None = field(repr=False, default=None)
    bind: str = DEFAULT_BIND
    processes: int = 1
    threads: int = 32
    webhook_allow_loopback: bool = False
    identity_provider: IdentityProviderSettings | None = None
    message_retention_days: int = 400
    is_database_pooled: bool = False
    mail: MailServer | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_embedded(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.database_url.startswith("sqlite")


def load_settings(
    environ: Mapping[str, str] | None = None, instance: Path | None = None
) -> Settings:
    """Read and check all settings; raises `SettingsError`."""
    environ = os.environ if environ is None else environ
    instance = instance or default_instance(environ)
    reader = _Reader(environ, instance)
    settings = Settings(
        instance=instance,
        database_url=(database_url := reader.database_url()),
        public_url=reader.public_url(),
        twilio_url=reader.url("TWILIO_URL"),
        secret_key=reader.secret_key(),
        encryption_keys=reader.encryption_keys(),
        metrics_token=reader.metrics_token(),
        bind=reader.bind(),
        processes=reader.processes(database_url),
        threads=reader.number("THREADS", 32, 1, 512),
        webhook_allow_loopback=reader.flag("WEBHOOK_ALLOW_LOOPBACK"),
        identity_provider=reader.identity_provider(),
        message_retention_days=reader.number("MESSAGE_RETENTION_DAYS", 400, 90, 3650),
        is_database_pooled=reader.is_database_pooled(),
        mail=reader.mail(),
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return replace(settings, warnings=tuple(reader.warnings))


def default_instance(environ: Mapping[str, str]) -> Path:
    """Return ``BORDERPOST_INSTANCE``, or the folder ``instance`` next to ``app``."""
    named = environ.get(VARIABLE_PREFIX + "INSTANCE")
    return Path(named) if named else Path(__file__).resolve().parent.parent / "instance"


class _Reader(SettingSources):
    """Reads and checks one setting at a time."""

    def database_url(self) -> str:
        given = self.get("DATABASE_URL") or f"sqlite:///{self._instance / 'borderpost.db'}"
        if re.match("sqlite:///[^/]", self.get("DATABASE_URL") or ""):
            text = "is relative to the working directory: name the file from the root on"
            self.warnings.append(f"{VARIABLE_PREFIX}DATABASE_URL: {text}")
        try:
            return read_database_url(given)
        except ValueError as problem:
            self.problem("DATABASE_URL", str(problem))
            return given

    def is_database_pooled(self) -> bool:
        given = self.get("DATABASE_POOLER") or "none"
        if given not in {"none", "transaction"}:
            self.problem("DATABASE_POOLER", "must be none or transaction")
        return given == "transaction"

    def public_url(self) -> str:
        if self.get("PUBLIC_URL") == NGROK:
            return NGROK
        return self.url("PUBLIC_URL", is_called_back=True) or DEFAULT_PUBLIC_URL

    def url(self, name: str, *, is_called_back: bool = False) -> str | None:
        given = self.get(name)
        if given is None:
            return None
        try:
            parts = urlsplit(given)
            is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
            is_usable = is_usable and parts.port != 0 and not parts.netloc.endswith(":")
        except ValueError:
            is_usable = False
        if not is_usable:
            self.problem(name, "must be an http or https URL with a host")
        elif not (given.isascii() and given.isprintable()) or _NOT_IN_URLS & set(given):
            self.problem(
                name, "must be plain: no user, query, fragment, space or non-ASCII character"
            )
        elif is_called_back and not is_host(parts.hostname or ""):
            self.problem(
                name,
                "needs an IP address or a host name of letters, digits and hyphens, none of them "
                "at the end of a label: Twilio calls no other",
            )
        elif parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            self.insecure(name, "must be https: this host is not this machine")
        return given.rstrip("/")

    def metrics_token(self) -> str | None:
        given = self.get("METRICS_TOKEN")
        if given is not None:
            self._check_strength("METRICS_TOKEN", given, _MIN_TOKEN_CHARS)
        return given

    def _check_strength(self, name: str, secret: str, least: int) -> None:
        if len(secret) < least:
            self.insecure(name, f"needs at least {least} characters")
        elif len(set(secret)) == 1:
            self.insecure(name, "must not be one repeated character")

    def secret_key(self) -> str:
        given = self._generated_secret("SECRET_KEY")
        if given is not None:
            self._check_strength("SECRET_KEY", given, _MIN_SECRET_CHARS)
        return given or ""

    def _generated_secret(self, name: str) -> str | None:
        given = self.get(name) or self._generated.get(name)
        if given is None and name not in self.unread:
            self.problem(name, "is not set: run `borderpost init`, or set it")
        return given

    def encryption_keys(self) -> tuple[str, ...]:
        given = self._generated_secret("ENCRYPTION_KEYS")
        keys = tuple(key.strip() for key in (given or "").split(",") if key.strip())
        for place, key in enumerate(keys, start=1):
            # Fernet ignores what is no base64, and all that follows the end of a key.
            if not _FERNET_KEY.fullmatch(key):
                self.problem("ENCRYPTION_KEYS", f"key {place} is not a Fernet key")
            else:
                self._check_strength("ENCRYPTION_KEYS", key.rstrip("="), _MIN_SECRET_CHARS)
                if len(set(urlsafe_b64decode(key))) == 1 < len(set(key.rstrip("="))):
                    self.insecure("ENCRYPTION_KEYS", "must not be one repeated byte")
        if given is not None and not keys:
            self.problem("ENCRYPTION_KEYS", "names no key")
        return keys

    def bind(self) -> str:
        """Read gunicorn's listen address."""
        port = self._number_of("PORT", self._environ.get("PORT"), 8000, 1, LARGEST_PORT)
        given = self._environ.get(f"{VARIABLE_PREFIX}BIND") or f"127.0.0.1:{port}"
        for one in given.split(","):
            _, mark, of_address = one.rpartition("]")[2].rpartition(":")
            is_path = re.match(r"\s*(unix:|fd://)\S", one)
            has_port = mark and read_whole_number(of_address, 1, LARGEST_PORT) is not None
            if not (is_path or has_port):
                self.problem("BIND", f"must end in a port from 1 to {LARGEST_PORT}: 0.0.0.0:8000")
        return given

    def processes(self, database_url: str) -> int:
        """By default one on SQLite, else one per core."""
        cores = 1 if database_url.startswith("sqlite") else os.cpu_count() or 2
        given = self._environ.get("WEB_CONCURRENCY")
        return self._number_of("WEB_CONCURRENCY", given, cores, 1, _MOST_PROCESSES)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        return self._number_of(VARIABLE_PREFIX + name, self.get(name), default, least, most)

    def _number_of(
        self, variable: str, given: str | None, default: int, least: int, most: int
    ) -> int:
        found = read_whole_number(given or str(default), least, most)
        if found is None:
            self.problems.append(f"{variable}: must be a whole number from {least} to {most}")
        return default if found is None else found

    def _together(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return values that are set together or not at all; empty texts for missing ones."""
        given = [self.get(name) for name in names]
        if not any(given):
            return None
        for name, value in zip(names, given, strict=True):
            if value is None:
                self.problem(name, f"is not set: {', '.join(names)} go together")
        return tuple(value or "" for value in given)

    def identity_provider(self) -> IdentityProviderSettings | None:
        given = self._together(OIDC)
        if given is None:
            return None
        _, client_id, client_secret = given
        return IdentityProviderSettings(self.url(OIDC[0]) or "", client_id, client_secret)

    def mail(self) -> MailServer | None:
        given, recipients = self._together(MAIL), self.get(RECIPIENTS)
        if given is None:
            if recipients is not None:
                self.problem(RECIPIENTS, f"needs {' and '.join(MAIL)} too")
            return None
        server, sender = given
        addresses = tuple(one.strip() for one in (recipients or "").split(",") if one.strip())
        for name, value, found in (
            (MAIL[1], sender, (sender,)),
            (RECIPIENTS, recipients, addresses),
        ):
            if value and (not found or any(map(mistake_in_email, found))):
                self.problem(name, "must be e-mail addresses, such as alerts@example.com")
        for mistake in mistakes_in_smtp_url(server) if server else ():
            self.problem(MAIL[0], mistake)
        return mail_server_at(server, sender, addresses)
