"""The version before this one serves while the database is upgraded, and nothing is lost."""

import subprocess
import tarfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

from app.db.engine import Database
from app.db.schema import downgrade, upgrade
from app.db.unavailable import is_deadlock
from app.kernel.errors import ServiceUnavailable
from support.history import Reply, judge
from support.live_gateway import LiveGateway, number, prepared_live_gateway
from support.polling import eventually
from support.processes import ROOT, running_gateway

CLIENTS, MORE = 4, 12
CONFLICTS = 8
ANSWERED = {201, 504}
MIGRATIONS = "app/db/migrations/versions/[0-9]*.py"
# What a migration may do to tables that the older version reads and writes.
RENAMES = (("workspaces", "home_country"), ("messages", "status"))


class Clients:
    """Clients that send until they are stopped, each send with one key until it is answered."""

    def __init__(self, live_gateway: LiveGateway) -> None:
        self._live = live_gateway
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.replies: list[Reply] = []

    def run(self, client: int) -> None:
        sent = 0
        while not self._stop.wait(0.1):
            self._send_until_answered(f"{client}-{sent}", number(sent % 50))
            sent += 1

    def stop(self) -> None:
        self._stop.set()

    def wait_for_more(self, status: int) -> None:
        """Wait until each client has got this answer once more, and all together some more."""
        begin = len(self.replies)

        def has_more() -> bool:
            new = [
                one.key.partition("-")[0] for one in self.replies[begin:] if one.status == status
            ]
            return len(set(new)) == CLIENTS and len(new) >= MORE

        eventually(has_more)

    def _send_until_answered(self, key: str, to: str) -> None:
        """Try again with the same key; what stays in conflict is left to the end."""
        tries: Counter[int | None] = Counter()
        while not (tries.keys() & ANSWERED or tries[409] == CONFLICTS or self._stop.is_set()):
            one = self._live.send(key, to)
            tries[one.status] += 1
            with self._lock:
                self.replies.append(one)
            if one.status not in ANSWERED:
                time.sleep(0.05)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the version before, which its first process compiles."""
    return _version_before(tmp_path_factory.mktemp("before"))


def test_an_upgrade_under_load_loses_nothing(
    database: Database, tmp_path: Path, program: Path
) -> None:
    """Break: leave out `program`: this version is never ready on the tables before it."""
    revision = max(path.name.partition("_")[0] for path in program.glob(MIGRATIONS))
    with prepared_live_gateway(database, tmp_path, WEB_CONCURRENCY="1") as live:
        downgrade(database, revision)
        clients = Clients(live)
        log = tmp_path / "gateway.log"
        with ThreadPoolExecutor(CLIENTS) as pool, live.listener.dup() as listener:
            with running_gateway(live.listener, live.environ, log, program=program) as old:
                running = [pool.submit(clients.run, client) for client in range(CLIENTS)]
                try:
                    clients.wait_for_more(201)
                    upgrade(database)
                    eventually(lambda: _renamed(database, "{0}", "{0}_new"))
                    clients.wait_for_more(503)
                    assert live.callback(None, "SM" + "0" * 32, "sent").status == 503
                except BaseException:
                    clients.stop()
                    raise
                assert old.stop() == 0
            # The new program knows the new names; here they are taken back for it.
            assert _renamed(database, "{0}_new", "{0}")
            with running_gateway(listener, live.environ, log):
                try:
                    clients.wait_for_more(201)
                finally:
                    clients.stop()
                for one in running:
                    one.result()
                assert live.emulator.wait_until_quiet(60)
                live.reconcile()
                keys = {
                    one.key: number(int(one.key.partition("-")[2]) % 50) for one in clients.replies
                }
                again = [live.send(key, to) for key, to in keys.items()]
        held = live.held()
    verdict = judge(clients.replies + again, live.created(), held)
    assert verdict.faults == ()
    # A connection may break, and be queued, while one program follows the other.
    assert {one.status for one in clients.replies} <= {None, 201, 409, 503, 504}
    assert {one.status for one in again} == {201}
    assert {row.status for row in held if row.submission == "accepted"} == {"delivered"}


def _renamed(database: Database, old: str, new: str) -> bool:
    """Rename the columns of all tables at once, or none, after a deadlock with a send."""
    try:
        with database.writing() as connection:
            for table, column in RENAMES:
                names = f"{old.format(column)} TO {new.format(column)}"
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN {names}")
    except ServiceUnavailable as problem:
        if not is_deadlock(problem.__cause__):
            raise
        return False
    return True


def _version_before(folder: Path) -> Path:
    """Return the tree of the last commit that did not have the newest migration."""
    added = ["log", "-1", "--diff-filter=A", "--format=%H^", "--", MIGRATIONS]
    commit = _git(*added).decode().strip()
    tree = _git("archive", commit, "app", "wsgi.py", "gunicorn.conf.py") if commit else b""
    if not tree:
        pytest.skip("the history of this repository is not here: a shallow clone?")
    with tarfile.open(fileobj=BytesIO(tree)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""
