"""The page about settings names every variable of the code, and no other."""

import re
from pathlib import Path

from app.application import declared_endpoints
from app.setting_sources import SECRET_NAMES, SETTING_NAMES, VARIABLE_PREFIX

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# Read by gunicorn.conf.py, by the Makefile, or before the settings.
_ENVIRONMENT_ONLY = {"BORDERPOST_INSTANCE", "BORDERPOST_BIND", "PORT", "WEB_CONCURRENCY"}


def _rows() -> dict[str, str]:
    table, _, _ = PAGE.partition("\n## ")
    return dict(re.findall(r"^\| `([A-Z_]+)` \|(.*)$", table, re.MULTILINE))


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    """Break: add a name to `SETTING_NAMES` in `app/setting_sources.py`."""
    rows = _rows()
    assert set(rows) == {VARIABLE_PREFIX + name for name in SETTING_NAMES} | _ENVIRONMENT_ONLY
    assert {name for name, text in rows.items() if "*file*" in text} == {
        VARIABLE_PREFIX + name for name in SECRET_NAMES
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
    wsgi |= {"CONTENT_TYPE", "CONTENT_LENGTH", "QUERY_STRING", "SERVER_PROTOCOL"}
    headers = {name for name in read if name.startswith("HTTP_")}
    assert {name for name in read - known - wsgi - headers if not name.endswith("_FILE")} == set()


def test_every_address_that_is_no_api_has_a_row() -> None:
    _, _, below = PAGE.partition("\n## Addresses")
    addresses = set(re.findall(r"`(/[^`]*)`", below))
    served = {one.path for one in declared_endpoints() if one.tag in _SERVED_TAGS}
    assert served - addresses == set()


_SERVED_TAGS = {"Operations", "Twilio webhooks"}
