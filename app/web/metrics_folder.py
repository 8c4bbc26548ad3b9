"""The folder in which the processes of one host share their metrics."""

import os
import tempfile
from functools import cache

_MEMORY = "/dev/shm"  # noqa: S108  # the folder in it belongs to this user alone


@cache
def make_metrics_folder() -> str:
    """Call it before importing prometheus_client, which reads the variable.

    The folder is in memory, unless TMPDIR names a place: prometheus_client maps files, and a
    write to a page without room on the disk would end the process (SIGBUS).
    """
    is_in_memory = "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK | os.X_OK)
    parent = _MEMORY if is_in_memory else None
    folder = tempfile.mkdtemp(prefix="borderpost-metrics-", dir=parent)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder
