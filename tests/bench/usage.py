"""What processes used, from the system's own accounting (Linux)."""

import os
import re
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds_below(parent: int) -> float:
    """Sum up the processor time of the children of a process."""
    found = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def memory_mib(processes: list[int]) -> float:
    """Sum up the memory of processes (PSS: what is shared counts once)."""
    found = 0
    for pid in processes:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        found += int(match[1]) if match else 0
    return found / 1024
