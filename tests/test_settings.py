"""Settings: their sources, their checks, and a report of all problems together."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from app.setting_sources import SETTING_NAMES
from app.settings import Settings, SettingsError, default_instance, load_settings
from support.settings import KEY, OLDER_KEY, SECRET, load


def test_with_secrets_nothing_else_need_be_set(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings(
        instance=tmp_path,
        database_url=f"sqlite:///{tmp_path}/borderpost.db",
        public_url="http://127.0.0.1:8000",
        twilio_url=None,
        secret_key=SECRET,
        encryption_keys=(KEY,),
        metrics_token=None,
        threads=32,
        message_retention_days=400,
    )


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'public_url = "https://from.file.example/hooks/"\n'
        'twilio_url = "http://127.0.0.1:8010"\n'
        'database_url = "postgresql+psycopg://db.example/from_file"\n'
        'metrics_token = "from the file 0123"\n'
        "threads = 8\n"
    )
    from_file = load(tmp_path)
    assert from_file.public_url == "https://from.file.example/hooks"
    assert from_file.twilio_url == "http://127.0.0.1:8010"
    assert from_file.database_url == "postgresql+psycopg://db.example/from_file"
    assert (from_file.metrics_token, from_file.threads) == ("from the file 0123", 8)
    assert not from_file.is_embedded
    given = {"PUBLIC_URL": "https://env.example", "THREADS": "4", "TWILIO_URL": ""}
    assert load(tmp_path, **given) == replace(
        from_file, public_url="https://env.example", threads=4
    )


@pytest.mark.parametrize(
    ("in_file", "in_environment", "found"),
    [
        (None, None, False),
        ("true", None, True),
        ('"true"', None, True),
        ("false", "True", True),
        ("true", "false", False),
        (None, "", False),
    ],
)
def test_a_setting_that_is_true_or_false(
    tmp_path: Path, in_file: str | None, in_environment: str | None, found: bool
) -> None:
    if in_file is not None:
        (tmp_path / "config.toml").write_text(f"webhook_allow_loopback = {in_file}\n")
    given = {} if in_environment is None else {"WEBHOOK_ALLOW_LOOPBACK": in_environment}
    assert load(tmp_path, **given).webhook_allow_loopback is found


def test_secrets_come_from_the_environment_the_file_or_are_generated(tmp_path: Path) -> None:
    generated = (
        f"# a comment\nBORDERPOST_SECRET_KEY={'gh' * 20}\nBORDERPOST_ENCRYPTION_KEYS={KEY}\n"
    )
    (tmp_path / "secrets.env").write_text(generated)
    (tmp_path / "secrets.env").chmod(0o600)
    assert load_settings({}, tmp_path).secret_key == "gh" * 20
    assert load_settings({}, tmp_path).encryption_keys == (KEY,)
    (tmp_path / "config.toml").write_text(
        f'secret_key = "{"fg" * 20}"\nencryption_keys = "{OLDER_KEY}, {KEY}"\n'
    )
    assert load_settings({}, tmp_path).secret_key == "fg" * 20
    assert load_settings({}, tmp_path).encryption_keys == (OLDER_KEY, KEY)
    assert load(tmp_path).secret_key == SECRET


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://sms.example.com", "https://sms.example.com"),
        ("https://sms.example.com/", "https://sms.example.com"),
        ("https://sms.example.com/hooks/sms/", "https://sms.example.com/hooks/sms"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://203.0.113.9:8443", "https://203.0.113.9:8443"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]"),
        ("https://a--b.xn--hst-0na.4you.example/a_b", "https://a--b.xn--hst-0na.4you.example/a_b"),
        ("ngrok", "ngrok"),
        ("", "http://127.0.0.1:8000"),
    ],
)
def test_a_public_url_is_kept_without_its_trailing_slash(
    tmp_path: Path, given: str, kept: str
) -> None:
    assert load(tmp_path, PUBLIC_URL=given).public_url == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgresql://db/sms", "postgresql+psycopg://db/sms"),
        ("postgresql+psycopg://u:p%40@db:5433/sms?sslmode=require", None),
        ("postgresql+psycopg://u:p@/sms?host=a%3A5432&host=b%3A5433", None),
        ("postgresql+psycopg://u:p@/sms?host=a%2Cb&port=1%2C2", None),
        ("postgresql+psycopg://u:p@a,b/sms", None),
        ("postgresql+psycopg://u@/sms?host=%2Frun%2Fa%3A5432&host=%2Frun%2Fb%3A5432", None),
        ("sqlite:////data/sms.db", None),
        ("sqlite:///relative.db", None),
    ],
)
def test_a_database_url_is_kept_with_its_password(
    tmp_path: Path, given: str, kept: str | None
) -> None:
    assert load(tmp_path, DATABASE_URL=given).database_url == (kept or given)


def test_an_sqlite_file_relative_to_the_working_directory_is_a_warning(tmp_path: Path) -> None:
    """Two processes with other working directories have two databases."""

    def warnings(url: str) -> tuple[str, ...]:
        return load(tmp_path, DATABASE_URL=url).warnings

    (warning,) = warnings("sqlite:///relative.db")
    assert warning.startswith("BORDERPOST_DATABASE_URL: is relative to the working directory")
    assert warnings("sqlite:////data/sms.db") == ()


def test_shown_settings_contain_no_secret(tmp_path: Path) -> None:
    database_url = "postgresql+psycopg://user:planted-password@host/name"
    found = load(tmp_path, DATABASE_URL=database_url, METRICS_TOKEN="planted-token-0123")
    for secret in (SECRET, KEY, "planted"):
        assert secret not in repr(found)
        assert secret not in str(found)


def test_instance_folder_is_the_given_one_or_next_to_the_program() -> None:
    assert default_instance({"BORDERPOST_INSTANCE": "/srv/sms"}) == Path("/srv/sms")
    assert default_instance({}) == Path(__file__).parents[1] / "instance"


def test_the_example_names_every_setting_and_nothing_else(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "instance" / "config.example.toml"
    text = example.read_text(encoding="utf-8")
    switched_on = "\n".join(
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith("# ") and " = " in line
    )
    assert stat.S_ISREG(example.stat().st_mode)
    (tmp_path / "config.toml").write_text(switched_on)
    names = {line.partition(" = ")[0] for line in switched_on.splitlines()}
    assert names == {name.lower() for name in SETTING_NAMES}
    try:
        load(tmp_path)
    except SettingsError as wrong:
        pytest.fail("\n".join(wrong.problems))
