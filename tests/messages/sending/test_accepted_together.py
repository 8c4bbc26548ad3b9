"""Acceptances that are stored together: one statement on PostgreSQL, with one answer for each."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from app.messages.lifecycle import Submission
from app.messages.sending.idempotency import identify
from app.messages.sending.open_submission import open_submission
from app.messages.sending.record_outcome import (
    Acceptance,
    accept_submission,
    accept_submissions,
)
from app.messages.tables import idempotency_keys, messages
from app.providers.port import Accepted
from support.callbacks import new_sid
from support.factories import Factory, Tenant
from support.submissions import new_submission

pytestmark = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)


def _opened(factory: Factory, tenant: Tenant, key: str | None = None) -> Acceptance:
    """Open a submission; return what the provider answers to it."""
    new = new_submission(tenant, factory.now, idempotent=None if key is None else identify(key, {}))
    assert open_submission(factory.database, new)[0]
    return Acceptance(
        new, Accepted(new_sid(), "+12025550100", False), f'{{"of": "{key}"}}', factory.now
    )


def _accept(factory: Factory, *several: Acceptance) -> list[str | None]:
    with factory.database.writing_once() as connection:
        return accept_submissions(connection, several)


def test_each_message_and_key_is_stored_as_if_it_came_alone(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: join the keys without the id of the message."""
    alone, *together = (_opened(factory, tenant, key) for key in ("0", "1", None, "3"))
    with factory.database.writing() as connection:
        assert accept_submission(connection, alone) == alone.answer
    assert _accept(factory, *together) == [one.answer for one in together]

    rows = {row["id"]: row for row in factory.rows(messages)}
    expected = {**rows[alone.submission.message_id], "id": None, "message_sid": None}
    for one in together:
        row = rows[one.submission.message_id]
        assert row["message_sid"] == one.accepted.message_sid
        assert {**row, "id": None, "message_sid": None} == expected
    assert {row["message_id"]: row["answer"] for row in factory.rows(idempotency_keys)} == {
        one.submission.message_id: one.answer
        for one in (alone, *together)
        if one.submission.idempotent is not None
    }


def test_an_answer_that_was_stored_before_is_returned(factory: Factory, tenant: Tenant) -> None:
    """Break: return the new answer."""
    first, other = _opened(factory, tenant, "1"), _opened(factory, tenant, "2")
    _accept(factory, first)
    again = replace(first, answer="another")
    assert _accept(factory, again, other) == [first.answer, other.answer]


def test_a_message_that_is_locked_or_was_given_up_is_left_out(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: leave out SKIP LOCKED, and the statement waits for 2 s and fails."""
    locked, given_up, free = (_opened(factory, tenant, key) for key in ("1", "2", "3"))
    columns = messages.c
    with factory.database.writing() as connection:
        connection.execute(
            update(messages)
            .where(columns.id == given_up.submission.message_id)
            .values(submission=Submission.NOT_CONFIRMED, status="failed")
        )
    with factory.database.writing() as connection:
        held = select(columns.id).where(columns.id == locked.submission.message_id)
        connection.execute(held.with_for_update()).one()
        assert _accept(factory, locked, given_up, free) == [None, None, free.answer]
    assert {row["message_id"]: row["answer"] for row in factory.rows(idempotency_keys)} == {
        locked.submission.message_id: None,
        given_up.submission.message_id: None,
        free.submission.message_id: free.answer,
    }
