"""Insecure settings stop the start, each by name; secrets may come from files."""

from base64 import b64encode
from pathlib import Path
from typing import Any

from app.setting_sources import SECRET_NAMES
from app.settings import load_settings
from support.settings import KEY, OLDER_KEY, SECRET, load, problems

OIDC = {"OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "y"}
INSECURE: list[tuple[str, dict[str, str]]] = [
    ("PUBLIC_URL", {"PUBLIC_URL": "http://sms.example.com"}),
    ("PUBLIC_URL", {"PUBLIC_URL": "http://10.0.0.1:8000/sms"}),
    ("TWILIO_URL", {"TWILIO_URL": "http://mock.example.com"}),
    ("OIDC_ISSUER", {"OIDC_ISSUER": "http://id.example.com", **OIDC}),
    ("SECRET_KEY", {"SECRET_KEY": "short"}),
    ("SECRET_KEY", {"SECRET_KEY": "s" * 64}),
    ("ENCRYPTION_KEYS", {"ENCRYPTION_KEYS": "A" * 43 + "="}),
    ("ENCRYPTION_KEYS", {"ENCRYPTION_KEYS": f"{KEY},{'A' * 43}="}),
    ("ENCRYPTION_KEYS", {"ENCRYPTION_KEYS": b64encode(b"x" * 32).decode()}),
    ("METRICS_TOKEN", {"METRICS_TOKEN": "0123456789abcde"}),
    ("METRICS_TOKEN", {"METRICS_TOKEN": "m" * 20}),
]


def test_each_insecure_setting_stops_the_start_by_name(tmp_path: Path) -> None:
    """Fails without `_insecure`; with ALLOW_INSECURE each is a warning instead."""
    for name, given in INSECURE:
        (problem,) = problems(tmp_path, **given)
        assert problem.startswith(f"BORDERPOST_{name}: "), given
        allowed = load(tmp_path, ALLOW_INSECURE="true", **given)
        assert allowed.warnings == (problem,)
        assert problems(tmp_path, ALLOW_INSECURE="false", **given) == [problem]
    assert load(tmp_path).warnings == ()
    for url in ("http://localhost:1", "http://127.9.9.9", "http://[::1]:8000"):
        assert load(tmp_path, PUBLIC_URL=url, TWILIO_URL=url).warnings == ()


def test_generated_secrets_that_others_may_read_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    path.write_text(f"BORDERPOST_SECRET_KEY={SECRET}\n")
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        (problem,) = problems(tmp_path)
        assert str(path) in problem
        assert load(tmp_path, ALLOW_INSECURE="true").warnings == (problem,)
    path.chmod(0o600)
    assert load(tmp_path).warnings == ()


def test_a_config_file_with_secrets_that_others_may_read_is_named(tmp_path: Path) -> None:
    """Break: in `_read_secrets`, let `holds_password` decide about no URL, or about each."""
    path = tmp_path / "config.toml"
    secret = {
        "database_url": "postgresql://u:p@db/sms",
        "secret_key": SECRET,
        "encryption_keys": KEY,
        "metrics_token": "0123456789abcdef",
        "oidc_client_secret": "x",
        "smtp_url": "smtps://mailer:password@mail.example:465",
    }
    assert set(secret) == {name.lower() for name in SECRET_NAMES}
    lines = {
        *(f'{name} = "{value}"' for name, value in secret.items()),
        'database_url = "postgresql://u@db/sms?sslpassword=x"',
    }
    others = OIDC | {"OIDC_ISSUER": "https://id.example", "SMTP_FROM": "a@example.com"}
    others["SMTP_URL"] = "smtps://mail.example:465"
    for line in lines:
        path.write_text(line)
        path.chmod(0o644)
        named = f"{path}: others may read it: run `chmod 600` on it"
        assert load(tmp_path, **others).warnings == (named,)
        path.chmod(0o600)
        assert load(tmp_path, **others).warnings == ()
    path.write_text(
        'threads = 4\ndatabase_url = "postgresql://u@db/sms"\nsmtp_url = "smtps://mail.example"\n'
    )
    path.chmod(0o644)
    assert load(tmp_path, **others).warnings == ()


def test_every_secret_may_come_from_a_file_that_others_may_read(tmp_path: Path) -> None:
    values = {
        "DATABASE_URL": "postgresql+psycopg://u:p@db/sms",
        "SECRET_KEY": SECRET[::-1],
        "ENCRYPTION_KEYS": OLDER_KEY,
        "METRICS_TOKEN": "0123456789abcdef",
        "OIDC_CLIENT_SECRET": "from a file",
        "SMTP_URL": "smtps://mailer:password@mail.example:465",
    }
    assert set(values) == set(SECRET_NAMES)
    given: dict[str, Any] = {}
    for name, value in values.items():
        path = tmp_path / name
        path.write_text(value + "\n")
        path.chmod(0o644)
        given[f"BORDERPOST_{name}_FILE"] = str(path)
    others = {"BORDERPOST_OIDC_ISSUER": "https://id.example", "BORDERPOST_OIDC_CLIENT_ID": "x"}
    others |= {
        "BORDERPOST_SMTP_FROM": "borderpost@example.com",
        "BORDERPOST_ALERT_EMAILS": "duty@example.com",
    }
    found = load_settings(given | others, tmp_path / "instance")
    assert found.secret_key == values["SECRET_KEY"]
    assert found.encryption_keys == (values["ENCRYPTION_KEYS"],)
    assert (found.metrics_token, found.warnings) == (values["METRICS_TOKEN"], ())
    assert found.identity_provider is not None
    assert found.identity_provider.client_secret == "from a file"
    assert found.mail is not None
    assert found.mail.password == "password"
    assert "u:p@db" in found.database_url


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    assert problems(tmp_path, METRICS_TOKEN_FILE=str(tmp_path / "none")) == [
        "BORDERPOST_METRICS_TOKEN_FILE: cannot be read: No such file or directory"
    ]
    assert problems(tmp_path, METRICS_TOKEN_FILE=str(empty)) == [
        "BORDERPOST_METRICS_TOKEN_FILE: is an empty file"
    ]
    (both,) = problems(tmp_path, SECRET_KEY_FILE=str(empty.with_name("secret")) or "")[:1]
    assert both.startswith("BORDERPOST_SECRET_KEY_FILE: goes without BORDERPOST_SECRET_KEY")
