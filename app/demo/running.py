"""The note of a running demo, by which commands in another terminal find its addresses."""

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
    """Where a running demo is reached; ``twilio_url`` is None if it runs without its emulator."""

    public_url: str
    twilio_url: str | None


@contextmanager
def noted_demo(instance: Path) -> Iterator[Path]:
    """Claim the instance folder for one demo until the block ends; yield the file for its note.

    The lock ends with the process, so a demo that was killed leaves no claim.

    Raises:
        DemoFailed: another demo runs from this folder.
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
        file.truncate(0)  # a demo that was killed has left its note
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def write_note(path: Path, demo: RunningDemo) -> None:
    """Write the addresses of the running demo."""
    path.write_text(json.dumps(asdict(demo)) + "\n", encoding="utf-8")


def find_running_demo(instance: Path) -> RunningDemo | None:
    """Return the demo that runs from this instance folder; None if none does."""
    try:
        with (instance / _FILE).open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return RunningDemo(**json.loads(file.read()))
    except (OSError, ValueError, TypeError):
        pass  # there is no note, or the demo is about to write it
    return None
