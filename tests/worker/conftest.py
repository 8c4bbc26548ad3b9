"""What the worker's tests share."""

from pathlib import Path

import pytest

from support.factories import Factory, Tenant
from support.worker_setup import Worker, set_up_worker


@pytest.fixture
def worker(factory: Factory, tenant: Tenant, tmp_path: Path) -> Worker:
    """A gateway whose time stands still, and the follow-up over the same fake Twilio."""
    return set_up_worker(factory, tenant, tmp_path)
