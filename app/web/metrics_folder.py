"""The folder in which the processes of one host share their metrics."""

import os
import tempfile
from functools import cache

PREFIX = "borderpost-metrics-"
MEMORY = "/dev/shm"  # noqa: S108  # the folder in it belongs to this user alone


@cache
def make_metrics_folder() -> str:
    """Call it before importing prometheus_client, which reads the variable.

    The folder is in memory where possible: prometheus_client maps files, and a write to a page
    without room on the disk would end the process (SIGBUS).
    """
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder
