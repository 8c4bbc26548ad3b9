"""Sends a test event to one endpoint immediately, without a stored delivery."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from app.access.principal import Principal
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.ids import new_id
from app.webhooks.attempt import Attempt, NotDelivered, Sender
from app.webhooks.endpoints import load_endpoint
from app.webhooks.events import message_text
from app.webhooks.signing import FIXED_HEADERS, secret_owner, signed_headers

TEST_TYPE = "webhook.test"


@dataclass(frozen=True, slots=True)
class SendTestEvent:
    """Posts a signed ``webhook.test`` event, without retries or effects."""

    database: Database
    cipher: Cipher
    clock: Clock
    sender: Sender
    monotonic: Callable[[], float] = monotonic

    def __call__(self, principal: Principal, endpoint_id: UUID) -> Attempt:
        """Raises `NotFound`."""
        with self.database.reading() as connection:
            row = load_endpoint(connection, principal, endpoint_id)
        at, started = self.clock.now(), self.monotonic()
        data = json.dumps({"endpoint_id": str(endpoint_id), "test": True})
        text = message_text(TEST_TYPE, at, data)
        secret = self.cipher.decrypt(secret_owner(endpoint_id), row.secret)
        headers = FIXED_HEADERS | signed_headers([secret], new_id(), at, text)
        status, failure = None, None
        try:
            status = self.sender.post(row.url, text.encode(), headers).status
        except NotDelivered as problem:
            failure = problem.failure
        took = round((self.monotonic() - started) * 1000)
        return Attempt(at, took, status, failure)
