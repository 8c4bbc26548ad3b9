"""The benchmark works: its parts answer right, and a short run measures them. No figure counts."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from app.db.engine import Database
from bench.apps.store import connect, make_tables
from bench.growth import measure, table
from bench.load import read_wrk, write_requests
from bench.subjects import FLOOR, PUBLIC_URL, Ground, write_callbacks
from support.factories import ACCOUNT, AUTH_TOKEN, Tenant
from support.processes import ROOT

pytestmark = pytest.mark.one_engine
WRK = """Running 4s test @ http://127.0.0.1:8000
  1 threads and 16 connections
  Latency Distribution
     50%    9.57ms
     75%   11.90ms
     90%   14.03ms
     99%    1.23s
  6609 requests in 4.00s, 1.08MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:   1651.83
Transfer/sec:    276.56KB
"""


def test_output_of_wrk_is_parsed() -> None:
    found = read_wrk(WRK)
    assert (found.asked, found.failed, found.per_second) == (6609, 10, 1651.83)
    assert (found.p50, found.p99) == (9.57, 1230.0)


def test_requests_are_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "requests.txt"
    write_requests(path, [("/a", ("X", "1"), "k=v"), ("/b", ("Y", "2"), {"k": "v"})])
    assert [line.split("\t") for line in path.read_text().splitlines()] == [
        ["/a", "X", "1", "application/x-www-form-urlencoded", "k=v"],
        ["/b", "Y", "2", "application/json", '{"k": "v"}'],
    ]


@pytest.mark.parametrize("name", ["floor", "plain"])
def test_compared_subjects_accept_signed_callbacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Break: sign the callbacks for another URL."""
    url = f"sqlite:///{tmp_path / 'beside.db'}"
    make_tables(url)
    given = {
        "BENCH_DATABASE": url,
        "BENCH_PUBLIC_URL": PUBLIC_URL,
        "BENCH_AUTH_TOKEN": AUTH_TOKEN,
        "BENCH_ACCOUNT_SID": ACCOUNT,
        "BORDERPOST_THREADS": "1",
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    client = Client(import_module(f"bench.apps.{name}").app)
    place = Ground(tmp_path, Database("sqlite://"), url, Tenant(*([None] * 5)), "", None)
    path = tmp_path / "requests.txt"
    write_callbacks(place, FLOOR, path, 2)
    for line in path.read_text().splitlines():
        target, header, value, kind, body = line.split("\t")
        for signature, status in ((value, 204), ("wrong", 403)):
            answer = client.post(
                target,
                data=body,
                headers={header: signature},
                content_type=kind,
                environ_overrides={"RAW_URI": target},
            )
            assert answer.status_code == status
    connection = connect(url)
    statuses = connection.execute("SELECT status FROM message").fetchall()
    events = connection.execute("SELECT count(*) FROM message_event").fetchone()
    connection.close()
    assert (statuses, events) == ([("delivered",)] * 2, (4,))


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_a_short_run_measures_every_subject_and_none_fails(tmp_path: Path) -> None:
    """Break: let the fake Twilio answer without a SID."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.2"]
    asked = ["--engines", "SQLite", "--trials", "sends", "--json", str(path)]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        command + asked,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    found = {
        (result["trial"], subject): rounds[0]
        for result in results
        for subject, rounds in result["rounds"].items()
    }
    assert len(found) == 3
    for subject, measured in found.items():
        assert measured["failed"] == 0, subject
        assert measured["per_second"] > 0, subject
        assert measured["memory_mib"] > 10, subject
    assert "| this gateway |" in done.stdout


def test_growth_measures_each_thing_at_a_small_size() -> None:
    """Break: write messages without events."""
    found = measure("SQLite", 2000, 1)
    assert all(value > 0 for value in found.values()), found
    assert found["bytes: message_events"] > 50
    assert {"look-up by id", "list, failed", "page Overview", "dry run, a country"} <= found.keys()
    assert "| look-up by id |" in table({"2,000": found})
