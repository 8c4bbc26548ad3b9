"""Settings from the environment, then ``instance/config.toml``.

Every problem is reported together.
"""

import os
import re
import tomllib
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from app.database_url import holds_password, read_database_url
from app.instance import SECRETS_FILE, load_secrets
from app.kernel.hosts import is_host, is_loopback
from app.kernel.mail import MailServer, mail_server_at, mistake_in_email, mistakes_in_smtp_url
from app.kernel.texts import is_storable
from app.kernel.whole_numbers import LARGEST_PORT, read_whole_number

VARIABLE_PREFIX = "BORDERPOST_"
DEFAULT_PUBLIC_URL = "http://127.0.0.1:8000"
DEFAULT_BIND = "127.0.0.1:8000"
NGROK = "ngrok"
_CONFIG_FILE = "config.toml"
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


class _Reader:
    """Reads one setting at a time and collects the problems."""

    def __init__(self, environ: Mapping[str, str], instance: Path) -> None:
        self._environ = environ
        self._instance = instance
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._file = self._read_file()
        self._secrets = self._read_secret_files()
        self._weaknesses = self.warnings if self.flag("ALLOW_INSECURE") else self.problems
        self._generated = self._read_secrets()
        self._warn_of_unknown()

    def _read_secret_files(self) -> dict[str, str]:
        """Read the secrets given as files, by ``<NAME>_FILE``."""
        found = {}
        for name in _SECRETS:
            path = self._environ.get(f"{VARIABLE_PREFIX}{name}_FILE")
            if not path:
                continue
            if self._environ.get(VARIABLE_PREFIX + name):
                self._problem(
                    f"{name}_FILE", f"goes without {VARIABLE_PREFIX}{name}: set one of the two"
                )
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as problem:
                why = getattr(problem, "strerror", None) or "it is not UTF-8 text"
                self._problem(f"{name}_FILE", f"cannot be read: {why}")
                continue
            if not found[name]:
                self._problem(f"{name}_FILE", "is an empty file")
        return found

    def _warn_of_unknown(self) -> None:
        for variable in sorted(self._environ):
            name = variable.removeprefix(VARIABLE_PREFIX)
            if name == variable or _OF_KUBERNETES.match(name):
                continue
            if name in _VARIABLES:
                if name in _NAMES and not is_storable(self._environ[variable]):
                    self._problem(name, "is not UTF-8 text")
                continue
            meant = get_close_matches(name, _VARIABLES, n=1)
            hint = f"; did you mean {VARIABLE_PREFIX}{meant[0]}?" if meant else ""
            self.warnings.append(f"{variable}: no such setting{hint}")

    def _insecure(self, name: str, text: str) -> None:
        self._weaknesses.append(f"{VARIABLE_PREFIX}{name}: {text}")

    def _note_unless_private(self, path: Path, place: list[str]) -> None:
        try:
            if path.stat().st_mode & 0o077:
                place.append(f"{path}: others may read it: run `chmod 600` on it")
        except OSError:
            pass  # it is absent, or reading it reports the reason

    def _read_secrets(self) -> dict[str, str]:
        if any(
            name in _SECRETS and (name not in _URLS_OF_SECRETS or holds_password(value))
            for name, value in self._file.items()
        ):
            self._note_unless_private(self._instance / _CONFIG_FILE, self.warnings)
        path = self._instance / SECRETS_FILE
        self._note_unless_private(path, self._weaknesses)
        try:
            return load_secrets(self._instance)
        except (OSError, ValueError) as problem:
            self.problems.append(f"{path}: cannot be read: {problem}")
            return {}

    def _read_file(self) -> dict[str, str]:
        path = self._instance / _CONFIG_FILE
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as problem:
            self.problems.append(f"{path}: cannot be read: {problem}")
            return {}
        known = {name.lower() for name in _NAMES}
        for name, value in found.items():
            if name not in known:
                self.problems.append(f"{path}: {name}: no such setting")
            elif not isinstance(value, str | int) or (
                isinstance(value, bool) and name not in _FLAGS
            ):
                self.problems.append(f"{path}: {name}: must be a text or a number")
        return {name.upper(): str(value) for name, value in found.items()}

    def get(self, name: str) -> str | None:
        given = self._environ.get(VARIABLE_PREFIX + name) or self._secrets.get(name)
        return given or self._file.get(name) or None

    def _problem(self, name: str, text: str) -> None:
        self.problems.append(f"{VARIABLE_PREFIX}{name}: {text}")

    def database_url(self) -> str:
        given = self.get("DATABASE_URL") or f"sqlite:///{self._instance / 'borderpost.db'}"
        if re.match("sqlite:///[^/]", self.get("DATABASE_URL") or ""):
            text = "is relative to the working directory: name the file from the root on"
            self.warnings.append(f"{VARIABLE_PREFIX}DATABASE_URL: {text}")
        try:
            return read_database_url(given)
        except ValueError as problem:
            self._problem("DATABASE_URL", str(problem))
            return given

    def is_database_pooled(self) -> bool:
        given = self.get("DATABASE_POOLER") or "none"
        if given not in {"none", "transaction"}:
            self._problem("DATABASE_POOLER", "must be none or transaction")
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
            self._problem(name, "must be an http or https URL with a host")
        elif not (given.isascii() and given.isprintable()) or _NOT_IN_URLS & set(given):
            self._problem(
                name, "must be plain: no user, query, fragment, space or non-ASCII character"
            )
        elif is_called_back and not is_host(parts.hostname or ""):
            self._problem(
                name,
                "needs an IP address or a host name of letters, digits and hyphens, none of them "
                "at the end of a label: Twilio calls no other",
            )
        elif parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            self._insecure(name, "must be https: this host is not this machine")
        return given.rstrip("/")

    def metrics_token(self) -> str | None:
        given = self.get("METRICS_TOKEN")
        if given is not None:
            self._check_strength("METRICS_TOKEN", given, _MIN_TOKEN_CHARS)
        return given

    def _check_strength(self, name: str, secret: str, least: int) -> None:
        if len(secret) < least:
            self._insecure(name, f"needs at least {least} characters")
        elif len(set(secret)) == 1:
            self._insecure(name, "must not be one repeated character")

    def secret_key(self) -> str:
        given = self._generated_secret("SECRET_KEY")
        if given is not None:
            self._check_strength("SECRET_KEY", given, _MIN_SECRET_CHARS)
        return given or ""

    def _generated_secret(self, name: str) -> str | None:
        given = self.get(name) or self._generated.get(name)
        if given is None:
            self._problem(name, "is not set: run `borderpost init`, or set it")
        return given

    def encryption_keys(self) -> tuple[str, ...]:
        given = self._generated_secret("ENCRYPTION_KEYS")
        keys = tuple(key.strip() for key in (given or "").split(",") if key.strip())
        for place, key in enumerate(keys, start=1):
            # Fernet ignores what is no base64, and all that follows the end of a key.
            if not _FERNET_KEY.fullmatch(key):
                self._problem("ENCRYPTION_KEYS", f"key {place} is not a Fernet key")
            else:
                self._check_strength("ENCRYPTION_KEYS", key.rstrip("="), _MIN_SECRET_CHARS)
                if len(set(urlsafe_b64decode(key))) == 1 < len(set(key.rstrip("="))):
                    self._insecure("ENCRYPTION_KEYS", "must not be one repeated byte")
        if given is not None and not keys:
            self._problem("ENCRYPTION_KEYS", "names no key")
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
                self._problem("BIND", f"must end in a port from 1 to {LARGEST_PORT}: 0.0.0.0:8000")
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

    def flag(self, name: str) -> bool:
        given = (self.get(name) or "false").lower()
        if given not in {"true", "false"}:
            self._problem(name, "must be true or false")
        return given == "true"

    def _together(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return values that are set together or not at all; empty texts for missing ones."""
        given = [self.get(name) for name in names]
        if not any(given):
            return None
        for name, value in zip(names, given, strict=True):
            if value is None:
                self._problem(name, f"is not set: {', '.join(names)} go together")
        return tuple(value or "" for value in given)

    def identity_provider(self) -> IdentityProviderSettings | None:
        given = self._together(_OIDC)
        if given is None:
            return None
        _, client_id, client_secret = given
        return IdentityProviderSettings(self.url(_OIDC[0]) or "", client_id, client_secret)

    def mail(self) -> MailServer | None:
        given, recipients = self._together(_MAIL), self.get(_RECIPIENTS)
        if given is None:
            if recipients is not None:
                self._problem(_RECIPIENTS, f"needs {' and '.join(_MAIL)} too")
            return None
        server, sender = given
        addresses = tuple(one.strip() for one in (recipients or "").split(",") if one.strip())
        for name, value, found in (
            (_MAIL[1], sender, (sender,)),
            (_RECIPIENTS, recipients, addresses),
        ):
            if value and (not found or any(map(mistake_in_email, found))):
                self._problem(name, "must be e-mail addresses, such as alerts@example.com")
        for mistake in mistakes_in_smtp_url(server) if server else ():
            self._problem(_MAIL[0], mistake)
        return mail_server_at(server, sender, addresses)


_MAIL = ("SMTP_URL", "SMTP_FROM")
_RECIPIENTS = "ALERT_EMAILS"
_OIDC = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_NAMES = (
    "DATABASE_URL",
    "DATABASE_POOLER",
    "PUBLIC_URL",
    "TWILIO_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "THREADS",
    "WEBHOOK_ALLOW_LOOPBACK",
    "ALLOW_INSECURE",
    *_OIDC,
    "MESSAGE_RETENTION_DAYS",
    *_MAIL,
    _RECIPIENTS,
)
_FLAGS = frozenset({"webhook_allow_loopback", "allow_insecure"})
# Each can also be given as a file: `<NAME>_FILE`.
_SECRETS = (
    "DATABASE_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "SMTP_URL",
)
_URLS_OF_SECRETS = frozenset({"DATABASE_URL", "SMTP_URL"})
_VARIABLES = (*_NAMES, "INSTANCE", "BIND", *(f"{name}_FILE" for name in _SECRETS))
# Kubernetes sets these in each container if a service is called "borderpost".
_OF_KUBERNETES = re.compile(r"SERVICE_|PORT($|_)")
