"""A PgBouncer of a test's own, in transaction mode, in front of a PostgreSQL socket."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.polling import PATIENCE_SECONDS, eventually
from support.processes import ROOT

SERVERS = 3  # fewer than clients, so that each transaction may get another server
SHIPPED = ROOT / "deploy" / "compose" / "pgbouncer.ini"


class Pooler:
    """A pooler; its socket is in ``folder``."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.folder = folder
        self._file = folder / "pgbouncer.ini"

    def configure(self, socket: str, port: int = 5432) -> None:
        """Say which server it asks; the rest is as in the shipped file."""
        found = ConfigParser()
        found.read_string(SHIPPED.read_text(encoding="utf-8"))
        found["databases"] = {"*": f"host={socket} port={port} user=postgres"}
        ours = found["pgbouncer"]
        del ours["auth_file"], ours["listen_port"]
        ours.update(
            {
                "listen_addr": "",
                "unix_socket_dir": str(self.folder),
                "unix_socket_mode": "0777",
                "auth_type": "any",
                "default_pool_size": str(SERVERS),
                "logfile": str(self.folder / "log"),
            }
        )
        if os.geteuid() == 0:  # PgBouncer goes on as the server's user
            ours["user"] = Path(socket).owner()
        with self._file.open("w") as file:
            found.write(file)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [self._program, "-q", str(self._file)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def ask_another(self, socket: str, port: int) -> None:
        """Send it to another server while it runs, as a fail-over does."""
        self.configure(socket, port)
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(
                host=str(self.folder), port=6432, user="postgres", dbname="postgres"
            ):
                return True
        except psycopg.OperationalError:
            return False


@contextmanager
def running_pooler(socket: str, port: int = 5432) -> Iterator[Pooler]:
    """Run a pooler in front of a server's socket folder."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: `sh .ci/nginx` installs it as root on Debian")
    folder = Path(tempfile.mkdtemp(prefix="borderpost-pooler-"))
    folder.chmod(0o777)
    pooler = Pooler(program, folder)
    pooler.configure(socket, port)
    pooler.start()
    try:
        yield pooler
    finally:
        pooler.kill()
        shutil.rmtree(folder, ignore_errors=True)
