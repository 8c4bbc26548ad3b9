"""A file with the addresses of the running demo, for commands in another terminal."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app.demo.processes import DemoFailed

_FILE = "demo.running"


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The addresses of a demo; ``twilio_url`` is None without the emulator."""

    public_url: str
    twilio_url: str | None


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
            raise DemoFailed(
                f"a demo already runs from {instance}: stop it, or choose another folder with "
                "BORDERPOST_INSTANCE"
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
