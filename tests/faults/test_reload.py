"""SIGHUP reloads the gateway; what it left behind would grow with each reload."""

import os
import signal
import tempfile
from pathlib import Path

from app.db.engine import Database
from app.web.metrics_folder import MEMORY, PREFIX
from support.live_gateway import LiveGateway, start_live_gateway
from support.polling import eventually

RELOADS = 2


def _folders(live_gateway: LiveGateway) -> list[Path]:
    place = Path(MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir())
    return list(place.glob(f"{PREFIX}{live_gateway.web.popen.pid}-*"))


def test_reloads_keep_one_metrics_folder_and_a_stop_leaves_none(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Break: take `@cache` off `make_metrics_folder`; or leave out `rmtree` in `on_exit`."""
    database = Database(sqlite_url, pool_size=2)
    with start_live_gateway(database, tmp_path, WEB_CONCURRENCY="1") as live_gateway:
        for _ in range(RELOADS):
            (before,) = live_gateway.web.children()
            assert live_gateway.send("k").status is not None
            os.kill(live_gateway.web.popen.pid, signal.SIGHUP)
            eventually(lambda before=before: live_gateway.web.children() not in ([], [before]))  # type: ignore[misc]
            eventually(lambda before=before: before not in live_gateway.web.children())  # type: ignore[misc]
        assert len(_folders(live_gateway)) == 1
        assert live_gateway.request("GET", "/healthz", None, {}) is not None
        live_gateway.web.stop()
        assert _folders(live_gateway) == []
    database.close()
