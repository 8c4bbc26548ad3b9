"""The folder in which the processes of one host share their metrics."""

import os
import tempfile
from functools import cache


@cache
def make_metrics_folder() -> str:
    """Call it before importing prometheus_client, which reads the variable."""
    folder = tempfile.mkdtemp(prefix="borderpost-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder
