"""The setting that lets endpoints lie on this machine."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.settings import Settings, SettingsError, load_settings

NAME = "BORDERPOST_WEBHOOK_ALLOW_LOOPBACK"
ENOUGH = {
    "BORDERPOST_SECRET_KEY": "0123456789abcdef" * 2,
    "BORDERPOST_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}


def load(instance: Path, **given: str) -> Settings:
    return load_settings(ENOUGH | given, instance)


@pytest.mark.parametrize(
    ("given", "allowed"), [("", False), ("false", False), ("true", True), ("True", True)]
)
def test_it_is_on_only_for_true(tmp_path: Path, given: str, allowed: bool) -> None:
    assert load(tmp_path, **{NAME: given}).webhook_allow_loopback is allowed


def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert load(tmp_path).webhook_allow_loopback is False


@pytest.mark.parametrize("given", ["yes", "1", "on", "truth"])
def test_anything_else_is_a_problem(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        load(tmp_path, **{NAME: given})
    assert wrong.value.problems == [f"{NAME}: must be true or false"]


@pytest.mark.parametrize("line", ["true", '"true"'])
def test_it_may_be_set_in_the_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.toml").write_text(f"webhook_allow_loopback = {line}\n")
    assert load(tmp_path).webhook_allow_loopback is True
