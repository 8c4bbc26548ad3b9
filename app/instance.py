"""The instance folder: its secrets are written once with mode 0600; no start changes them."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet

SECRETS_FILE = "secrets.env"


def load_secrets(instance: Path) -> dict[str, str]:
    """Names are without the prefix ``BORDERPOST_``; {} before `init`."""
    found = read_values(instance / SECRETS_FILE)
    return {name.removeprefix("BORDERPOST_"): value for name, value in found.items()}


def read_values(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def add_encryption_key(instance: Path, in_use: Sequence[str]) -> bool:
    """Put a new key before the others; False if those in use do not come from the file."""
    path = instance / SECRETS_FILE
    name = "BORDERPOST_ENCRYPTION_KEYS="
    stored = load_secrets(instance).get("ENCRYPTION_KEYS", "").split(",")
    if [key.strip() for key in stored if key.strip()] != list(in_use):
        return False
    lines = path.read_text(encoding="utf-8").splitlines()
    key = Fernet.generate_key().decode()
    changed = [
        f"{name}{key},{line.removeprefix(name)}" if line.startswith(name) else line
        for line in lines
    ]
    draft = instance / f".{SECRETS_FILE}.{secrets.token_hex(8)}"
    write_private(draft, "".join(f"{line}\n" for line in changed))
    draft.replace(path)
    return True


def create_instance(instance: Path) -> bool:
    """Return whether secrets were created; atomic, so that concurrent processes agree."""
    instance.mkdir(parents=True, exist_ok=True)
    path = instance / SECRETS_FILE
    if path.exists():
        return False
    draft = instance / f".{SECRETS_FILE}.{secrets.token_hex(8)}"
    text = (
        "# Generated at the first start. Whoever has this file can read the stored provider\n"
        "# tokens: keep it secret, and keep a copy, for without it they cannot be read.\n"
        f"BORDERPOST_SECRET_KEY={secrets.token_urlsafe(48)}\n"
        f"BORDERPOST_ENCRYPTION_KEYS={Fernet.generate_key().decode()}\n"
    )
    write_private(draft, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
