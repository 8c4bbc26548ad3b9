"""`geo check`, `ready` and `push` against an emulated Twilio, on each engine."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import update

from app.access.tables import workspaces
from app.db.engine import Database
from app.emulator.accounts import REGIONS, Account
from app.emulator.server import EmulatorServer
from app.kernel.clock import utc_now
from support.commands import Run

pytestmark = pytest.mark.one_engine

RETAIL, OUTLET = "AC" + "a" * 32, "AC" + "b" * 32
TOKENS = {"RETAIL_TOKEN": "token-of-retail", "OUTLET_TOKEN": "token-of-outlet"}


def _workspace(name: str, sid: str, token: str, *allowed: str) -> str:
    countries = ", ".join(f'{code} = "allowed"' for code in allowed)
    twilio = f'twilio = {{ account_sid = "{sid}", auth_token = "env:{token}" }}' if sid else ""
    return f"""
[[workspaces]]
name = "{name}"
home_country = "US"
{twilio}
destinations = {{ {countries} }}
"""


@pytest.fixture
def emulator(environ: dict[str, str | None]) -> Iterator[EmulatorServer]:
    """A Twilio that knows two accounts by their tokens and has closed all but a few countries."""
    environ |= TOKENS
    with EmulatorServer() as server:
        for sid, name in ((RETAIL, "RETAIL_TOKEN"), (OUTLET, "OUTLET_TOKEN")):
            closed = frozenset(REGIONS) - {"US", "PK"}
            server.emulator.accounts.change(
                sid,
                lambda now, t=TOKENS[name], c=closed: replace(now, auth_token=t, closed_regions=c),
            )
        environ["BORDERPOST_TWILIO_URL"] = server.url
        yield server


@pytest.fixture
def provision(run: Run, tmp_path: Path) -> Callable[..., None]:
    """Applies a file with these workspaces."""

    def apply(*workspaces: str) -> None:
        path = tmp_path / "file.toml"
        text = '[organization]\nname = "Acme"\ndenied_destinations = ["KP"]\n' + "".join(workspaces)
        path.write_text(text)
        assert run("apply", str(path)).exit_code == 0

    return apply


@pytest.fixture
def retail(emulator: EmulatorServer, provision: Callable[..., None]) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "PK"))


def _change(emulator: EmulatorServer, sid: str, **states: bool) -> None:
    emulator.emulator.accounts.change(sid, lambda now: now.with_regions(states))


def _account(emulator: EmulatorServer, sid: str) -> Account:
    found = emulator.emulator.accounts.find(sid)
    assert found is not None
    return found


def _json(result: Result) -> Any:
    return json.loads(result.stdout)


def test_check_exits_0_where_twilio_agrees(run: Run, retail: None) -> None:
    shown, as_json = run("geo", "check"), run("geo", "check", "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    assert shown.stdout.startswith("Retail: Twilio agrees\n")
    (one,) = _json(as_json)["workspaces"]
    assert set(one) == {
        *("id", "name", "checked_at", "agrees", "problem"),
        *("allowed_here_closed_there", "closed_here_open_there", "high_risk", "unsupported"),
    }
    assert (one["name"], one["problem"]) == ("Retail", None)
    assert (one["high_risk"], one["closed_here_open_there"]) == (["PK"], [])


def test_check_exits_2_with_a_remedy_for_each_difference(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "BR", "NG", "IR"))
    _change(emulator, RETAIL, FR=True)

    shown, as_json = run("geo", "check"), run("geo", "check", "--json")

    assert (shown.exit_code, as_json.exit_code) == (2, 2)
    (one,) = _json(as_json)["workspaces"]
    assert one["allowed_here_closed_there"] == ["BR", "IR", "NG"]
    assert one["closed_here_open_there"] == ["FR", "PK"]
    assert (one["high_risk"], one["unsupported"]) == (["NG", "PK"], ["IR"])
    lines = shown.stdout.splitlines()

    def remedy_of(code: str) -> str:
        return lines[
            next(i for i, line in enumerate(lines) if line.startswith(f"      {code}")) - 1
        ]

    assert "geo push --yes" in remedy_of("BR Brazil")
    assert "refuses these for everybody" in remedy_of("IR Iran")
    assert "Console" in remedy_of("NG Nigeria")
    assert "close them with `borderpost geo push --yes`" in remedy_of("FR France")
    assert "Console" in remedy_of("PK Pakistan")


def test_shared_permissions_of_territories_are_reported_and_never_pushed(
    run: Run,
    emulator: EmulatorServer,
    provision: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "AU"))
    _change(emulator, RETAIL, AU=True)
    monkeypatch.setattr("app.emulator.twilio_api.countries.REGIONS", ("AU",))

    shown, pushed = run("geo", "check"), run("geo", "push", "--json")

    assert shown.exit_code == 2
    remedy = "    Twilio has one permission for these and AU: allow them here, or leave it so\n"
    territories = "      CC Cocos (Keeling) Islands, CX Christmas Island\n"
    assert shown.stdout.endswith(remedy + territories)
    assert _json(pushed)["accounts"][0]["changes"] == []


def test_check_asks_each_workspace_with_its_own_credentials(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(
        _workspace("Bare", "", "", "US"),
        _workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "PK"),
        _workspace("Outlet", OUTLET, "OUTLET_TOKEN", "US", "PK"),
    )
    _change(emulator, OUTLET, US=False)

    both, one = run("geo", "check", "--json"), run("geo", "check", "--workspace", "Retail")

    found = {w["name"]: w["allowed_here_closed_there"] for w in _json(both)["workspaces"]}
    assert found == {"Retail": [], "Outlet": ["US"]}
    assert (both.exit_code, one.exit_code) == (2, 0)


def test_check_exits_1_when_one_workspace_cannot_be_asked_and_keeps_what_was_known(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(
        _workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "BR"),
        _workspace("Outlet", OUTLET, "OUTLET_TOKEN", "US", "PK"),
    )
    (before,) = [
        w for w in _json(run("geo", "check", "--json"))["workspaces"] if w["name"] == "Retail"
    ]
    emulator.emulator.accounts.change(RETAIL, lambda now: replace(now, auth_token="rotated"))

    shown, as_json = run("geo", "check"), run("geo", "check", "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    (after,) = [w for w in _json(as_json)["workspaces"] if w["name"] == "Retail"]
    why = (
        "Twilio answered 20003: Twilio does not accept the account's credentials, or the account "
        "is closed"
    )
    assert after == before | {"problem": why}
    last = f"check failed: {why} (last {before['checked_at']})"
    assert f"Retail: {last}\n" in shown.stdout
    assert "Outlet: Twilio agrees\n" in shown.stdout
    assert TOKENS["RETAIL_TOKEN"] not in shown.output + as_json.output


def test_check_exits_1_when_twilio_cannot_be_reached(
    run: Run, emulator: EmulatorServer, retail: None
) -> None:
    emulator.close()

    shown = run("geo", "check")

    assert shown.exit_code == 1
    assert shown.stdout == "Retail: check failed: Twilio cannot be reached (never checked)\n"


def test_missing_account_is_reported(run: Run, provision: Callable[..., None]) -> None:
    provision(_workspace("Bare", "", "", "US"))

    check, push, ready = run("geo", "check"), run("geo", "push"), run("geo", "ready", "US")

    assert [one.exit_code for one in (check, push, ready)] == [0, 0, 1]
    for one in (check, push, ready):
        assert "no workspace has a Twilio account" in one.output
    assert _json(run("geo", "check", "--json")) == {"workspaces": []}
    named = run("geo", "check", "--workspace", "Bare")
    assert (named.exit_code, named.output) == (1, "error: workspace Bare has no Twilio account\n")


def test_ready_names_every_shut_gate(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "BR", "IR", "AQ", "PK"))
    codes = ("US", "BR", "FR", "KP", "IR", "AQ", "PK", "US")

    shown, as_json = run("geo", "ready", *codes), run("geo", "ready", *codes, "--json")

    assert (shown.exit_code, as_json.exit_code) == (2, 2)
    rows = _json(as_json)["countries"]
    assert {row["country"]: [gate["gate"] for gate in row["shut"]] for row in rows} == {
        "US": [],
        "BR": ["provider"],
        "FR": ["workspace", "provider"],
        "KP": ["organization", "workspace", "provider"],
        "IR": ["unsupported"],
        "AQ": ["no_numbers"],
        "PK": [],
    }
    assert [row["country"] for row in rows if row["ready"]] == ["US", "PK"]
    assert {row["workspace"]["name"] for row in rows} == {"Retail"}
    assert "US United States, Retail: ready\n" in shown.stdout
    assert "BR Brazil, Retail: not ready\n  Twilio: closed at the provider" in shown.stdout


def test_ready_exits_0_where_every_gate_is_open(run: Run, retail: None) -> None:
    assert run("geo", "ready", "US", "PK").exit_code == 0


def test_ready_checks_each_workspace_and_a_suspended_one_is_not_ready(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None], database: Database
) -> None:
    provision(
        _workspace("Retail", RETAIL, "RETAIL_TOKEN", "US"),
        _workspace("Outlet", OUTLET, "OUTLET_TOKEN", "US"),
    )
    with database.writing() as c:
        frozen = update(workspaces).where(workspaces.c.name == "Outlet")
        c.execute(frozen.values(suspended_at=utc_now()))

    both = run("geo", "ready", "US", "--json")
    one = run("geo", "ready", "US", "--workspace", "Retail")

    ready = {row["workspace"]["name"]: row["ready"] for row in _json(both)["countries"]}
    assert ready == {"Retail": True, "Outlet": False}
    assert (both.exit_code, one.exit_code) == (2, 0)


def test_ready_exits_1_if_twilio_cannot_be_asked_and_prints_known_blockers(
    run: Run, emulator: EmulatorServer, retail: None
) -> None:
    run("geo", "check")
    emulator.close()

    shown, as_json = run("geo", "ready", "US", "BR"), run("geo", "ready", "US", "BR", "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    us, br = _json(as_json)["countries"]
    assert (us["ready"], us["shut"], us["problem"]) == (None, [], "Twilio cannot be reached")
    assert (br["ready"], [gate["gate"] for gate in br["shut"]]) == (False, ["workspace"])
    assert "US United States, Retail: not known\n" in shown.stdout


@pytest.mark.parametrize("codes", [("us",), ("XX",), ("US", "USA"), ()])
def test_ready_with_an_unknown_code_is_wrong_usage(run: Run, codes: tuple[str, ...]) -> None:
    result = run("geo", "ready", *codes)

    assert result.exit_code == 64
    if codes:
        assert codes[-1] in result.stderr


def test_push_proposes_and_changes_nothing(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "BR", "NG", "IR"))
    _change(emulator, RETAIL, FR=True)
    before = _account(emulator, RETAIL)

    shown, as_json = run("geo", "push"), run("geo", "push", "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    assert _account(emulator, RETAIL) == before
    body = _json(as_json)
    assert body["applied"] is False
    assert body["accounts"] == [
        {
            "account_sid": RETAIL,
            "workspaces": ["Retail"],
            "changes": [
                {"country_code": "BR", "type": "country", "enabled": True},
                {"country_code": "FR", "type": "country", "enabled": False},
            ],
            "console_only": [
                {"country_code": "NG", "type": "country", "enabled": True},
                {"country_code": "PK", "type": "country", "enabled": False},
            ],
            "unsupported": ["IR"],
            "problem": None,
        }
    ]
    assert "  open  BR Brazil\n  close FR France\n" in shown.stdout
    assert "open  NG Nigeria: high-risk, only in Twilio's Console" in shown.stdout
    assert "nothing was changed: `borderpost geo push --yes`" in shown.stdout


def test_push_with_yes_makes_the_changes_and_prints_each_result(
    run: Run, emulator: EmulatorServer, provision: Callable[..., None]
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "PK", "BR"))
    _change(emulator, RETAIL, FR=True)

    pushed = run("geo", "push", "--yes")

    assert pushed.exit_code == 0
    assert "  open  BR Brazil: done\n  close FR France: done\n" in pushed.stdout
    assert _account(emulator, RETAIL).can_reach("BR")
    assert not _account(emulator, RETAIL).can_reach("FR")
    assert run("geo", "check").exit_code == 0
    again = _json(run("geo", "push", "--yes", "--json"))
    assert (again["applied"], again["accounts"][0]["changes"]) == (True, [])


def test_push_exits_1_when_twilio_refuses_an_item_inside_its_200(
    run: Run,
    emulator: EmulatorServer,
    provision: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provision(_workspace("Retail", RETAIL, "RETAIL_TOKEN", "US", "PK", "BR", "DE"))
    monkeypatch.setattr(
        "app.emulator.twilio_api.countries._problem",
        lambda code: "no" if code == "BR" else None,
    )

    pushed = run("geo", "push", "--yes", "--json")

    assert pushed.exit_code == 1
    items = {item["country_code"]: item for item in _json(pushed)["accounts"][0]["changes"]}
    assert (items["DE"]["applied"], items["DE"]["problem"]) == (True, None)
    assert items["BR"]["applied"] is False
    assert "30649" in items["BR"]["problem"]
    assert "Console" in items["BR"]["problem"]


def test_push_exits_1_when_an_account_cannot_be_asked(
    run: Run, emulator: EmulatorServer, retail: None
) -> None:
    emulator.close()

    shown, as_json = run("geo", "push", "--yes"), run("geo", "push", "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    assert "check failed: Twilio cannot be reached" in shown.stdout
    assert _json(as_json)["accounts"][0]["problem"] == "Twilio cannot be reached"
