"""`use-cases refresh` against an emulated Twilio, on each engine."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.access.tables import audit_events
from app.db.engine import Database
from app.emulator.accounts import BrandStatus
from app.emulator.server import EmulatorServer
from app.use_cases.tables import use_cases
from support.commands import Run

pytestmark = pytest.mark.one_engine

Apply = Callable[..., None]
SERVICE = "MG" + "a" * 32
ACCOUNTS = {"Retail": "AC" + "a" * 32, "Outlet": "AC" + "b" * 32}
REGISTERED = f"""
    brand = {{ sid = "BN{"d" * 32}", status = "APPROVED" }}
    campaign = {{ sid = "{SERVICE.replace("MG", "QE")}", status = "VERIFIED" }}"""


@pytest.fixture
def twilio(environ: dict[str, str | None]) -> Iterator[EmulatorServer]:
    """A Twilio that knows both accounts by one token."""
    with EmulatorServer() as server:
        for sid in ACCOUNTS.values():
            server.emulator.accounts.change(
                sid, lambda now: replace(now, auth_token="token-of-both")
            )
        environ |= {"BORDERPOST_TWILIO_URL": server.url, "TWILIO_TOKEN": "token-of-both"}
        yield server


@pytest.fixture
def provision(run: Run, tmp_path: Path) -> Apply:
    """Applies a file in which each of these workspaces has one use case."""

    def apply(*names: str, registered: str = REGISTERED) -> None:
        path = tmp_path / "file.toml"
        path.write_text(
            '[organization]\nname = "Acme"\n'
            + "".join(_workspace(name, registered) for name in names)
        )
        applied = run("apply", str(path))
        assert applied.exit_code == 0, applied.output

    return apply


def _workspace(name: str, registered: str) -> str:
    return f"""
[[workspaces]]
name = "{name}"
home_country = "US"
twilio = {{ account_sid = "{ACCOUNTS[name]}", auth_token = "env:TWILIO_TOKEN" }}

    [[workspaces.use_cases]]
    name = "codes of {name}"
    messaging_service_sid = "{SERVICE}"{registered}
"""


def _suspend(twilio: EmulatorServer, workspace: str) -> None:
    suspended = BrandStatus.SUSPENDED
    twilio.emulator.accounts.change(
        ACCOUNTS[workspace], lambda now: replace(now, brand_status=suspended)
    )


def _rows(database: Database, table: Any) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(table)))


def test_new_states_are_stored_and_marked(
    run: Run, twilio: EmulatorServer, provision: Apply, database: Database
) -> None:
    provision("Retail")
    _suspend(twilio, "Retail")

    first, second = run("use-cases", "refresh"), run("use-cases", "refresh")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "~ codes of Retail: brand SUSPENDED, campaign VERIFIED\n"
    assert second.stdout == "= codes of Retail: brand SUSPENDED, campaign VERIFIED\n"
    (row,) = _rows(database, use_cases)
    assert (row.brand_status, row.campaign_status) == ("SUSPENDED", "VERIFIED")
    audit_trail = [
        row for row in _rows(database, audit_events) if row.action == "use_case.refreshed"
    ]
    assert [audit_event.reason for audit_event in audit_trail] == ["brand_status SUSPENDED"]


def test_result_is_printed_as_json(
    run: Run, twilio: EmulatorServer, provision: Apply, database: Database
) -> None:
    provision("Retail")
    _suspend(twilio, "Retail")

    result = run("use-cases", "refresh", "--json")

    (row,) = _rows(database, use_cases)
    states = {"brand_status": "SUSPENDED", "campaign_status": "VERIFIED"}
    shown = {"id": str(row.id), "name": "codes of Retail", "changed": True, "problem": None}
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"use_cases": [shown | states]})


def test_one_workspace_alone_is_asked_about(
    run: Run, twilio: EmulatorServer, provision: Apply, database: Database
) -> None:
    provision("Retail", "Outlet")
    for name in ACCOUNTS:
        _suspend(twilio, name)

    result = run("use-cases", "refresh", "--workspace", "Outlet")

    assert result.stdout == "~ codes of Outlet: brand SUSPENDED, campaign VERIFIED\n"
    found = {row.name: row.brand_status for row in _rows(database, use_cases)}
    assert found == {"codes of Retail": "APPROVED", "codes of Outlet": "SUSPENDED"}
    absent = run("use-cases", "refresh", "--workspace", "Nowhere")
    assert (absent.exit_code, absent.stdout) == (1, "")


def test_failure_to_ask_twilio_exits_1_and_others_are_printed(
    run: Run, twilio: EmulatorServer, provision: Apply, database: Database
) -> None:
    """Breaks when a problem ends the round, or is left out of the exit code."""
    provision("Retail", "Outlet")
    wrong = ACCOUNTS["Retail"]
    twilio.emulator.accounts.change(wrong, lambda now: replace(now, auth_token="another"))
    _suspend(twilio, "Outlet")

    result = run("use-cases", "refresh")

    assert result.exit_code == 1
    refused, changed = sorted(result.stdout.splitlines())
    assert refused.startswith("= codes of Retail: brand APPROVED, campaign VERIFIED (not refreshed")
    assert changed == "~ codes of Outlet: brand SUSPENDED, campaign VERIFIED"
    assert "token-of-both" not in result.output


def test_without_a_registration_nothing_is_asked(
    run: Run, twilio: EmulatorServer, provision: Apply
) -> None:
    provision("Retail", registered="")

    shown, result = run("use-cases", "refresh"), run("use-cases", "refresh", "--json")

    assert (shown.exit_code, shown.stdout) == (0, "no use case has a brand or a campaign\n")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"use_cases": []})
