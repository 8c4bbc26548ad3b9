"""The sources of settings: the environment, files of secrets, and ``instance/config.toml``."""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from app.database_url import holds_password
from app.instance import SECRETS_FILE, load_secrets
from app.kernel.texts import is_storable

VARIABLE_PREFIX = "BORDERPOST_"
_CONFIG_FILE = "config.toml"
MAIL = ("SMTP_URL", "SMTP_FROM")
RECIPIENTS = "ALERT_EMAILS"
OIDC = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
SETTING_NAMES = (
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
    *OIDC,
    "MESSAGE_RETENTION_DAYS",
    *MAIL,
    RECIPIENTS,
)
_FLAGS = frozenset({"webhook_allow_loopback", "allow_insecure"})
# Each can also be given as a file: `<NAME>_FILE`.
SECRET_NAMES = (
    "DATABASE_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "SMTP_URL",
)
_URLS_OF_SECRETS = frozenset({"DATABASE_URL", "SMTP_URL"})
_VARIABLES = (*SETTING_NAMES, "INSTANCE", "BIND", *(f"{name}_FILE" for name in SECRET_NAMES))
# Kubernetes sets these in each container if a service is called "borderpost".
_OF_KUBERNETES = re.compile(r"SERVICE_|PORT($|_)")


class SettingSources:
    """The texts of the settings, and all problems and warnings."""

    def __init__(self, environ: Mapping[str, str], instance: Path) -> None:
        self._environ = environ
        self._instance = instance
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.unread: set[str] = set()
        self._file = self._read_file()
        self._secrets = self._read_secret_files()
        self._weaknesses = self.warnings if self.flag("ALLOW_INSECURE") else self.problems
        self._generated = self._read_secrets()
        self._warn_of_unknown()

    def _read_secret_files(self) -> dict[str, str]:
        found = {}
        for name in SECRET_NAMES:
            path = self._environ.get(f"{VARIABLE_PREFIX}{name}_FILE")
            if not path:
                continue
            if self._environ.get(VARIABLE_PREFIX + name):
                self.problem(
                    f"{name}_FILE", f"goes without {VARIABLE_PREFIX}{name}: set one of the two"
                )
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as problem:
                why = getattr(problem, "strerror", None) or "it is not UTF-8 text"
                self.problem(f"{name}_FILE", f"cannot be read: {why}")
                self.unread.add(name)
                continue
            if not found[name]:
                self.problem(f"{name}_FILE", "is an empty file")
        return found

    def _warn_of_unknown(self) -> None:
        for variable in sorted(self._environ):
            name = variable.removeprefix(VARIABLE_PREFIX)
            if name == variable or _OF_KUBERNETES.match(name):
                continue
            if name in _VARIABLES:
                if name in SETTING_NAMES and not is_storable(self._environ[variable]):
                    self.problem(name, "is not UTF-8 text")
                continue
            meant = get_close_matches(name, _VARIABLES, n=1)
            hint = f"; did you mean {VARIABLE_PREFIX}{meant[0]}?" if meant else ""
            self.warnings.append(f"{variable}: no such setting{hint}")

    def insecure(self, name: str, text: str) -> None:
        self._weaknesses.append(f"{VARIABLE_PREFIX}{name}: {text}")

    def _note_unless_private(self, path: Path, place: list[str]) -> None:
        try:
            if path.stat().st_mode & 0o077:
                place.append(f"{path}: others may read it: run `chmod 600` on it")
        except OSError:
            pass  # it is absent, or reading it reports the reason

    def _read_secrets(self) -> dict[str, str]:
        if any(
            name in SECRET_NAMES and (name not in _URLS_OF_SECRETS or holds_password(value))
            for name, value in self._file.items()
        ):
            self._note_unless_private(self._instance / _CONFIG_FILE, self.warnings)
        path = self._instance / SECRETS_FILE
        self._note_unless_private(path, self._weaknesses)
        try:
            return load_secrets(self._instance)
        except (OSError, ValueError) as problem:
            self.problems.append(f"{path}: cannot be read: {_why(problem)}")
            self.unread.update(SECRET_NAMES)
            return {}

    def _read_file(self) -> dict[str, str]:
        path = self._instance / _CONFIG_FILE
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as problem:
            self.problems.append(f"{path}: cannot be read: {_why(problem)}")
            return {}
        known = {name.lower() for name in SETTING_NAMES}
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

    def problem(self, name: str, text: str) -> None:
        self.problems.append(f"{VARIABLE_PREFIX}{name}: {text}")

    def flag(self, name: str) -> bool:
        given = (self.get(name) or "false").lower()
        if given not in {"true", "false"}:
            self.problem(name, "must be true or false")
        return given == "true"


def _why(problem: Exception) -> object:
    return getattr(problem, "strerror", None) or problem  # without the path once more
