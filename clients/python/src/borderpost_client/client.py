"""The client: messages, destinations and guards."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import urllib3

from borderpost_client.errors import StillUnderway
from borderpost_client.models import Destinations, Event, Guards, Message, Verdict, read
from borderpost_client.transport import Answer, Transport

_PAGE = 100
_FIRST_LOOK_SECONDS = 0.2
_LAST_LOOK_SECONDS = 5.0


class Borderpost:
    """A client of one gateway with one access key. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        access_key: str,
        *,
        timeout: float = 35.0,
        retry_seconds: float = 30.0,
        pool_size: int = 10,
        ca_certs: str | None = None,
    ) -> None:
        """Make a client; nothing is connected yet.

        Args:
            base_url: the gateway's address, path prefix included.
            access_key: a key with the roles that the calls need.
            timeout: seconds to wait for an answer. A send may take 30.
            retry_seconds: for how long a request is repeated where that is safe; 0: never.
            pool_size: how many connections are kept.
            ca_certs: a file with the authorities to trust, in place of the system's.
        """
        pool = urllib3.PoolManager(maxsize=pool_size, block=True, ca_certs=ca_certs)
        self._transport = Transport(
            base_url=base_url.rstrip("/"),
            access_key=access_key,
            timeout=timeout,
            retry_seconds=retry_seconds,
            pool=pool,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.pool.clear()

    def send(
        self,
        use_case_id: str | uuid.UUID,
        to_phone_number: str,
        message: str,
        *,
        idempotency_key: str | None = None,
    ) -> Message:
        """Send a message, and return it as accepted.

        Without an ``idempotency_key`` this call makes one, so that its own repetitions are safe.
        Give one of yours where your program may repeat the call; an empty one is refused.

        Raises:
            Unconfirmed: Twilio may have it; follow ``message_id``.
            NoAnswer: no answer came in time; repeat with the same key.
            ApiError: it was refused, by the class that is named as its code.
        """
        body = {
            "use_case_id": str(use_case_id),
            "to_phone_number": to_phone_number,
            "message": message,
        }
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        answer = self._transport.ask(
            "POST",
            "/v1/sms",
            body=body,
            headers={"Idempotency-Key": key},
            is_repeatable=True,
        )
        return read(Message, answer.body)

    def message(self, message_id: str | uuid.UUID) -> Message:
        """Return a message as it is now."""
        return read(Message, self._transport.ask("GET", f"/v1/sms/{_part(message_id)}").body)

    def wait(self, message_id: str | uuid.UUID, *, timeout: float = 60.0) -> Message:
        """Return a message once it has ended: delivered, undelivered or failed.

        Some routes report nothing after ``sent``. A webhook is better than many waiting threads.

        Raises:
            StillUnderway: it has not ended within ``timeout`` seconds.
        """
        transport = self._transport
        until, pause = transport.clock() + timeout, _FIRST_LOOK_SECONDS
        while True:
            found = self.message(message_id)
            if found.has_ended:
                return found
            if transport.clock() + pause > until:
                raise StillUnderway(found.id, found.status)
            transport.sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK_SECONDS)

    def messages(
        self,
        *,
        status: str | None = None,
        country: str | None = None,
        use_case_id: str | uuid.UUID | None = None,
        to_number: str | None = None,
        created_after: str | datetime | None = None,
        created_before: str | datetime | None = None,
        workspace_id: str | uuid.UUID | None = None,
    ) -> Iterator[Message]:
        """Iterate over messages, newest first, page by page."""
        query = {
            "status": status,
            "country": country,
            "use_case_id": use_case_id,
            "to_number": to_number,
            "created_after": _time(created_after),
            "created_before": _time(created_before),
            "workspace_id": workspace_id,
        }
        for item in self._pages("/v1/sms", query):
            yield read(Message, item)

    def events(self, message_id: str | uuid.UUID) -> Iterator[Event]:
        """Iterate over what Twilio reported about a message, oldest first."""
        for item in self._pages(f"/v1/sms/{_part(message_id)}/events", {}):
            yield read(Event, item)

    def destinations(self, workspace_id: str | uuid.UUID) -> "DestinationsClient":
        """Return the client of a workspace's destinations."""
        return DestinationsClient(self._transport, _part(workspace_id))

    def guards(self, workspace_id: str | uuid.UUID) -> "GuardsClient":
        """Return the client of a workspace's guards."""
        return GuardsClient(self._transport, _part(workspace_id))

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        while True:
            wanted = {**query, "limit": _PAGE, "page_token": token}
            page = self._transport.ask("GET", path, query=wanted).body
            yield from page["items"]
            token = page["next_page_token"]
            if token is None:
                return


class DestinationsClient:
    """Which countries a workspace may reach."""

    def __init__(self, transport: Transport, workspace_id: str) -> None:
        self._transport = transport
        self._path = f"/workspaces/{workspace_id}/destination-management/capability/sms"

    def get(self) -> Destinations:
        """Return the country map with its revision."""
        return _destinations(self._transport.ask("GET", self._path))

    def allow(
        self, *countries: str, reason: str | None = None, if_match: int | None = None
    ) -> Destinations:
        """Allow countries by their ISO 3166-1 codes; in force for the next send."""
        return self._change("POST", "/allow", list(countries), reason, if_match)

    def block(
        self, *countries: str, reason: str | None = None, if_match: int | None = None
    ) -> Destinations:
        """Block countries; in force for the next send."""
        return self._change("POST", "/block", list(countries), reason, if_match)

    def replace(
        self,
        destinations: Mapping[str, str],
        *,
        reason: str | None = None,
        if_match: int | None = None,
    ) -> Destinations:
        """Replace the whole map; countries that it does not name are blocked.

        Raises:
            RevisionMismatch: ``if_match`` is not the current revision.
        """
        return self._change("PUT", "", dict(destinations), reason, if_match)

    def check(self, *numbers: str) -> list[Verdict]:
        """Return for each number, in the order given, whether it may be reached. Up to 1,000."""
        body = {"numbers": list(numbers)}
        answer = self._transport.ask("POST", self._path + "/check", body=body, is_repeatable=True)
        return [read(Verdict, one) for one in answer.body["verdicts"]]

    def _change(
        self, method: str, below: str, wanted: Any, reason: str | None, if_match: int | None
    ) -> Destinations:
        answer = self._transport.ask(
            method,
            self._path + below,
            body={"destinations": wanted},
            headers=_conditions(reason, if_match),
        )
        return _destinations(answer)


class GuardsClient:
    """The limits of a workspace."""

    def __init__(self, transport: Transport, workspace_id: str) -> None:
        self._transport = transport
        self._path = f"/v1/workspaces/{workspace_id}/guards"

    def get(self) -> Guards:
        """Return the guards with their revision."""
        return read(Guards, self._transport.ask("GET", self._path).body)

    def replace(
        self,
        guards: Mapping[str, Any],
        use_cases: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
        if_match: int | None = None,
    ) -> Guards:
        """Replace all guards: what is left out returns to its default."""
        answer = self._transport.ask(
            "PUT",
            self._path,
            body={"guards": dict(guards), "use_cases": dict(use_cases or {})},
            headers=_conditions(reason, if_match),
        )
        return read(Guards, answer.body)


def _part(an_id: str | uuid.UUID) -> str:
    """Return an id for a path, of which an empty one would name the list."""
    if not str(an_id):
        raise ValueError("an id must not be empty")
    return quote(str(an_id), safe="")


def _conditions(reason: str | None, if_match: int | None) -> dict[str, str]:
    headers = {}
    if reason is not None:
        headers["X-Change-Reason"] = reason
    if if_match is not None:
        headers["If-Match"] = f'"{if_match}"'
    return headers


def _destinations(answer: Answer) -> Destinations:
    found = answer.body.get("configuration", answer.body)
    revision = int(answer.headers["ETag"].strip('"'))
    return Destinations(destinations=found["destinations"], revision=revision)


def _time(at: str | datetime | None) -> str | None:
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is None:
        raise ValueError("a time needs its zone: datetime.now(UTC)")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
