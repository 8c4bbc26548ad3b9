"""Load from clients in a process of their own: wrk where the system has it, else Python threads.

What is asked is a file with one request a line: target, header and its value, media type and body,
with tabs between them. Each client takes the next line; after the last one it begins again.
"""

import http.client
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.polling import PATIENCE_SECONDS

_LUA = """
local requests, count, place = {}, 0, tonumber(os.getenv("FROM_LINE"))
function init()
  for line in io.lines(os.getenv("REQUESTS")) do
    local target, name, value, kind, body = line:match("^(.-)\\t(.-)\\t(.-)\\t(.-)\\t(.*)$")
    count = count + 1
    requests[count] = wrk.format("POST", target, {
      ["Host"] = "127.0.0.1", ["Content-Type"] = kind, [name] = value}, body)
  end
end
function request()
  place = place % count + 1
  return requests[place]
end
"""
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients did; times are milliseconds."""

    asked: int
    failed: int
    per_second: float
    p50: float
    p99: float


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def ask(port: int, requests: Path, clients: int, seconds: float, first: int = 0) -> Load:
    """Ask for a time, from a line of the file on."""
    if has_wrk() and seconds >= 1:  # it counts whole seconds
        return _by_wrk(port, requests, clients, seconds, first)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_by_threads, port, requests, clients, seconds, first).result()


def _by_wrk(port: int, requests: Path, clients: int, seconds: float, first: int) -> Load:
    script = requests.with_suffix(".lua")
    script.write_text(_LUA, encoding="ascii")
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(clients), "--latency"),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{PATIENCE_SECONDS}s"),
            *("--script", str(script), f"http://127.0.0.1:{port}"),
        ],
        env=os.environ | {"REQUESTS": str(requests), "FROM_LINE": str(first)},
        capture_output=True,
        text=True,
        check=True,
    )
    return read_wrk(done.stdout)


def read_wrk(text: str) -> Load:
    """Read what wrk prints."""

    def found(pattern: str) -> str:
        match = re.search(pattern, text)
        assert match is not None, text
        return match[1]

    def milliseconds(percent: int) -> float:
        number, unit = re.fullmatch(r"([\d.]+)(\w+)", found(rf"\n\s+{percent}%\s+(\S+)")).groups()  # type: ignore[union-attr]
        return float(number) * _UNIT_MS[unit]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    cut = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = int(bad[1]) if bad else 0
    return Load(
        asked=int(found(r"(\d+) requests in")),
        failed=failed + (sum(map(int, cut.groups())) if cut else 0),
        per_second=float(found(r"Requests/sec:\s+([\d.]+)")),
        p50=milliseconds(50),
        p99=milliseconds(99),
    )


def _by_threads(port: int, requests: Path, clients: int, seconds: float, first: int) -> Load:
    lines = [line.split("\t") for line in requests.read_text(encoding="utf-8").splitlines()]
    places = iter(range(first, first + 10_000_000))
    taking, start, over = threading.Lock(), threading.Barrier(clients + 1), threading.Event()

    def run() -> list[tuple[int, float]]:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        done: list[tuple[int, float]] = []
        start.wait(PATIENCE_SECONDS)
        while not over.is_set():
            with taking:
                target, name, value, kind, body = lines[next(places) % len(lines)]
            began = time.perf_counter()
            link.request("POST", target, body, {name: value, "Content-Type": kind})
            with link.getresponse() as response:
                response.read()
            done.append((response.status, time.perf_counter() - began))
        link.close()
        return done

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(run) for _ in range(clients)]
        start.wait(PATIENCE_SECONDS)
        began = time.perf_counter()
        over.wait(seconds)
        over.set()
        done = [one for future in running for one in future.result()]
        took = time.perf_counter() - began
    times = sorted(seconds * 1000 for _, seconds in done)
    return Load(
        asked=len(done),
        failed=sum(status >= 300 for status, _ in done),
        per_second=len(done) / took,
        p50=times[len(times) // 2],
        p99=times[len(times) * 99 // 100],
    )


def write_requests(
    path: Path, requests: list[tuple[str, tuple[str, str], str | dict[str, str]]]
) -> None:
    """Write requests: target, a header, and a form as text or a JSON body."""
    with path.open("w", encoding="utf-8") as file:
        for target, (name, value), body in requests:
            is_form = isinstance(body, str)
            kind = "application/x-www-form-urlencoded" if is_form else "application/json"
            text = body if is_form else json.dumps(body)
            file.write(f"{target}\t{name}\t{value}\t{kind}\t{text}\n")
