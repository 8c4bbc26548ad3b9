"""Settings of a test: the secrets that each needs, and the problems of wrong ones."""

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, load_settings

SECRET = "0123456789abcdef" * 2
# Two Fernet keys, written down: what a test is named by must be the same in every process.
KEY, OLDER_KEY = "ab" * 21 + "A=", "bc" * 21 + "A="
ENOUGH = {"BORDERPOST_SECRET_KEY": SECRET, "BORDERPOST_ENCRYPTION_KEYS": KEY}


def load(instance: Path, **given: str) -> Settings:
    environ = ENOUGH | {f"BORDERPOST_{name}": value for name, value in given.items()}
    return load_settings(environ, instance)


def problems(instance: Path, **given: str) -> list[str]:
    with pytest.raises(SettingsError) as wrong:
        load(instance, **given)
    return wrong.value.problems
