"""Each filter of the list of messages is led to its rows by an index, on the embedded engine.

PostgreSQL chooses by what its tables hold, which a small one does not show.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.access.principal import Principal, Role
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.queries.read import MessageFilter, page_of_messages
from app.messages.record import RECORD_COLUMNS
from app.providers.port import Status

NOW = utc_now()
PRINCIPAL = Principal(uuid4(), "key", uuid4(), uuid4(), Role.VIEWER)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "ix_messages_workspace_id_id"),
        ({"page_token": new_id()}, "ix_messages_workspace_id_id"),
        ({"status": Status.DELIVERED}, "ix_messages_workspace_id_id"),
        ({"status": Status.PENDING}, "ix_messages_unfinished"),
        ({"status": Status.SENT}, "ix_messages_unfinished"),
        ({"status": Status.UNDELIVERED}, "ix_messages_erred"),
        ({"status": Status.FAILED}, "ix_messages_erred"),
        ({"country": "US"}, "ix_messages_country_traffic"),
        ({"to_number": "+12025550123"}, "ix_messages_number_traffic"),
        ({"use_case_id": uuid4()}, "ix_messages_use_case_id_id"),
        ({"created_before": NOW - timedelta(days=9)}, "ix_messages_workspace_id_id"),
    ],
)
def test_a_filter_has_its_index(sqlite_url: str, wanted: dict[str, Any], index: str) -> None:
    query = page_of_messages(RECORD_COLUMNS, PRINCIPAL, MessageFilter(limit=20, **wanted), NOW)
    database = Database(sqlite_url)
    with database.reading() as connection:
        text = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    database.close()
    (step,) = plan
    assert step.startswith(f"SEARCH messages USING INDEX {index} "), plan
    if "created_before" in wanted:
        assert "id<?" in step
