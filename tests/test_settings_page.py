"""The page about settings names every variable of the code, and no other."""

import re
from pathlib import Path

from app.application import declared_endpoints
from app.settings import _NAMES, _SECRETS, VARIABLE_PREFIX

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# Read by gunicorn.conf.py, by the Makefile, or before the settings.
_ENVIRONMENT_ONLY = {"BORDERPOST_INSTANCE", "BORDERPOST_BIND", "PORT", "WEB_CONCURRENCY"}


def _rows() -> dict[str, str]:
    table, _, _ = PAGE.partition("\n## ")
    return dict(re.findall(r"^\| `([A-Z_]+)` \|(.*)$", table, re.MULTILINE))


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    """Break: add a name to `_NAMES` in settings.py."""
    rows = _rows()
    assert set(rows) == {VARIABLE_PREFIX + name for name in _NAMES} | _ENVIRONMENT_ONLY
    assert {name for name, text in rows.items() if "*file*" in text} == {
        VARIABLE_PREFIX + name for name in _SECRETS
    }
    assert {name for name, text in rows.items() if "*environment only*" in text} == (
        _ENVIRONMENT_ONLY
    )


def test_no_other_variable_is_read() -> None:
    read = set()
    for path in [ROOT / "gunicorn.conf.py", ROOT / "wsgi.py", *(ROOT / "app").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r"environ(?:\.get\(|\[)\s*f?\"([A-Z][A-Z_]+)\"", text))
        read |= set(re.findall(r"BORDERPOST_[A-Z_]+", text))
    # Set by the gateway itself, and by the `flask` command.
    known = set(_rows()) | {"PROMETHEUS_MULTIPROC_DIR", "FLASK_RUN_FROM_CLI"}
    wsgi = {"PATH_INFO", "SCRIPT_NAME", "RAW_URI", "REQUEST_URI", "REQUEST_METHOD"}
    wsgi |= {"CONTENT_TYPE", "CONTENT_LENGTH", "QUERY_STRING"}
    headers = {name for name in read if name.startswith("HTTP_")}
    assert {name for name in read - known - wsgi - headers if not name.endswith("_FILE")} == set()


def test_the_example_file_names_every_setting_of_the_file() -> None:
    example = (ROOT / "instance" / "config.example.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"^# ([a-z_]+) = ", example, re.MULTILINE))
    assert named == {name.lower() for name in _NAMES}


def test_every_address_that_is_no_api_has_a_row() -> None:
    _, _, below = PAGE.partition("\n## Addresses")
    addresses = set(re.findall(r"`(/[^`]*)`", below))
    served = {one.path for one in declared_endpoints() if one.tag in _SERVED_TAGS}
    assert served - addresses == set()


_SERVED_TAGS = {"Operations", "Twilio webhooks"}
