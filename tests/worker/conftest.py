"""What the worker's tests share."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.factories import Factory, Tenant
from support.worker_setup import Worker, set_up_worker


@pytest.fixture
def run_at_once() -> Callable[..., list[Any]]:
    """Run a function in several threads that start together; their results."""

    def run(function: Callable[[], Any], threads: int) -> list[Any]:
        barrier = threading.Barrier(threads)

        def one() -> Any:
            barrier.wait()
            return function()

        with ThreadPoolExecutor(threads) as pool:
            return [future.result() for future in [pool.submit(one) for _ in range(threads)]]

    return run


@pytest.fixture
def worker(factory: Factory, tenant: Tenant, tmp_path: Path) -> Worker:
    """A gateway whose time stands still, and the follow-up over the same fake Twilio."""
    return set_up_worker(factory, tenant, tmp_path)
