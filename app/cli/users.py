"""`users`: people who sign in to the console. A generated password is printed once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import Connection

from app.access.principal import Role
from app.cli.context import (
    command_change,
    find_scope,
    id_of_organization,
    organization_option,
    ready_database,
)
from app.cli.group import CommandFailure, borderpost, described, echo_result, json_option
from app.db.rows import AnyRow
from app.kernel.clock import rfc3339, utc_now
from app.kernel.errors import ValidationFailed
from app.users.manage import NewUser, create_user, disable_user, reset_user
from app.users.passwords import choose_password, generate_password
from app.users.store import UserDetails, find_users, load_user_details, load_users

_from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


def user_as_json(user: UserDetails) -> dict[str, Any]:
    """``workspace`` is null for a role in all of them."""
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": [
            {
                "role": of.role,
                "workspace": None
                if of.workspace_id is None
                else {"id": str(of.workspace_id), "name": of.workspace_name},
            }
            for of in user.memberships
        ],
        "has_password": user.has_password,
        "has_second_factor": user.has_second_factor,
        "disabled_at": rfc3339(user.disabled_at),
        "created_at": rfc3339(user.created_at),
        "last_sign_in_at": rfc3339(user.last_sign_in_at),
    }


def user_line(shown: dict[str, Any]) -> str:
    roles = ", ".join(
        f"{of['role']} in {of['workspace']['name'] if of['workspace'] else 'every workspace'}"
        for of in shown["roles"]
    )
    state = "live" if shown["disabled_at"] is None else "disabled"
    factor = ", second factor" if shown["has_second_factor"] else ""
    return f"{shown['email']}  {state:<8}  {shown['name']} ({roles}{factor})"


@borderpost.group("users")
def users_group() -> None:
    """People who sign in to the console."""


@users_group.command("create")
@click.option("--email", required=True, help="The address to sign in with.")
@click.option("--name", help="Display name. Default: the e-mail address.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="NAME|ID",
    help="A workspace of the user; may be repeated. Default: the whole organization.",
)
@organization_option
@_from_stdin
@click.option("--no-password", is_flag=True, help="Sign in through the identity provider only.")
@json_option
def create_command(
    *,
    email: str,
    name: str | None,
    role: str,
    workspaces: tuple[str, ...],
    organization: str | None,
    password_stdin: bool,
    no_password: bool,
) -> None:
    """Create a user; without --password-stdin a password is generated and printed."""
    if no_password and password_stdin:
        raise click.UsageError("--no-password and --password-stdin exclude each other.")
    password = None if no_password else _password(from_stdin=password_stdin)
    chosen = None if password is None else choose_password(password, email)
    with ready_database() as database, database.writing() as connection:
        organization_id, ids = find_scope(connection, workspaces, organization)
        new = NewUser(
            organization_id=organization_id,
            email=email,
            name=name or email.strip(),
            roles=dict.fromkeys(ids, Role(role)),
            password=chosen,
        )
        with _failures_by_name():
            create_user(command_change(connection, utc_now()), new)
        shown = _shown(connection, _user(connection, email, str(organization_id)))
    _echo_user(shown, None if password_stdin else password)


@users_group.command("list")
@organization_option
@json_option
def list_command(organization: str | None) -> None:
    """List users, oldest first, with roles and status."""
    with ready_database() as database, database.reading() as connection:
        people = load_users(connection, id_of_organization(connection, organization))
    shown = [user_as_json(user) for user in people]
    echo_result({"users": shown}, map(user_line, shown))


@users_group.command("disable")
@click.argument("email")
@organization_option
@json_option
def disable_command(email: str, organization: str | None) -> None:
    """Disable a user from the next request on; their sessions end.

    The only owner of the organization cannot be disabled.
    """
    with ready_database() as database, database.writing() as connection:
        user = _user(connection, email, organization)
        with _failures_by_name():
            is_new = disable_user(command_change(connection, utc_now()), user)
    line = f"{user.email}: {'disabled' if is_new else 'already disabled'}"
    echo_result({"id": str(user.id), "email": user.email, "disabled": is_new}, [line])


@users_group.command("reset")
@click.argument("email")
@organization_option
@_from_stdin
@json_option
def reset_command(email: str, organization: str | None, password_stdin: bool) -> None:
    """Set a new password and reset the user.

    Removes second factor, lock-out and sessions, and enables a disabled user.
    """
    password = _password(from_stdin=password_stdin)
    chosen = choose_password(password, email)
    with ready_database() as database, database.writing() as connection:
        user = _user(connection, email, organization)
        with _failures_by_name():
            reset_user(command_change(connection, utc_now()), user, chosen)
        shown = _shown(connection, _user(connection, email, organization))
    _echo_user(shown, None if password_stdin else password)


def _password(*, from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else generate_password()


def _user(connection: Connection, email: str, organization: str | None) -> AnyRow:
    found = find_users(connection, email, id_of_organization(connection, organization))
    if not found:
        raise CommandFailure(f"there is no user {email}")
    if len(found) > 1:
        raise CommandFailure(
            f"{email} has accounts in several organizations: name one, --organization"
        )
    return found[0]


def _shown(connection: Connection, user: AnyRow) -> dict[str, Any]:
    return user_as_json(load_user_details(connection, user.organization_id, user.id))


@contextmanager
def _failures_by_name() -> Iterator[None]:
    """Name the options, and not the places of a body."""
    try:
        yield
    except ValidationFailed as wrong:
        lines = (line.removeprefix("$: ").removeprefix("$.") for line in described(wrong))
        raise CommandFailure(*lines) from wrong


def _echo_user(shown: dict[str, object], password: str | None) -> None:
    secret = [] if password is None else [f"password (shown once): {password}"]
    lost = f"nobody has the new password: run `borderpost users reset {shown['email']}`"
    echo_result(
        shown | {"password": password}, [user_line(shown), *secret], lost if secret else None
    )
