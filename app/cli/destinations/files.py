"""`destinations set`, `diff`, `export` and `import`: the policy as a file."""

import csv
import io
import json
from enum import StrEnum
from functools import partial
from typing import Any

import click

from app.cli.destinations.change import (
    ChangeOptions,
    acknowledge_option,
    change_lines,
    change_options,
    change_policy,
    destinations_group,
    opened_workspace,
    rule_lines,
    workspace_option,
)
from app.cli.group import echo_result, json_option, read_input
from app.destinations import changes
from app.destinations.api.document import (
    PolicyDocument,
    WantedPolicy,
    document_of,
    rules_difference,
)
from app.destinations.api.schemas import MapBody, WantedMap
from app.destinations.import_export import import_document, plan_import
from app.destinations.policy.state import problems_of_map
from app.kernel.errors import Problems
from app.provisioning.file import parse_text, refused
from app.web.bodies import load

_COLUMNS = ("code", "status")
_DIFFERS = 2
_file = click.argument("file")


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


def load_policy(schema: MapBody | PolicyDocument, content: bytes) -> Any:
    """Load a policy file; raises `FileRefused` or `ValidationFailed`."""
    problems = Problems()
    document = _read_document(content, problems)
    found = problems.catch(partial(load, schema, document))
    if found is not None and problems.found():
        # The change, which checks the codes, is not reached.
        for path, texts in problems_of_map(found.destinations, frozenset()).items():
            for text in texts:
                problems.add(path, text)
    problems.refuse()
    return found


def _read_document(content: bytes, problems: Problems) -> Any:
    """The first line shows the form."""
    first = _first_line(content)
    if not first:
        # An empty file would block every country; it is more likely a mistake.
        raise refused("Is empty.")
    if first.startswith("{") or "," not in first or "=" in first:
        return parse_text(content)
    try:
        return {"destinations": _read_csv(content.decode("utf-8-sig"), problems)}
    except UnicodeDecodeError as problem:
        raise refused("Is not a text in UTF-8.") from problem
    except csv.Error as problem:
        raise refused(f"Is not CSV: {problem}.") from problem


def _first_line(content: bytes) -> str:
    text = content.decode("utf-8-sig", errors="replace")
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _read_csv(text: str, problems: Problems) -> dict[str, str]:
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
            problems.add(at, f"Must be {','.join(_COLUMNS)}.")
            continue
        code, status = row
        if found.setdefault(code, status) != status:
            problems.add(at, f"{code} is listed twice, with different statuses.")
    return found


@destinations_group.command("set")
@_file
@acknowledge_option
@change_options
def set_command(*, file: str, acknowledged: tuple[str, ...], options: ChangeOptions) -> None:
    """Replace the whole country map with FILE; absent countries are blocked.

    FILE is JSON, {"destinations": {"US": "allowed"}}, the same in TOML, or CSV with a line
    US,allowed for each country; - reads standard input. Contradicting rules for a whole country are
    removed; rules for prefixes and numbers stay.
    """
    wanted: WantedMap = load_policy(MapBody(), read_input(file))
    risks = {*acknowledged, *wanted.acknowledge_high_risk}
    change_policy(changes.ReplaceMap(wanted.destinations, risks), options)


@destinations_group.command("import")
@_file
@acknowledge_option
@change_options
def import_command(*, file: str, acknowledged: tuple[str, ...], options: ChangeOptions) -> None:
    """Make the policy match FILE, as `export` wrote it; - reads standard input.

    If FILE has rules (JSON), they replace all rules; without, it works as `set`.
    """
    wanted: WantedPolicy = load_policy(PolicyDocument(), read_input(file))
    change_policy(import_document(wanted, acknowledged), options)


@destinations_group.command("diff")
@_file
@workspace_option
@json_option
def diff_command(*, file: str, workspace: str | None) -> None:
    """Print what `import FILE` would change: exits 0 if nothing, 2 if something.

    While the workspace inherits, it compares with the inherited policy.
    """
    wanted: WantedPolicy = load_policy(PolicyDocument(), read_input(file))
    with opened_workspace(workspace) as opened, opened.services.database.reading() as connection:
        effective = opened.effective(connection)
        difference = plan_import(connection, effective, wanted, opened.now)
    rules = rules_difference(effective.state, difference.after)
    changed = [change.as_json() for change in difference.changes]
    shown = {"revision": effective.revision, "changes": changed, "rules": rules.as_json()}
    echo_result(shown, (*change_lines(difference.changes), *rule_lines(rules)))
    click.get_current_context().exit(_DIFFERS if difference.changes or rules else 0)


@destinations_group.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    default=Format.JSON.value,
    show_default=True,
    help="Only JSON includes the rules.",
)
@workspace_option
def export_command(*, form: str, workspace: str | None) -> None:
    """Print the effective policy, for `import`, `set` and `diff`.

    The same policy always gives the same text.
    """
    with opened_workspace(workspace) as opened:
        document = document_of(opened.effective().state, opened.now)
    click.echo(write_document(document, Format(form)), nl=False)
    if document["rules"] and form != Format.JSON:
        click.echo(f"{len(document['rules'])} rules are not included: use JSON for rules", err=True)
