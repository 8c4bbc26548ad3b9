"""Policy files in JSON, TOML and CSV: the country map, in JSON and TOML also rules. Pure."""

import csv
import io
import json
from enum import StrEnum
from typing import Any

from app.provisioning.file import parse_text
from app.provisioning.problems import THE_FILE, FileProblem, FileRefused

_COLUMNS = ("code", "status")


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    TOML = "toml"


def write_document(document: dict[str, Any], form: Format) -> str:
    """Format a policy; rules are written in JSON only."""
    if form is Format.JSON:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    destinations = document["destinations"]
    if form is Format.TOML:
        lines = (f'{code} = "{status}"\n' for code, status in destinations.items())
        return "[destinations]\n" + "".join(lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(destinations.items())
    return text.getvalue()


def read_document(content: bytes) -> Any:
    """Parse a policy file by its first line; raises `FileRefused`."""
    first = _first_line(content)
    if not first:
        # An empty file would block every country; it is more likely a mistake.
        raise FileRefused(FileProblem(THE_FILE, "Is empty."))
    if first.startswith("{") or "," not in first or "=" in first:
        return parse_text(content)
    try:
        return {"destinations": _read_csv(content.decode("utf-8-sig"))}
    except UnicodeDecodeError as problem:
        raise FileRefused(FileProblem(THE_FILE, "Is not a text in UTF-8.")) from problem
    except csv.Error as problem:
        raise FileRefused(FileProblem(THE_FILE, f"Is not CSV: {problem}.")) from problem


def _first_line(content: bytes) -> str:
    text = content.decode("utf-8-sig", errors="replace")
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _read_csv(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    rows = csv.reader(io.StringIO(text), strict=True)
    is_first = True
    for cells in rows:
        row = tuple(map(str.strip, cells))
        if not any(row):
            continue
        is_header, is_first = is_first and row == _COLUMNS, False
        if is_header:
            continue
        at = f"line {rows.line_num}"
        if len(row) != len(_COLUMNS):
            raise FileRefused(FileProblem(at, f"Must be {','.join(_COLUMNS)}."))
        code, status = row
        if found.setdefault(code, status) != status:
            raise FileRefused(FileProblem(at, f"{code} is listed twice, with different statuses."))
    return found
