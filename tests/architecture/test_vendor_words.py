"""What is known of one provider stands in its adapter: its hosts, codes and statuses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.providers.port import Status
from app.providers.twilio.codes import _BY_CODE, _STATUSES, ERROR_CODES

APP = Path(__file__).resolve().parents[2] / "app"
# The emulator is a Twilio that runs here; a migration keeps what it once wrote.
ELSEWHERE = ("providers/twilio/", "emulator/", "db/migrations/", "web/vendored/")
CODES = {str(code) for code in (*_BY_CODE, *ERROR_CODES.meanings)}
WORDS = _STATUSES.keys() - {*Status, "read"}
# An example in the description of the API.
ALLOWED = {("web/openapi_examples.py", "21612")}


def literals(path: Path) -> Iterator[str]:
    """The literals of a module that are no docstring, and the whole text of a template."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
            yield str(node.value)


def test_only_its_adapter_knows_facts_about_twilio() -> None:
    """Break: write 21408 into a page of the console."""
    pattern = re.compile(rf"twilio\.com|(?<![\d.+])(?:{'|'.join(CODES)})(?!\d)")
    found = set()
    for path in sorted([*APP.rglob("*.py"), *APP.rglob("*.html")]):
        name = path.relative_to(APP).as_posix()
        if not name.startswith(ELSEWHERE):
            for text in literals(path):
                found |= {(name, one) for one in pattern.findall(text)}
                found |= {(name, text)} if text in WORDS else set()
    assert found - ALLOWED == set()
