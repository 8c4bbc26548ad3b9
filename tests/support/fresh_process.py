"""Processes with nothing of this one in them: copies of one that has loaded the program, and no more."""

import multiprocessing

# Not forked from this process, which has threads; a spawned one would load the program anew.
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["app.application"])
