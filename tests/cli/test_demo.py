"""`demo`: it follows the policy as it stands, is found by other commands, and can be removed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.access.tables import organizations, provider_accounts, workspaces
from app.bootstrap import open_cipher, open_settings
from app.cli.demo import _emulator, use_running_demo
from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.db.types import metadata
from app.demo.processes import RunningDemo, find_running_demo, noted_demo, write_note
from app.demo.story import Story
from app.demo.tenant import DemoTenant, delete_organization, make_demo_tenant
from app.kernel.whole_numbers import LARGEST_PORT
from app.messages.tables import messages
from support.every_table import fill
from support.polling import PATIENCE_SECONDS, eventually
from support.ports import free_ports
from support.processes import ROOT

# Tables whose rows belong to no organization.
_OF_THE_INSTALLATION = {
    "failed_attempts",
    "installation",
    "message_counting",
    "price_lists",
    "prices",
    "leases",
    "web_clocks",
    "worker_heartbeats",
}


@pytest.mark.one_engine
def test_the_demo_follows_a_changed_policy_and_other_commands_find_it(
    run: Any, environ: dict[str, str | None], database: Database, instance: Path, acme: Path
) -> None:
    """Break: let `Story` expect an allowed US, or let `use_running_demo` set nothing."""
    settings = open_settings({name: text for name, text in environ.items() if text is not None})
    make_demo_tenant(database, open_cipher(settings), instance)
    run("destinations", "allow", "BR")
    run("destinations", "block", "US")
    command = [sys.executable, "-m", "app.cli", "demo", "--port", str(*free_ports(1))]
    known = {name: text for name, text in os.environ.items() if not name.startswith("BORDERPOST_")}
    given = {name: text for name, text in environ.items() if text is not None}
    log = instance / "demo.out"
    with log.open("w", encoding="utf-8") as output:
        demo = subprocess.Popen(command, cwd=ROOT, env=known | given, stdout=output)
    try:
        eventually(lambda: demo.poll() is not None or "Serving" in log.read_text(encoding="utf-8"))
        text = log.read_text(encoding="utf-8")
        assert "POST /v1/sms to +5511961234567 (BR, allowed)" in text
        assert "delivered" in text
        assert re.search(r"POST /v1/sms to \+120255501\d\d \(US, not allowed\)", text)
        shown = set(re.findall(r"export (\w+)=", text))
        assert shown == {"BORDERPOST", "KEY", "WORKSPACE", "USE_CASE"}
        other = dict(given)
        use_running_demo("geo", other)
        assert f"Twilio emulator   {other['BORDERPOST_TWILIO_URL']}" in text
        assert f"Gateway           {other['BORDERPOST_PUBLIC_URL']}" in text
        # As in another terminal: the emulator knows the demo's campaign.
        refresh = [*command[:3], "use-cases", "refresh"]
        refreshed = subprocess.run(
            refresh, cwd=ROOT, env=known | given, capture_output=True, check=False
        )
        assert refreshed.returncode == 0, refreshed.stdout
        refused = run("demo", "--port", command[-1]).stderr
        assert refused.startswith(
            f"error: a demo already runs from {instance} (process {demo.pid})"
        )
        assert "is running" in run("demo", "reset").stderr
        for serving in ("worker", "demo", "emulator"):
            unchanged = dict(given)
            use_running_demo(serving, unchanged)
            assert unchanged == given
    finally:
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(PATIENCE_SECONDS) == 0
    assert find_running_demo(instance) is None
    assert "demo: its organization" not in run("doctor", "--offline").stdout
    assert run("apply", str(acme)).exit_code == 0
    assert (
        "bad      demo: its organization Borderpost demo is in" in run("doctor", "--offline").stdout
    )
    assert "removed the demo's organization" in run("demo", "reset").stdout
    assert run("demo", "reset").stdout == "there is no demo to remove\n"


class _Refused(Story):
    """A gateway that blocks every number."""

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        if path == "/v1/sms":
            return 422, {"code": "DestinationBlocked", "message": "Blocked."}
        verdicts = [{"number": one, "country": "US", "allowed": False} for one in body["numbers"]]
        return 200, {"verdicts": verdicts}


def test_each_start_of_the_demo_chooses_a_number_reserved_for_fiction() -> None:
    """Break: send to one number, so that the eleventh start of an hour meets the guard `number`."""
    tenant = DemoTenant("key", "workspace", "use case", "owner@demo.example", "password")
    found = {_Refused("http://127.0.0.1", tenant, lambda _: None)() for _ in range(40)}
    assert len(found) > 10
    assert all(re.fullmatch(r"\+120255501\d\d", number) for number in found)


def test_the_emulator_of_the_highest_ports_is_below_the_gateway() -> None:
    with _emulator(LARGEST_PORT) as server:
        assert server.url.startswith("http://127.0.0.1:")


_A_DEMO = """
import sys
from pathlib import Path
from app.demo.processes import running_worker
with running_worker({}, Path(sys.argv[1])):
    sys.stdin.read()
"""


@pytest.mark.one_engine
def test_the_processes_of_a_killed_demo_end(
    environ: dict[str, str | None], database: Database, instance: Path
) -> None:
    """Break: in `processes.py`, start the module itself, without `app.demo.child`."""
    command = [sys.executable, "-c", _A_DEMO, str(instance / "worker.log")]
    given = {name: text for name, text in (os.environ | environ).items() if text is not None}

    def stopped() -> list[Any]:
        with database.reading() as connection:
            return list(connection.execute(select(worker_heartbeats.c.stopped_at)).scalars())

    with subprocess.Popen(command, cwd=ROOT, env=given, stdin=subprocess.PIPE) as demo:
        eventually(lambda: stopped() == [None])
        demo.kill()
    eventually(lambda: stopped() != [None])


@pytest.mark.one_engine
def test_a_demo_that_was_killed_is_not_found(tmp_path: Path) -> None:
    write_note(tmp_path / "demo.running", RunningDemo("http://127.0.0.1:1", "http://127.0.0.1:2"))
    assert find_running_demo(tmp_path) is None
    with noted_demo(tmp_path) as note:
        assert find_running_demo(tmp_path) is None  # its addresses are not known yet
        write_note(note, RunningDemo("http://127.0.0.1:1", None))
        assert find_running_demo(tmp_path) == RunningDemo("http://127.0.0.1:1", None)


def test_removing_an_organization_leaves_none_of_its_rows(database: Database) -> None:
    """A table that this names needs a foreign key, or a line in `_REFERENCES` of demo/reset.py."""
    fill(database)
    with database.writing() as connection:
        connection.execute(update(workspaces).values(parent_id=None))  # filled across organizations
        # References without a foreign key, which the filling cannot know.
        references = {
            "message_id": messages.c.id,
            "account_sid": provider_accounts.c.sid,
            "scope_id": workspaces.c.id,
        }
        for name, of in references.items():
            real = list(connection.execute(select(of)).scalars())
            for table in metadata.sorted_tables:
                column = table.columns.get(name)
                if column is not None and not column.foreign_keys:
                    filled = connection.execute(select(column).distinct()).scalars()
                    for old, new in zip(list(filled), real, strict=False):
                        connection.execute(update(table).where(column == old).values({name: new}))
    with database.writing() as connection:
        for organization_id in list(connection.execute(select(organizations.c.id)).scalars()):
            delete_organization(connection, organization_id)
    with database.reading() as connection:
        left = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    assert {name for name, rows in left.items() if rows} == _OF_THE_INSTALLATION
