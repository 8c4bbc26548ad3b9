"""The folder in which the processes of one gateway share their metrics."""

import os
import tempfile
from functools import cache


@cache
def make_metrics_folder() -> str:
    """Make the folder, once in a process, and name it to prometheus_client by its variable.

    gunicorn reads its configuration again with each reload, and the same folder is then returned.
    It must be called before anything imports prometheus_client.
    """
    folder = tempfile.mkdtemp(prefix="borderpost-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder
