"""The processes of the demo, and the file with the addresses of the running one."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30
_STOP_SECONDS = 30
_FILE = "demo.running"


class DemoFailed(Exception):
    """The text has reason and remedy."""


def require_free_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise DemoFailed(
                f"port {port} is taken on this machine: choose another, for example "
                f"`PORT={port + 1000} make run`"
            ) from problem


@contextmanager
def running_gateway(port: int, environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """Yield its base URL once it is ready; raises `DemoFailed`."""
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    with _running(command, environ, log) as gateway:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(gateway, url, log)
        yield url


@contextmanager
def running_worker(environ: Mapping[str, str], log: Path) -> Iterator[None]:
    with _running(["app.cli", "worker"], environ, log):
        yield


@contextmanager
def _running(
    module: list[str], environ: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "app.demo.child", *module],
            cwd=ROOT,
            env=os.environ | dict(environ),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            _stop(process)


def _wait_until_ready(gateway: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if gateway.poll() is not None:
            raise DemoFailed(f"the gateway ended at its start; its last words are in {log}")
        try:
            answer = urllib3.request("GET", f"{url}/readyz", timeout=1.0, retries=False)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
            continue
        if answer.status == 200:  # noqa: PLR2004
            return
        time.sleep(0.1)
    raise DemoFailed(f"the gateway was not ready after {_START_SECONDS} s; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The addresses of a demo; ``twilio_url`` is None without the emulator."""

    public_url: str
    twilio_url: str | None
    process_id: int = field(default_factory=os.getpid)


@contextmanager
def noted_demo(instance: Path) -> Iterator[Path]:
    """Lock the instance folder; yield the file for the addresses.

    The lock ends with the process. Raises `DemoFailed` for a second demo.
    """
    path = instance / _FILE
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            demo = find_running_demo(instance)
            named = "" if demo is None else f" (process {demo.process_id})"
            raise DemoFailed(
                f"a demo already runs from {instance}{named}: stop it, or choose another folder "
                "with BORDERPOST_INSTANCE"
            ) from problem
        file.truncate(0)  # removes the addresses of a killed demo
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def write_note(path: Path, demo: RunningDemo) -> None:
    path.write_text(json.dumps(asdict(demo)) + "\n", encoding="utf-8")


def find_running_demo(instance: Path) -> RunningDemo | None:
    try:
        with (instance / _FILE).open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return RunningDemo(**json.loads(file.read()))
    except (OSError, ValueError, TypeError):
        pass  # no demo, or it has not written its addresses yet
    return None
