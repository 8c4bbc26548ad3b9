"""Ports that a test gives to a server before it is started."""

import os
import random
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

# The system gives the ports of this range to connections, so one of them could be taken before
# its server is started.
_OF_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_OF_LINUX = 32768
_FIRST_FOR_ALL = 1024  # lower ones are root's
_PER_WORKER = 1000


def first_port_of_connections() -> int:
    if not _OF_CONNECTIONS.exists():
        return _FIRST_OF_LINUX
    return int(_OF_CONNECTIONS.read_text(encoding="ascii").split()[0])


def free_ports(wanted: int) -> list[int]:
    """Return ports of loopback that nothing listens on and that no connection is given."""
    found: list[int] = []
    while len(found) < wanted:
        port = next(_candidates)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    return found


def _candidate_ports() -> Iterator[int]:
    """Each process of a test run has ports of its own, and begins anywhere among them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    lowest = max(first_port_of_connections() - _PER_WORKER * (worker % 8 + 1), _FIRST_FOR_ALL)
    start = random.randrange(_PER_WORKER)
    return (lowest + place % _PER_WORKER for place in count(start))


_candidates = _candidate_ports()
