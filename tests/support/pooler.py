"""A PgBouncer of a test's own, in transaction mode, in front of a PostgreSQL socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.polling import eventually

SERVERS = 3  # fewer than clients, so that each transaction may get another server
_CONFIGURATION = """
[databases]
* = host={socket} user=postgres

[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
unix_socket_mode = 0777
auth_type = any
pool_mode = transaction
max_client_conn = 200
default_pool_size = {servers}
logfile = {folder}/log
{user}
"""


@contextmanager
def pooled(socket: str) -> Iterator[str]:
    """Yield the socket folder of a pooler in front of a server's socket folder."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("no PgBouncer on this machine")
    folder = Path(tempfile.mkdtemp(prefix="borderpost-pooler-"))
    folder.chmod(0o777)  # as root, PgBouncer goes on as the server's user
    user = f"user = {Path(socket).owner()}" if os.geteuid() == 0 else ""
    file = folder / "pgbouncer.ini"
    file.write_text(_CONFIGURATION.format(socket=socket, folder=folder, servers=SERVERS, user=user))
    process = subprocess.Popen([program, "-q", str(file)], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(folder))
        yield str(folder)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(folder: Path) -> bool:
    try:
        with psycopg.connect(host=str(folder), port=6432, user="postgres", dbname="postgres"):
            return True
    except psycopg.OperationalError:
        return False
