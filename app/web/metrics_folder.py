"""The folder in which the processes of one host share their metrics."""

import os
import tempfile
from functools import cache


@cache
def make_metrics_folder() -> str:
    """Create the folder once in a process, and set prometheus_client's variable.

    Call it before importing prometheus_client.
    """
    folder = tempfile.mkdtemp(prefix="borderpost-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder
