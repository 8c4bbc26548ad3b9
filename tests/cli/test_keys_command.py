"""`keys`: a token is printed once; names and ids name what is meant, or the command says so."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from app.access.principal import hash_token, is_well_formed
from app.access.store import load_key
from app.access.tables import audit_events
from app.db.engine import Database
from app.db.types import metadata
from app.kernel.clock import parse_rfc3339
from support.commands import Run
from support.each import each

pytestmark = pytest.mark.one_engine

NOW = "2030-01-01T00:00:00Z"
USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the time at which commands run."""

    def run_at(text: str) -> None:
        for command in ("setup", "keys"):
            monkeypatch.setattr(f"app.cli.{command}.utc_now", lambda: parse_rfc3339(text))

    return run_at


@pytest.fixture(autouse=True)
def _acme(run: Run, acme: Path, at: Callable[[str], None]) -> None:
    """The organization Acme with its workspace Retail, at a fixed time."""
    at(NOW)
    run("apply", str(acme))


def create(run: Run, *arguments: str) -> Any:
    result = run("keys", "create", "--name", "ci", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def listed(run: Run, *arguments: str) -> dict[str, Any]:
    found = json.loads(run("keys", "list", "--json", *arguments).stdout)["access_keys"]
    return {key["name"]: key for key in found}


def test_the_token_works_and_is_printed_once(run: Run, database: Database) -> None:
    made = create(run, "--role", "sender", "--workspace", "Retail", "--expires-in", "90d")
    token = made.pop("token")
    with database.reading() as connection:
        stored = load_key(connection, hash_token(token))
    assert stored is not None
    assert str(stored.principal.key_id) == made["id"]
    assert listed(run)["ci"] == made
    assert made["expires_at"] == "2030-04-01T00:00:00.000Z"
    assert token not in run("keys", "list").output
    assert token not in run("keys", "list", "--json").output


def test_people_see_the_key_and_its_token(run: Run) -> None:
    result = run("keys", "create", "--name", "ci", "--role", "viewer", "--workspace", "Retail")
    line, token = result.stdout.splitlines()
    assert line == f"{listed(run)['ci']['id']}  viewer  live     ci (Acme / Retail)"
    assert is_well_formed(token.removeprefix("token (shown once): "))


def test_a_key_of_the_only_organization_needs_no_name_of_it(run: Run) -> None:
    made = create(run, "--role", "admin")
    assert (made["organization"]["name"], made["workspace"]) == ("Acme", None)
    with_id = create(run, "--role", "admin", "--organization", made["organization"]["id"])
    assert with_id["organization"] == made["organization"]


def test_of_several_organizations_one_must_be_named(run: Run) -> None:
    other = {
        "organization": {"name": "Other"},
        "workspaces": [{"name": "Retail", "home_country": "GB"}],
    }
    result = json.loads(run("apply", "-", "--json", stdin=json.dumps(other)).stdout)
    workspace = result["workspaces"][0]["id"]
    assert run("keys", "create", "--name", "x", "--role", "viewer").stderr == (
        "error: there are several organizations: name one with --organization\n"
    )
    ambiguous = run("keys", "create", "--name", "x", "--role", "viewer", "--workspace", "Retail")
    assert ambiguous.exit_code == 1
    assert ambiguous.stderr.startswith(
        "error: several workspaces are named Retail: give the id, one of "
    )
    narrowed = create(run, "--role", "viewer", "--workspace", "Retail", "--organization", "Other")
    assert narrowed["workspace"]["id"] == workspace
    by_id = create(run, "--role", "viewer", "--workspace", workspace)
    assert by_id["workspace"] == narrowed["workspace"]
    assert create(run, "--role", "viewer", "--organization", "Other")["workspace"] is None


@pytest.mark.parametrize("option", ["--workspace", "--organization"])
def test_unknown_scope_is_reported(run: Run, option: str) -> None:
    for command in (["create", "--name", "x", "--role", "viewer"], ["list"]):
        result = run("keys", *command, option, "Nowhere")
        assert (result.exit_code, result.stderr) == (
            1,
            f"error: there is no {option[2:]} Nowhere\n",
        )


def test_before_the_first_apply_there_is_no_organization(run: Run, database: Database) -> None:
    with database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    assert run("keys", "create", "--name", "x", "--role", "owner").stderr == (
        "error: there is no organization yet: make one with `borderpost apply`\n"
    )


def test_list_shows_the_state_of_each_key(run: Run, at: Callable[[str], None]) -> None:
    create(run, "--role", "viewer", "--expires-at", "2030-01-02T00:00:00+01:00")
    run("keys", "revoke", "backend")
    states = {name: key["state"] for name, key in listed(run).items()}
    assert states == {"platform": "live", "backend": "revoked", "ci": "live"}
    at("2030-01-01T23:00:00Z")
    assert listed(run)["ci"]["state"] == "expired"
    lines = run("keys", "list").stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "owner   live     platform (Acme)",
        "sender  revoked  backend (Acme / Retail)",
        "viewer  expired  ci (Acme, until 2030-01-01T23:00:00.000Z)",
    ]


def test_a_list_keeps_to_its_scope(run: Run) -> None:
    assert set(listed(run)) == {"platform", "backend"}
    assert set(listed(run, "--workspace", "Retail")) == {"backend"}
    assert set(listed(run, "--organization", "Acme")) == {"platform", "backend"}


def test_a_key_is_revoked_by_name_or_id(run: Run) -> None:
    by_name = run("keys", "revoke", "backend", "--json")
    key_id = listed(run)["backend"]["id"]
    assert json.loads(by_name.stdout) == {"id": key_id, "name": "backend", "revoked": True}
    assert listed(run)["backend"]["revoked_at"] == "2030-01-01T00:00:00.000Z"
    again = run("keys", "revoke", key_id)
    assert (again.exit_code, again.stdout) == (0, f"{key_id}  backend: already revoked\n")
    assert run("keys", "revoke", "backend").stderr == "error: there is no access key backend\n"


def test_ambiguous_name_is_reported_and_revokes_nothing(run: Run) -> None:
    create(run, "--role", "viewer")
    create(run, "--role", "viewer", "--workspace", "Retail")
    result = run("keys", "revoke", "ci")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: several access keys are named ci: give the id, one of ")
    assert listed(run)["ci"]["state"] == "live"
    assert run("keys", "revoke", "ci", "--workspace", "Retail").exit_code == 0
    assert run("keys", "revoke", "ci").exit_code == 0


def test_the_audit_names_the_user_who_made_and_revoked_a_key(run: Run, database: Database) -> None:
    made = create(run, "--role", "viewer", "--workspace", "Retail")
    for _ in range(2):
        assert run("keys", "revoke", made["id"]).exit_code == 0
    with database.reading() as connection:
        rows = connection.execute(select(audit_events).order_by(audit_events.c.id)).all()
    found = [
        (r.action, r.reason, r.actor_kind, r.actor_name) for r in rows if r.target == made["id"]
    ]
    assert found == [
        ("access_key.created", "ci (viewer)", "command_line", USER),
        ("access_key.revoked", "ci (viewer)", "command_line", USER),
    ]


def test_a_key_is_made_with_a_rate_and_limits(run: Run, acme: Path) -> None:
    applied = json.loads(run("apply", str(acme), "--json").stdout)
    use_case_id = applied["workspaces"][0]["use_cases"][0]["id"]
    limits = ("--use-case", use_case_id, "--country", "US", "--country", "CA")
    made = create(
        run,
        *("--role", "sender", "--workspace", "Retail", "--rate", "5", "--burst", "10"),
        *(*limits, "--source-network", "203.0.113.7/24"),
    )

    assert made["rate"] == {"per_second": 5, "burst": 10}
    assert made["use_case_ids"] == [use_case_id]
    assert made["countries"] == ["CA", "US"]
    assert made["source_networks"] == ["203.0.113.0/24"]
    line = run("keys", "list", "--workspace", "Retail").stdout.splitlines()[-1]
    assert line.endswith(
        f"; rate: 5 requests per second, burst 10; use cases: {use_case_id}; countries: CA, US; "
        "networks: 203.0.113.0/24"
    )
    assert create(run, "--role", "sender", "--rate", "7")["rate"] == {"per_second": 7, "burst": 14}


@each(
    "option, value, text",
    [
        ("--rate", "0", "0 is not in the range"),
        ("--burst", "1000001", "1000001 is not in the range"),
        ("--country", "us", "'us' is no ISO 3166-1 alpha-2 code"),
        ("--source-network", "somewhere", "'somewhere' must be a network in CIDR notation"),
        ("--use-case", "codes", "There is no use case codes"),
        ("--use-case", "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001", "There is no use case 0b9e"),
    ],
)
def test_wrong_limits_are_wrong_usage(run: Run, option: str, value: str, text: str) -> None:
    result = run("keys", "create", "--name", "x", "--role", "sender", option, value)

    assert (result.exit_code, text in result.stderr) == (64, True), result.stderr
