"""Runs a module in a process that ends with the demo."""

import os
import runpy
import signal
import sys
import threading


def _end_with_demo() -> None:
    # The demo holds the other end and writes nothing, so this returns when the demo is gone.
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=_end_with_demo, daemon=True).start()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
