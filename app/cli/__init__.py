"""The command line: `borderpost`, and the same commands under `flask --app wsgi`."""

# ruff: noqa: E402, F401
import gc
import logging

# Imports make many objects and no garbage: with the collector, a start takes a quarter longer.
gc.disable()

import os
import sys

# Each of them adds its commands to `borderpost`.
from app.cli import destinations, doctor, geo, guards, keys, prices, setup, use_cases, users, worker
from app.cli.demo import use_running_demo
from app.cli.group import borderpost
from app.web.logs import configure_logs

gc.freeze()  # the collector leaves the loaded program out, also at the end
gc.enable()


def main() -> None:
    configure_logs(level=logging.WARNING)
    use_running_demo(next(iter(sys.argv[1:]), ""), os.environ)
    borderpost(prog_name="borderpost")
