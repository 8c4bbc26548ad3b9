"""The log lines of a module, whatever other tests did to the log's settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict


@contextmanager
def lines_of(*modules: ModuleType) -> Iterator[list[EventDict]]:
    """Give the modules fresh loggers and collect what they say."""
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "_log", structlog.get_logger())
        with capture_logs() as lines:
            yield lines
