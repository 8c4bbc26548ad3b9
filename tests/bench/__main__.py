"""`make bench`: this gateway beside a floor, the plain way and the bare SDK, under the same load.

Rounds are interleaved, so that a neighbour's load meets every subject; ratios are medians of the
rounds. Bounded in time and kept to loopback; ends what it starts and leaves nothing behind.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from bench.load import Load, ask, has_wrk
from bench.subjects import (
    BARE_SDK,
    BLOCKED,
    FLOOR,
    FLOOR_HERE,
    GATEWAY,
    GUARDED,
    PLAIN,
    UNGUARDED,
    Ground,
    Subject,
    fake_twilio,
    ground,
    served,
    write_callbacks,
    write_sends,
)
from bench.usage import cpu_seconds_below, memory_mib

ENGINES = ("PostgreSQL", "SQLite")
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One kind of load, and the subjects that meet it; the first is the measure of the others."""

    name: str
    subjects: tuple[Subject, ...]
    clients: int = 16
    threads: int = 32
    twilio_milliseconds: float = 0.0
    is_callback: bool = False
    blocked: bool = False


CALLBACKS = Trial("status callbacks", (FLOOR, PLAIN, GATEWAY), is_callback=True)
SENDS = Trial("sends, Twilio at 0 ms", (BARE_SDK, PLAIN, GATEWAY))
SLOW_SENDS = Trial(
    "sends, Twilio at 150 ms", (BARE_SDK, PLAIN, GATEWAY), 128, 64, twilio_milliseconds=150.0
)
WORKERS = Trial("status callbacks, by worker class", (FLOOR, FLOOR_HERE), is_callback=True)
BLOCKED_SENDS = Trial("blocked sends", (GATEWAY,), blocked=True)
GUARDED_SENDS = Trial("sends, guards off and on", (UNGUARDED, GUARDED))
TRIALS = {
    "callbacks": CALLBACKS,
    "sends": SENDS,
    "slow-sends": SLOW_SENDS,
    "blocked-sends": BLOCKED_SENDS,
    "workers": WORKERS,
    "guards": GUARDED_SENDS,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One subject in one round; CPU is microseconds a request."""

    per_second: float
    p50: float
    p99: float
    failed: int
    web_cpu: float
    database_cpu: float
    memory_mib: float


def main() -> None:
    """Measure, print, and write JSON where it is asked for."""
    given = _arguments()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    found: dict[str, Any] = {"machine": machine(), "results": []}
    lines: list[str] = []
    for engine in given.engines:
        with (
            tempfile.TemporaryDirectory(prefix="borderpost-bench-") as folder,
            ground(engine, Path(folder)) as place,
        ):
            for name in given.trials:
                trial = TRIALS[name]
                rounds = measure(place, trial, given.rounds, given.seconds)
                found["results"].append(
                    {
                        "engine": engine,
                        "trial": trial.name,
                        "rounds": {
                            subject: [asdict(one) for one in rows]
                            for subject, rows in rounds.items()
                        },
                    }
                )
                lines += [f"**{engine}: {trial.name}**, {trial.clients} clients", table(rounds)]
    print("\n\n".join([describe(found["machine"]), *lines]))
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each subject in each round")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--json", help="a file for the figures of every round")
    return parser.parse_args()


def measure(place: Ground, trial: Trial, rounds: int, seconds: float) -> dict[str, list[Measured]]:
    """Measure each subject in each round, in turns."""
    found: dict[str, list[Measured]] = {subject.name: [] for subject in trial.subjects}
    with fake_twilio(trial.twilio_milliseconds) as twilio_url:
        for number in range(rounds):
            order = trial.subjects if number % 2 == 0 else trial.subjects[::-1]
            for subject in order:
                done = _measure_one(place, trial, subject, twilio_url, seconds)
                found[subject.name].append(done)
                print(f"round {number}: {trial.name}: {subject.name}: {done}", file=sys.stderr)
    return found


def _measure_one(
    place: Ground, trial: Trial, subject: Subject, twilio_url: str, seconds: float
) -> Measured:
    requests = place.folder / "requests.txt"
    processes = 1 if place.server is None else os.cpu_count() or 2
    with served(subject, place, twilio_url, processes, trial.threads) as (process, port):
        if trial.is_callback:
            # As many as the quickest can answer: none is asked twice.
            write_callbacks(place, subject, requests, int((seconds + WARM_UP_SECONDS) * 2000))
        else:
            to = BLOCKED if trial.blocked else None
            write_sends(place.tenant_of(subject), requests, 20_000, to=to)
        warm = ask(port, requests, trial.clients, min(seconds, WARM_UP_SECONDS))
        before = _used(process.popen.pid, place.server)
        load = ask(port, requests, trial.clients, seconds, first=_after(warm, trial.clients))
        after = _used(process.popen.pid, place.server)
        memory = memory_mib([process.popen.pid, *process.children()])
    web, database = (
        (late - early) * 1e6 / max(1, load.asked) for early, late in zip(before, after, strict=True)
    )
    failed = load.failed if not trial.blocked else load.asked - load.failed
    return Measured(load.per_second, load.p50, load.p99, failed, web, database, memory)


def _after(warm: Load, clients: int) -> int:
    return warm.asked + clients


def _used(web: int, server: int | None) -> tuple[float, float]:
    return cpu_seconds_below(web), 0.0 if server is None else cpu_seconds_below(server)


HEAD = (
    "",
    "requests/s",
    "ratio",
    "p50 / p99 ms",
    "web CPU µs",
    "ratio",
    "database CPU µs",
    "memory MiB",
)


def table(rounds: dict[str, list[Measured]]) -> str:
    """Write medians with their spread; ratios are to the first subject, round by round."""
    first = next(iter(rounds.values()))
    rows = []
    for name, found in rounds.items():
        failed = sum(one.failed for one in found)
        rows.append(
            (
                name + (f" ({failed} failed)" if failed else ""),
                _median([one.per_second for one in found]),
                _ratio(
                    [
                        one.per_second / (base.per_second or 1)
                        for one, base in zip(found, first, strict=True)
                    ]
                ),
                f"{_median([one.p50 for one in found], 1)} / {_median([one.p99 for one in found], 1)}",
                _median([one.web_cpu for one in found]),
                _ratio(
                    [
                        one.web_cpu / (base.web_cpu or 1)
                        for one, base in zip(found, first, strict=True)
                    ]
                ),
                _median([one.database_cpu for one in found]),
                _median([one.memory_mib for one in found]),
            )
        )
    lines = (HEAD, ["---"] * len(HEAD), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _median(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f}"


def _ratio(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def machine() -> dict[str, Any]:
    """Describe where this ran."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 1),
        "clients": "wrk" if has_wrk() else "Python threads",
    }


def describe(found: dict[str, Any]) -> str:
    """Write the description as a line."""
    return (
        f"{found['cores']} cores ({found['architecture']}), load {found['load']} at the start; "
        f"Python {found['python']}; clients: {found['clients']}; database, fake Twilio and "
        "clients on the same machine"
    )


if __name__ == "__main__":
    main()
