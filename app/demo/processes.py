"""The processes of the demo."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30
_STOP_SECONDS = 30


class DemoFailed(Exception):
    """The text has reason and remedy."""


def require_free_port(port: int) -> None:
    """Raise `DemoFailed` if a loopback port is in use."""
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
    """Run gunicorn; yield its base URL once it is ready. Raises `DemoFailed`."""
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
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=os.environ | dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
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
