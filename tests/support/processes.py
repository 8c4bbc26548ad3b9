"""The gateway's real processes, each in a process group of its own that ends with its block."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from support.polling import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was started here, leader of its own group, and its log."""

    popen: subprocess.Popen[bytes]
    log: Path

    def children(self) -> list[int]:
        """The processes that it has started itself, gunicorn's web processes for one."""
        pid = self.popen.pid
        with suppress(OSError):
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            return sorted(int(word) for word in text.split())
        return []

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to end and give back its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE_SECONDS)


@contextmanager
def running(
    module: list[str],
    environ: Mapping[str, str],
    log: Path,
    inherited: tuple[int, ...] = (),
    program: Path = ROOT,
) -> Iterator[Process]:
    """Run ``python -m module …`` of a tree until the block ends."""
    known = {name: text for name, text in os.environ.items() if not name.startswith("BORDERPOST_")}
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=program,
            env=known | dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        if popen.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.stop()
        process.kill()


@contextmanager
def running_gateway(
    listener: socket.socket,
    environ: Mapping[str, str],
    log: Path,
    wsgi: str = "wsgi:app",
    options: tuple[str, ...] = (),
    *,
    program: Path = ROOT,
) -> Iterator[Process]:
    """Run gunicorn on a socket that is bound already; closed here, it is gunicorn's alone."""
    bind = f"fd://{listener.fileno()}"
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/readyz"
    command = ["gunicorn", "--bind", bind, *options, wsgi]
    with running(command, environ, log, (listener.fileno(),), program) as process:
        listener.close()
        web = int(environ["WEB_CONCURRENCY"])
        eventually(lambda: _is_ready(process, url) and len(process.children()) == web)
        yield process


@contextmanager
def running_worker(environ: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run one worker."""
    with running(["app.cli", "worker"], environ, log) as process:
        yield process


def _is_ready(process: Process, url: str) -> bool:
    assert process.popen.poll() is None, process.log.read_text(encoding="utf-8")[-2000:]
    try:
        answer = urllib3.request("GET", url, timeout=PATIENCE_SECONDS, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return bool(answer.status == 200)
