"""What is measured one request at a time: reading the policy, verdicts, a page of a large table."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, literal_column, select, text

from app.access.roles import Role
from app.access.tokens import hash_token
from app.kernel.clock import utc_now
from app.kernel.phone import resolve
from app.messages.context import load_send_context
from app.messages.tables import messages
from bench.load import Asked, Client
from support.round_trips import counting_round_trips
from support.stage import Stage
from support.world import US_NUMBER, open_gateway

VERDICTS = 1000
# A UUIDv7 of its own for each n: a millisecond each, the newest now.
_NEW_ID = (
    "(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - n), 12, '0') || '7000' || '8'"
    " || substr(md5(n::text), 1, 15))::uuid"
)


def round_trips_of_a_send(stage: Stage) -> int:
    """Count what goes over the wire to PostgreSQL for one send."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = open_gateway(stage.database, stage.vault, Path(folder))
        with counting_round_trips(stage.database) as trips:
            for _ in range(50):  # until each connection has prepared its statements
                assert gateway.send(stage.tenant).status_code == 201
                found = trips.take()
    return found


def seconds_of_reading_a_policy(stage: Stage, times: int = 300) -> float:
    """Measure the statement of a send that reads its key, use case, policy and opt-outs."""
    to, token_hash = resolve(US_NUMBER), hash_token(stage.tenant.keys[Role.SENDER])

    def read() -> None:
        with stage.database.reading() as connection:
            load_send_context(
                connection,
                token_hash=token_hash,
                use_case_id=stage.tenant.use_case_id,
                to=to,
                idempotent=None,
                now=utc_now(),
            )

    return _median(read, times)


def seconds_of_a_check(stage: Stage, client: Client, times: int = 10) -> float:
    """Measure the verdicts for a thousand numbers."""
    target = f"/workspaces/{stage.tenant.workspace_id}/destination-management/capability/sms/check"
    body = {"numbers": [f"+1202{2_000_000 + place}" for place in range(VERDICTS)]}

    def check() -> None:
        answer = _answered(client.ask("POST", target, body))
        assert len(answer["verdicts"]) == VERDICTS

    return _median(check, times)


def seconds_of_a_page(client: Client, times: int = 30) -> tuple[float, float]:
    """Measure the newest page of the list of messages, and the pages behind it."""
    token = ""

    def newest() -> None:
        _answered(client.ask("GET", "/v1/sms?limit=20"))

    def next_page() -> None:
        nonlocal token
        answer = _answered(client.ask("GET", f"/v1/sms?limit=20{token}"))
        token = f"&page_token={answer['next_page_token']}"

    return _median(newest, times), _median(next_page, times)


def fill(connection: Connection, rows: int) -> None:
    """Make so many messages out of the newest, on PostgreSQL, where they are made."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    newest = select(messages).order_by(messages.c.id.desc()).limit(1).subquery()
    numbers = text(f"generate_series(1, {rows}) AS n")
    columns = [
        literal_column(_NEW_ID) if column.name == "id" else newest.c[column.name]
        for column in messages.c
    ]
    made = select(*columns).select_from(newest).join(numbers, text("true"))
    connection.execute(insert(messages).from_select(list(messages.c), made))


def _answered(asked: Asked) -> Any:
    assert asked.status == 200, asked
    return asked.body


def _median(work: Callable[[], None], times: int) -> float:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)
