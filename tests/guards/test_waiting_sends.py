"""Sends that lock the same counter wait in the process, and not in PostgreSQL."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import pytest

from app.kernel.locks import KeyedLocks
from support.factories import ACCOUNT, Factory, Gateway


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Hashable]:
    found: list[Hashable] = []

    @contextmanager
    def holding(_locks: KeyedLocks, key: Hashable) -> Iterator[None]:
        found.append(key)
        yield

    monkeypatch.setattr(KeyedLocks, "holding", holding)
    return found


def test_guarded_sends_of_a_workspace_wait_in_the_process_on_postgresql(
    gateway: Gateway, factory: Factory, taken: list[Hashable]
) -> None:
    """Break: give each send a lock of its own. SQLite's writes share a commit instead."""
    guarded = factory.tenant(factory.organization(), guarded=True, account_sid=ACCOUNT)
    for _ in range(2):
        assert gateway.send(guarded).status_code == 201
    if factory.database.is_sqlite:
        assert taken == []
    else:
        assert len(taken) == 2
        assert set(taken) == {(guarded.workspace_id, "workspace", "")}
