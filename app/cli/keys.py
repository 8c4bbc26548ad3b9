"""`keys`: create, list and revoke access keys. A token is printed once."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from app.access.api import render_access_key
from app.access.key_rules import describe_limits, state_of
from app.access.keys import NewAccessKey, absent_use_cases, end_key, issue_key
from app.access.principal import KeyLimits, Role, parse_network
from app.access.store import load_keys
from app.cli.context import (
    command_change,
    find_scope,
    id_of_organization,
    id_of_workspace,
    only_one,
    organization_option,
    ready_database,
)
from app.cli.group import (
    COUNTRY,
    DURATION,
    TIME,
    ReadParam,
    WholeNumberParam,
    borderpost,
    echo_result,
    expiry,
    json_option,
    options_of,
)
from app.db.rows import AnyRow
from app.kernel.clock import rfc3339, utc_now
from app.kernel.ids import mistake_in_name, parse_id
from app.kernel.rates import MOST_BURST, MOST_PER_SECOND, rate_of

_NETWORK = ReadParam(
    "CIDR", parse_network, "must be a network in CIDR notation, such as 203.0.113.0/24."
)
_workspace = click.option("--workspace", metavar="NAME|ID", help="The workspace.")
_limit_options = options_of(
    click.option("--rate", type=WholeNumberParam(1, MOST_PER_SECOND), help="Requests per second."),
    click.option("--burst", type=WholeNumberParam(1, MOST_BURST), help="Requests at once."),
    click.option("--use-case", multiple=True, metavar="ID", help="Limits it to this use case."),
    click.option("--country", multiple=True, type=COUNTRY, help="Limits it to this country."),
    click.option(
        "--source-network", multiple=True, type=_NETWORK, help="Limits it to this network."
    ),
)


def key_as_json(key: AnyRow, now: datetime) -> dict[str, Any]:
    """``workspace`` is null for a key of the organization."""
    shown = render_access_key(key, now)
    organization = {"id": shown.pop("organization_id"), "name": key.organization_name}
    workspace_id = shown.pop("workspace_id")
    workspace = None if workspace_id is None else {"id": workspace_id, "name": key.workspace_name}
    return shown | {"organization": organization, "workspace": workspace}


def key_line(key: AnyRow, now: datetime) -> str:
    scope = key.organization_name
    if key.workspace_id is not None:
        scope += f" / {key.workspace_name}"
    state = state_of(key.revoked_at, key.expires_at, now)
    ends = f", until {rfc3339(key.expires_at)}" if key.expires_at is not None else ""
    line = f"{key.id}  {key.role:<6}  {state:<7}  {key.name} ({scope}{ends})"
    return "; ".join([line, *_details(key)])


def _details(key: AnyRow) -> Iterator[str]:
    for label, text in describe_limits(key):
        yield f"{label}: {text}"
    if key.last_used_at is not None:
        yield f"last used {rfc3339(key.last_used_at)} from {key.last_used_address}"


@borderpost.group("keys")
def keys_group() -> None:
    """Access keys of organizations and workspaces."""


@keys_group.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@_workspace
@organization_option
@click.option("--expires-at", type=TIME, help="When the key expires.")
@click.option("--expires-in", type=DURATION, help="How long the key is valid, for example 90d.")
@_limit_options
@json_option
def create_command(
    *,
    name: str,
    role: str,
    workspace: str | None,
    organization: str | None,
    expires_at: datetime | None,
    expires_in: timedelta | None,
    **given: Any,
) -> None:
    """Create a key for one workspace, or for an organization and all its workspaces.

    The token is printed only once. The default rate is 100 requests per second with a burst of
    twice as many. Options that limit the key may be repeated.
    """
    wrong = mistake_in_name(name)
    if wrong is not None:
        raise click.BadParameter(wrong, param_hint="--name")
    # Wrong usage is reported before the database is opened.
    expiry(utc_now(), expires_at, expires_in)
    with ready_database() as database, database.writing() as connection:
        now = utc_now()
        ends_at = expiry(now, expires_at, expires_in)
        chosen = [] if workspace is None else [workspace]
        organization_id, (workspace_id,) = find_scope(connection, chosen, organization)
        new = NewAccessKey(
            name,
            Role(role),
            workspace_id,
            ends_at,
            rate_of(given["rate"], given["burst"]),
            _limits(connection, organization_id, workspace_id, given),
        )
        made = issue_key(command_change(connection, now), organization_id, new)
        stored = load_keys(connection, organization_id, workspace_id)
        row = next(row for row in stored if row.id == made.row.id)
    lines = [key_line(row, now), f"token (shown once): {made.token}"]
    lost = f"the key exists, and nobody has its token: run `borderpost keys revoke {row.id}`"
    echo_result(key_as_json(row, now) | {"token": made.token}, lines, lost)


@keys_group.command("list")
@_workspace
@organization_option
@json_option
def list_command(workspace: str | None, organization: str | None) -> None:
    """List keys, oldest first, with role and status."""
    with ready_database() as database, database.reading() as connection:
        now = utc_now()
        organization_id = id_of_organization(connection, organization)
        workspace_id = id_of_workspace(connection, workspace, organization_id)
        rows = load_keys(connection, organization_id, workspace_id)
    shown = {"access_keys": [key_as_json(row, now) for row in rows]}
    echo_result(shown, (key_line(row, now) for row in rows))


@keys_group.command("revoke")
@click.argument("key", metavar="ID|NAME")
@_workspace
@json_option
def revoke_command(key: str, workspace: str | None) -> None:
    """Revoke a key, from the next request on. A name must match one active key."""
    with ready_database() as database, database.writing() as connection:
        rows = load_keys(connection, None, id_of_workspace(connection, workspace))
        key_id = parse_id(key)
        if key_id is not None:
            named = [row for row in rows if row.id == key_id]
        else:
            named = [row for row in rows if row.name == key and row.revoked_at is None]
        found = only_one(named, "access key", key)
        is_new = end_key(command_change(connection, utc_now()), found)
    line = f"{found.id}  {found.name}: {'revoked' if is_new else 'already revoked'}"
    shown = {"id": str(found.id), "name": found.name, "revoked": is_new}
    echo_result(shown, [line])


def _limits(
    connection: Connection,
    organization_id: UUID,
    workspace_id: UUID | None,
    given: Mapping[str, Any],
) -> KeyLimits:
    ids = {text: parse_id(text) for text in given["use_case"]}
    known = {one for one in ids.values() if one is not None}
    absent = absent_use_cases(connection, organization_id, workspace_id, known)
    for text, found in ids.items():
        if found is None or found in absent:
            raise click.BadParameter(f"There is no use case {text}.", param_hint="--use-case")
    return KeyLimits(
        frozenset(known) or None,
        frozenset(given["country"]) or None,
        given["source_network"] or None,
    )
