"""`users`: users are created, listed, disabled and reset; passwords are shown once."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.access.tables import audit_events
from app.db.engine import Database
from app.users.passwords import is_password
from app.users.store import find_users
from app.users.tables import users
from support.commands import Run

pytestmark = pytest.mark.one_engine

ADA = ("--email", "Ada@Example.com", "--name", "Ada Example")


@pytest.fixture(autouse=True)
def _acme(run: Run, acme: Path) -> None:
    """The organization Acme with its workspace Retail."""
    run("apply", str(acme))


def rows_of(database: Database, table: Any) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def create(run: Run, *arguments: str, stdin: str | None = None) -> Any:
    result = run("users", "create", *arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def has_password(database: Database, password: str) -> bool:
    with database.reading() as connection:
        [user] = find_users(connection, "ada@example.com")
    return is_password(user.password_hash, password)


def test_a_generated_password_works_and_is_shown_once(run: Run, database: Database) -> None:
    made = create(run, *ADA, "--role", "owner")
    password = made.pop("password")
    assert has_password(database, password)
    assert made["email"] == "ada@example.com"
    assert made["roles"] == [{"role": "owner", "workspace": None}]
    assert json.loads(run("users", "list", "--json").stdout)["users"] == [made]
    assert password not in run("users", "list").output
    shown = run("users", "create", "--email", "b@example.com", "--role", "viewer").stdout
    assert "password (shown once): " in shown


def test_a_person_may_belong_to_workspaces(run: Run) -> None:
    made = create(run, *ADA, "--role", "admin", "--workspace", "Retail")
    assert [of["workspace"]["name"] for of in made["roles"]] == ["Retail"]
    assert "Ada Example (admin in Retail)" in run("users", "list").stdout


def test_a_password_may_come_from_standard_input_or_not_at_all(
    run: Run, database: Database
) -> None:
    given = create(
        run, *ADA, "--role", "viewer", "--password-stdin", stdin="correct horse battery\n"
    )
    assert given["password"] is None
    assert has_password(database, "correct horse battery")
    none = create(run, "--email", "b@example.com", "--role", "viewer", "--no-password")
    assert (none["password"], none["has_password"]) == (None, False)
    both = ("--password-stdin", "--no-password")
    assert run("users", "create", *ADA, "--role", "viewer", *both).exit_code == 64


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected_text"),
    [
        (("--email", "ada"), None, "error: email: Must be an e-mail address"),
        (("--email", "first@example.com"), None, "error: email: Another user has this address"),
        ((*ADA, "--password-stdin"), "short\n", "error: password: Must have 12 to 200 characters"),
        ((*ADA, "--workspace", "Nowhere"), None, "error: there is no workspace Nowhere"),
    ],
)
def test_mistakes_are_reported_and_no_user_is_created(
    run: Run, database: Database, arguments: tuple[str, ...], stdin: str | None, expected_text: str
) -> None:
    create(run, "--email", "first@example.com", "--role", "viewer")
    result = run("users", "create", *arguments, "--role", "viewer", stdin=stdin)
    assert (result.exit_code, expected_text in result.stderr) == (1, True), result.stderr
    assert len(rows_of(database, users)) == 1


def test_a_disabled_person_stays_listed_and_may_be_reset(run: Run, database: Database) -> None:
    create(run, *ADA, "--role", "owner")
    create(run, "--email", "bo@example.com", "--role", "owner")
    assert "disabled" in run("users", "disable", "ada@example.com").stdout
    assert "already disabled" in run("users", "disable", "ADA@example.com").stdout
    assert "ada@example.com  disabled" in run("users", "list").stdout
    reset = json.loads(run("users", "reset", "ada@example.com", "--json").stdout)
    assert reset["disabled_at"] is None
    assert has_password(database, reset["password"])
    assert run("users", "disable", "nobody@example.com").exit_code == 1
    done = [row["action"] for row in rows_of(database, audit_events)]
    assert [one for one in done if one.startswith("user.")] == [
        "user.created",
        "user.created",
        "user.disabled",
        "user.reset",
    ]


def test_the_last_owner_of_the_organization_is_not_disabled(run: Run, database: Database) -> None:
    create(run, *ADA, "--role", "owner")
    result = run("users", "disable", "ada@example.com")
    expected_text = "error: This is the only owner of the whole organization"
    assert (result.exit_code, expected_text in result.stderr) == (1, True), result.stderr
    assert rows_of(database, users)[0]["disabled_at"] is None
