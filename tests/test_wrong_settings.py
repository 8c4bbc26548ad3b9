"""Wrong settings: all are reported by name together, and no secret is repeated."""

from pathlib import Path

import pytest

from app.kernel.mail import MailServer
from app.setting_sources import SETTING_NAMES
from app.settings import SettingsError, load_settings
from support.each import each
from support.settings import ENOUGH, KEY, OLDER_KEY, SECRET, load, problems

NOT_A_URL = "must be an http or https URL with a host"
NOT_PLAIN = "must be plain: no user, query, fragment, space or non-ASCII character"
NOT_CALLED = (
    "needs an IP address or a host name of letters, digits and hyphens, none of them "
    "at the end of a label: Twilio calls no other"
)
NOT_A_DATABASE = "is not a database URL"
NOT_A_DIALECT = "must start with one of sqlite, postgresql+psycopg"
NOT_ESCAPED = "has an @ in the user or the password: write it %40"
NO_HOSTS = (
    "names its hosts and ports in no known way: "
    "write ?host=a:5432&host=b:5432, or ?host=a,b&port=5432,5432"
)
NO_FILE = "SQLite needs a file, for example sqlite:////data/sms.db"
NOT_A_NUMBER = "must be a whole number from 1 to 512"
NOT_SMTP = "must be smtp://host:587 or smtps://host:465, without a path"
NO_ADDRESSES = "must be e-mail addresses, such as alerts@example.com"
NOT_ASCII_MAIL = "must consist of ASCII characters, user and password included"
NOT_DAYS = "must be a whole number from 90 to 3650"

WRONG = [
    ("PUBLIC_URL", "sms.example.com", NOT_A_URL),
    ("PUBLIC_URL", "ftp://sms.example.com", NOT_A_URL),
    ("PUBLIC_URL", "https://", NOT_A_URL),
    ("PUBLIC_URL", "https:///path", NOT_A_URL),
    ("PUBLIC_URL", "https://host:port", NOT_A_URL),
    ("PUBLIC_URL", "https://host:99999", NOT_A_URL),
    ("PUBLIC_URL", "https://host:0", NOT_A_URL),
    ("PUBLIC_URL", "https://host:/sms", NOT_A_URL),
    ("PUBLIC_URL", "https://[::1", NOT_A_URL),
    ("PUBLIC_URL", "NGROK", NOT_A_URL),
    ("PUBLIC_URL", "https://host?x=1", NOT_PLAIN),
    ("PUBLIC_URL", "https://host?", NOT_PLAIN),
    ("PUBLIC_URL", "https://host#x", NOT_PLAIN),
    ("PUBLIC_URL", "https://host/#", NOT_PLAIN),
    ("PUBLIC_URL", "https://user@host", NOT_PLAIN),
    ("PUBLIC_URL", "https://:secret@host", NOT_PLAIN),
    ("PUBLIC_URL", "https://h\u00f6st", NOT_PLAIN),
    ("PUBLIC_URL", "https://ho st", NOT_PLAIN),
    ("PUBLIC_URL", "https://host/\t", NOT_PLAIN),
    ("PUBLIC_URL", "https://host\\@other", NOT_PLAIN),
    *(
        ("PUBLIC_URL", f"https://{host}/sms", NOT_CALLED)
        for host in (
            *("my_host.example.com", "a..example.com", ".example.com", "example.com."),
            *("-a.example.com", "a-.example.com", "1.2.3.4.5", "1.2.3", "256.1.1.1", "a.1"),
            *("a" * 64 + ".example.com", "a." * 126 + "example.com", "a~b.example.com"),
        )
    ),
    ("TWILIO_URL", "127.0.0.1:8010", NOT_A_URL),
    ("TWILIO_URL", "http://127.0.0.1:8010?x", NOT_PLAIN),
    ("TWILIO_URL", "ngrok", NOT_A_URL),
    ("DATABASE_URL", "borderpost.db", NOT_A_DATABASE),
    ("DATABASE_URL", "postgresql://host:port/name", NOT_A_DATABASE),
    ("DATABASE_URL", "postgresql://u:p@ss@host/name", NOT_ESCAPED),
    ("DATABASE_URL", "mysql://host/name", NOT_A_DIALECT),
    ("DATABASE_URL", "postgresql+psycopg2://host/name", NOT_A_DIALECT),
    ("DATABASE_URL", "sqlite+aiosqlite:///a.db", NOT_A_DIALECT),
    ("DATABASE_URL", "postgresql://a:5432,b:5432/name", NOT_A_DATABASE),
    ("DATABASE_URL", "postgresql:///name?host=a:5432&host=b&port=5432", NO_HOSTS),
    ("DATABASE_URL", "postgresql:///name?host=a,b,c&port=5432,5433", NO_HOSTS),
    ("DATABASE_URL", "postgresql:///name?host=a:port&host=b:port", NO_HOSTS),
    ("DATABASE_URL", "postgresql:///name?host=::1&host=::2", NO_HOSTS),
    ("DATABASE_URL", "sqlite://", NO_FILE),
    ("DATABASE_URL", "sqlite:///:memory:", NO_FILE),
    ("SECRET_KEY", "short", "needs at least 32 characters"),
    ("SECRET_KEY", SECRET + "\udcff", "is not UTF-8 text"),
    ("METRICS_TOKEN", "short", "needs at least 16 characters"),
    ("METRICS_TOKEN", SECRET + "\udcff", "is not UTF-8 text"),
    ("ALLOW_INSECURE", "maybe", "must be true or false"),
    ("ENCRYPTION_KEYS", "nonsense", "key 1 is not a Fernet key"),
    ("ENCRYPTION_KEYS", f"{KEY},n\u00f6", "key 2 is not a Fernet key"),
    ("ENCRYPTION_KEYS", f"{KEY},{KEY[:-2]}", "key 2 is not a Fernet key"),
    ("ENCRYPTION_KEYS", f"{KEY}\n{OLDER_KEY}", "key 1 is not a Fernet key"),
    ("ENCRYPTION_KEYS", f"{OLDER_KEY},{KEY} {OLDER_KEY}", "key 2 is not a Fernet key"),
    ("ENCRYPTION_KEYS", " , ", "names no key"),
    ("THREADS", "0", NOT_A_NUMBER),
    ("THREADS", "513", NOT_A_NUMBER),
    ("THREADS", "-1", NOT_A_NUMBER),
    ("THREADS", "many", NOT_A_NUMBER),
    ("THREADS", "1.5", NOT_A_NUMBER),
    ("WEBHOOK_ALLOW_LOOPBACK", "yes", "must be true or false"),
    ("WEBHOOK_ALLOW_LOOPBACK", "1", "must be true or false"),
    ("MESSAGE_RETENTION_DAYS", "89", NOT_DAYS),
    ("MESSAGE_RETENTION_DAYS", "3651", NOT_DAYS),
    ("MESSAGE_RETENTION_DAYS", "a year", NOT_DAYS),
    ("SMTP_URL", "mail.example.com", NOT_SMTP),
    ("SMTP_URL", "https://mail.example.com", NOT_SMTP),
    ("SMTP_URL", "smtp://mail.example.com:port", NOT_SMTP),
    ("SMTP_URL", "smtp://mail.example.com/box", NOT_SMTP),
    ("SMTP_URL", "smtp://mail.example.com:0", NOT_SMTP),
    ("SMTP_URL", "smtp://mail.example.com:", NOT_SMTP),
    ("SMTP_URL", "smtp://key#1:secret@mail.example.com", NOT_SMTP),
    ("SMTP_URL", "smtp://bp:#pass@mail.example.com:587", NOT_SMTP),
    ("SMTP_URL", "smtp://bp:p%C3%A4ss@mail.example.com", NOT_ASCII_MAIL),
    ("SMTP_URL", "smtp://m\u00e4il.example.com", NOT_ASCII_MAIL),
    ("SMTP_FROM", "alerts", NO_ADDRESSES),
    ("SMTP_FROM", "\u00e4lerts@example.com", NO_ADDRESSES),
    ("SMTP_FROM", "a@example.com, b@example.com", NO_ADDRESSES),
    ("ALERT_EMAILS", "a@example.com, b", NO_ADDRESSES),
    ("ALERT_EMAILS", "Ops <a@example.com>", NO_ADDRESSES),
    ("ALERT_EMAILS", ",", NO_ADDRESSES),
    ("DATABASE_POOLER", "session", "must be none or transaction"),
]
NOT_PLAIN_NUMBERS = (
    *("1_0", "\u0661\u0660", "\uff11\uff10", "+5", " 5", "5 ", "1e3", "0x10", "5.0", "-5", "0"),
    *("9" * 20, "9" * 5000, "\u00b2"),
)
MAIL = {
    "SMTP_URL": "smtp://bp:p%40ss@mail.example.com",
    "SMTP_FROM": "alerts@example.com",
    "ALERT_EMAILS": "ops@example.com, me@example.com",
}
ANYTHING_GOES: set[str] = set()
GO_TOGETHER = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")


def test_every_setting_is_tried_with_a_wrong_value() -> None:
    assert {name for name, _, _ in WRONG} | ANYTHING_GOES | set(GO_TOGETHER) == set(SETTING_NAMES)


def test_mail_needs_a_server_and_a_sender_but_no_recipients_of_alerts(tmp_path: Path) -> None:
    """Break: let the three go together again, and links are mailed only where alerts are."""
    both = ("SMTP_URL", "SMTP_FROM")
    for alone, other in (both, reversed(both)):
        for recipients in ({}, {"ALERT_EMAILS": "ops@example.com"}):
            assert problems(tmp_path, **{alone: MAIL[alone]}, **recipients) == [
                f"BORDERPOST_{other}: is not set: SMTP_URL, SMTP_FROM go together"
            ]
    assert problems(tmp_path, ALERT_EMAILS="ops@example.com") == [
        "BORDERPOST_ALERT_EMAILS: needs SMTP_URL and SMTP_FROM too"
    ]
    without = load(tmp_path, **{name: MAIL[name] for name in both}).mail
    assert without is not None
    assert (without.sender, without.alert_recipients) == ("alerts@example.com", ())


def test_mail_is_read_from_its_settings(tmp_path: Path) -> None:
    found = load(tmp_path, **MAIL).mail
    assert found == MailServer(
        "mail.example.com",
        587,
        "alerts@example.com",
        ("ops@example.com", "me@example.com"),
        user="bp",
        password="p@ss",
    )
    assert "p@ss" not in repr(found)
    implicit = load(tmp_path, **(MAIL | {"SMTP_URL": "smtps://mail.example.com"})).mail
    here = load(tmp_path, **(MAIL | {"SMTP_URL": "smtp://127.0.0.1:25"})).mail
    assert implicit is not None
    assert here is not None
    assert (implicit.port, implicit.is_tls, implicit.needs_starttls) == (465, True, False)
    assert (here.port, here.is_tls, here.needs_starttls) == (25, False, False)


@pytest.mark.parametrize("alone", GO_TOGETHER)
def test_an_identity_provider_needs_all_three_settings(tmp_path: Path, alone: str) -> None:
    assert problems(tmp_path, **{alone: "https://id.example.com"}) == [
        f"BORDERPOST_{name}: is not set: {', '.join(GO_TOGETHER)} go together"
        for name in GO_TOGETHER
        if name != alone
    ]


def test_issuer_that_is_not_a_url_is_reported(tmp_path: Path) -> None:
    given = dict.fromkeys(GO_TOGETHER, "id.example.com")
    assert problems(tmp_path, **given) == [f"BORDERPOST_OIDC_ISSUER: {NOT_A_URL}"]


def test_a_number_is_ascii_digits_in_every_setting(tmp_path: Path) -> None:
    """Breaks when `int` reads one: `int(self._environ[name])` in `_plain_number`."""
    for text in NOT_PLAIN_NUMBERS:
        for name in ("THREADS", "MESSAGE_RETENTION_DAYS"):
            (problem,) = problems(tmp_path, **{name: text})
            assert problem.startswith(f"BORDERPOST_{name}: must be a whole number from ")
        for name, most in (("WEB_CONCURRENCY", 512), ("PORT", 65535)):
            with pytest.raises(SettingsError) as wrong:
                load_settings(ENOUGH | {name: text}, tmp_path)
            assert wrong.value.problems == [f"{name}: must be a whole number from 1 to {most}"]
        (problem,) = problems(tmp_path, BIND=f"0.0.0.0:{text}")
        assert problem == "BORDERPOST_BIND: must end in a port from 1 to 65535: 0.0.0.0:8000"
        for url in (f"postgresql://host:{text}/name", f"postgresql:///name?host=h&port={text}"):
            (problem,) = problems(tmp_path, DATABASE_URL=url)
            assert problem.startswith("BORDERPOST_DATABASE_URL: "), url


def test_where_gunicorn_listens_and_with_how_many_processes(tmp_path: Path) -> None:
    def loaded(**given: str) -> tuple[str, int]:
        found = load_settings(ENOUGH | given, tmp_path)
        return found.bind, found.processes

    assert loaded() == ("127.0.0.1:8000", 1)
    assert loaded(PORT="9000", WEB_CONCURRENCY="3") == ("127.0.0.1:9000", 3)
    for bind in (
        "0.0.0.0:80",
        "[::]:80",
        "unix:/run/a:b.sock",
        "fd://3",
        "a:1,[::1]:2",
    ):
        assert loaded(BORDERPOST_BIND=bind, PORT="9000") == (bind, 1)
    for bind in ("localhost", "8000", "[::1]", "a:1,b", "a:1,", "::", "unix:", "a:1,fd://"):
        (problem,) = problems(tmp_path, BIND=bind)
        assert problem == "BORDERPOST_BIND: must end in a port from 1 to 65535: 0.0.0.0:8000"


@each(("name", "value", "problem"), WRONG)
def test_wrong_setting_is_reported_with_its_name(
    tmp_path: Path, name: str, value: str, problem: str
) -> None:
    assert problems(tmp_path, **((MAIL if name in MAIL else {}) | {name: value})) == [
        f"BORDERPOST_{name}: {problem}"
    ]


def test_missing_secret_is_reported_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as wrong:
        load_settings({}, tmp_path)
    assert wrong.value.problems == [
        "BORDERPOST_SECRET_KEY: is not set: run `borderpost init`, or set it",
        "BORDERPOST_ENCRYPTION_KEYS: is not set: run `borderpost init`, or set it",
    ]


def test_every_problem_is_reported_also_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'colour = "red"\nPUBLIC_URL = "https://x"\nthreads = [8]\nmetrics_token = true\n'
        'twilio_url = "nowhere"\n'
    )
    wrong = {
        name: value for name, value, _ in reversed(WRONG) if name not in {"TWILIO_URL", "THREADS"}
    }
    found = problems(tmp_path, THREADS="0", **wrong)
    places = [problem.rsplit(": ", 1)[0] for problem in found]
    assert sorted(place.removeprefix(f"{tmp_path}/") for place in places) == sorted(
        [
            *("BORDERPOST_ALERT_EMAILS", "BORDERPOST_SMTP_FROM", "BORDERPOST_SMTP_URL"),
            *("BORDERPOST_DATABASE_POOLER", "BORDERPOST_DATABASE_URL"),
            *("BORDERPOST_ENCRYPTION_KEYS", "BORDERPOST_MESSAGE_RETENTION_DAYS"),
            *("BORDERPOST_PUBLIC_URL", "BORDERPOST_SECRET_KEY", "BORDERPOST_METRICS_TOKEN"),
            *("BORDERPOST_ALLOW_INSECURE", "BORDERPOST_THREADS", "BORDERPOST_TWILIO_URL"),
            *("BORDERPOST_WEBHOOK_ALLOW_LOOPBACK", "config.toml: PUBLIC_URL"),
            *("config.toml: colour", "config.toml: metrics_token", "config.toml: threads"),
        ]
    )


@pytest.mark.parametrize(
    "content",
    [
        *(b"public_url = ", b"\xff\xfe", b"threads = 1\nthreads = 2\n", b"[x\n"),
        *(b"threads = " + b"1" * 5000, b"threads = " + b"[" * 100_000),
    ],
    ids=range(6),
)
def test_unreadable_file_is_reported_with_the_other_problems(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    found = problems(tmp_path, THREADS="0")
    assert len(found) == 2
    assert found[0].startswith(f"{tmp_path}/config.toml: cannot be read: ")


def test_unreadable_secrets_file_is_reported_with_the_other_problems(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_bytes(b"BORDERPOST_SECRET_KEY=\xff\n")
    (tmp_path / "secrets.env").chmod(0o600)
    found = problems(tmp_path, THREADS="0")
    assert len(found) == 2
    assert found[0].startswith(f"{tmp_path}/secrets.env: cannot be read: ")


def test_secrets_that_cannot_be_read_are_not_reported_as_missing(tmp_path: Path) -> None:
    """Break: leave out `unread`: the remedy `borderpost init` does not help."""
    (tmp_path / "secrets.env").mkdir(mode=0o700)
    of_file = f"{tmp_path}/secrets.env: cannot be read: Is a directory"
    (tmp_path / "config.toml").mkdir()
    of_config = f"{tmp_path}/config.toml: cannot be read: Is a directory"
    with pytest.raises(SettingsError) as wrong:
        load_settings({}, tmp_path)
    assert wrong.value.problems == [of_config, of_file]
    named = {"BORDERPOST_SECRET_KEY_FILE": str(tmp_path)}
    with pytest.raises(SettingsError) as wrong:
        load_settings(named | {"BORDERPOST_ENCRYPTION_KEYS": KEY}, tmp_path / "other")
    assert wrong.value.problems == ["BORDERPOST_SECRET_KEY_FILE: cannot be read: Is a directory"]


def test_no_problem_repeats_a_secret(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        SECRET_KEY="planted-secret",
        ENCRYPTION_KEYS="planted-key",
        DATABASE_URL="mysql://user:planted-password@host/name",
        PUBLIC_URL="https://user:planted-password@host",
    )
    assert "planted" not in "".join(found)


def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    """Break: a mistyped address would leave the default in force, silently."""
    given = {"PUBLICURL": "https://sms.example.com", "COLOR": "red", "SECRET_KEY_FILES": "x"}
    of_others = {"SERVICE_HOST": "10.0.0.1", "PORT_8000_TCP": "tcp://10.0.0.1:8000"}
    assert load(tmp_path, **given, **of_others).warnings == (
        "BORDERPOST_COLOR: no such setting",
        "BORDERPOST_PUBLICURL: no such setting; did you mean BORDERPOST_PUBLIC_URL?",
        "BORDERPOST_SECRET_KEY_FILES: no such setting; did you mean BORDERPOST_SECRET_KEY_FILE?",
    )
