"""`apply`: the result for people and for programs, the plan and its exit codes."""

import json
from pathlib import Path

import pytest

from app.access.principal import hash_token, is_well_formed
from app.access.store import load_key
from app.bootstrap import open_installation_secrets, open_settings
from app.db.engine import Database
from support.commands import Run
from support.tables import snapshot

pytestmark = pytest.mark.one_engine


def test_apply_prints_ids_and_each_new_token_once(run: Run, acme: Path, database: Database) -> None:
    first = run("apply", str(acme), "--json")
    assert (first.exit_code, first.stderr) == (0, "")
    made = json.loads(first.stdout)
    token = made["workspaces"][0]["access_keys"][0]["token"]
    with database.reading() as connection:
        key = load_key(connection, hash_token(token))
    assert key is not None
    assert str(key.principal.workspace_id) == made["workspaces"][0]["id"]
    made["organization"]["access_keys"][0]["token"] = None
    made["workspaces"][0]["access_keys"][0]["token"] = None
    second = run("apply", str(acme), "--json")
    assert second.exit_code == 0
    assert json.loads(second.stdout) == made


def test_a_host_with_other_secrets_stores_none(
    run: Run, acme: Path, instance: Path, database: Database
) -> None:
    """Break: encrypt without `encrypt_for_all`. No other host could decrypt the token."""
    assert run("apply", str(acme)).exit_code == 0
    settings = open_settings({"BORDERPOST_INSTANCE": str(instance)})
    open_installation_secrets(settings).prepare(database)
    before = snapshot(database)
    (instance / "secrets.env").unlink()
    run("init")
    refused = run("apply", str(acme))
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: BORDERPOST_ENCRYPTION_KEYS: not the value")
    assert snapshot(database) == before


def test_people_see_what_changed_and_the_tokens(run: Run, acme: Path) -> None:
    printed = run("apply", str(acme)).stdout.splitlines()
    assert printed[0] == "+ organization: Acme"
    assert "+ workspaces[0].use_cases[0].senders[0]: +12*******00" in printed
    keys = [line.rpartition(": ") for line in printed if line.startswith("access key")]
    assert [text for text, _, _ in keys] == [
        "access key platform of Acme (shown once)",
        "access key backend of Retail (shown once)",
    ]
    assert all(is_well_formed(token) for _, _, token in keys)
    again = run("apply", str(acme)).stdout.splitlines()
    assert again[0] == "nothing to change"
    ids = json.loads(run("apply", str(acme), "--json").stdout)["workspaces"][0]
    assert again[1:] == [
        f"workspace Retail: {ids['id']}",
        f"  use case codes: {ids['use_cases'][0]['id']}",
    ]


def test_a_plan_exits_2_where_something_differs_and_0_where_nothing_does(
    run: Run, acme: Path
) -> None:
    planned = run("apply", str(acme), "--plan")
    assert planned.exit_code == 2
    assert planned.stdout.startswith("+ organization: Acme\n")
    assert run("apply", str(acme), "--plan").stdout == planned.stdout
    as_json = run("apply", str(acme), "--plan", "--json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["changes"][0] == {
        "place": "organization",
        "action": "add",
        "to": "Acme",
    }
    run("apply", str(acme))
    nothing = run("apply", "--plan", str(acme))
    assert (nothing.exit_code, nothing.stdout) == (0, "nothing to change\n")
    assert json.loads(run("apply", "--plan", "--json", str(acme)).stdout) == {"changes": []}


def test_mistakes_are_reported_with_their_places_and_nothing_is_applied(
    run: Run, acme: Path
) -> None:
    wrong = acme.read_text().replace('"US"', '"us"').replace('"MGa', '"a').replace('"backend"', "7")
    result = run("apply", "-", "--json", stdin=wrong)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: workspaces[0].access_keys[0].name: Not a valid string.\n"
        "error: workspaces[0].home_country: Country codes are in capitals: US.\n"
        "error: workspaces[0].use_cases[0].messaging_service_sid: "
        "Must be MG and 32 hexadecimal digits.\n"
    )
    assert run("apply", str(acme), "--plan", stdin=wrong).exit_code == 2


def test_a_plan_of_a_file_with_mistakes_exits_1(run: Run, acme: Path) -> None:
    result = run("apply", "-", "--plan", stdin="[organization]\n")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: organization.name: Is needed for an organization that is new.\n"
    )


def test_standard_input_is_read_as_toml_or_json(run: Run, acme: Path) -> None:
    assert run("apply", "-", stdin=acme.read_text()).exit_code == 0
    as_json = {"organization": {"name": "Acme"}, "workspaces": [{"name": "Retail"}]}
    assert run("apply", "-", stdin=json.dumps(as_json)).stdout.startswith("nothing to change\n")
    assert run("apply", "-", stdin='{"a": 1, "a": 2}').stderr == (
        "error: the file: An object has the key 'a' twice.\n"
    )
