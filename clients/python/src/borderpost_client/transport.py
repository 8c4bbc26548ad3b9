"""Requests over HTTP, repeated only where that is safe."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3

from borderpost_client.errors import ApiError, NoAnswer, error_of

_ERROR = 400
_SERVER_ERROR = 500
_NEVER_PROCESSED = frozenset({409, 429, 503})
_STAYS = frozenset({"DestinationsInherited"})  # a 409 that a repetition does not change
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 8.0
# Raised before anything of the request was sent.
_NOT_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    body: Any
    headers: Mapping[str, str]


@dataclass
class Transport:
    """Asks one gateway with one access key."""

    base_url: str
    access_key: str = field(repr=False)
    timeout: float
    retry_seconds: float
    pool: urllib3.PoolManager
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool | None = None,
    ) -> Answer:
        """Ask, and repeat what is safe until ``retry_seconds`` are over.

        ``is_repeatable`` says that a request that may have arrived can be sent again: one with an
        idempotency key. If it is left out, only GET is.

        Raises:
            ApiError: the API refused it, or answered that it cannot serve until the time was over.
            NoAnswer: the connection failed or broke.
        """
        repeatable = method == "GET" if is_repeatable is None else is_repeatable
        until, pause = self.clock() + self.retry_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._ask_once(method, path, body, query, headers)
            except (ApiError, NoAnswer) as problem:
                if not _may_repeat(problem, repeatable=repeatable):
                    raise
                wait = _jittered(pause)
                if isinstance(problem, ApiError):
                    wait = max(wait, problem.retry_after or 0.0)
                if self.clock() + wait > until:
                    raise
            self.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _ask_once(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        given = {"Authorization": f"AccessKey {self.access_key}", "Accept": "application/json"}
        given |= headers or {}
        fields = {name: str(value) for name, value in (query or {}).items() if value is not None}
        try:
            answer = self.pool.request(
                method,
                _with_query(self.base_url + path, fields),
                # As UTF-8 on the wire, which urllib3 would refuse to encode.
                headers={name: text.encode().decode("latin-1") for name, text in given.items()},
                json=body,
                timeout=urllib3.Timeout(connect=min(5.0, self.timeout), read=self.timeout),
                retries=False,
                redirect=False,
            )
        except _NOT_CONNECTED as problem:
            raise NoAnswer(f"not connected: {problem}", may_have_arrived=False) from problem
        except urllib3.exceptions.HTTPError as problem:
            raise NoAnswer(f"no answer: {problem}", may_have_arrived=True) from problem
        found = _json_of(answer.data)
        is_from_proxy = not isinstance(found, dict) or "code" not in found
        if answer.status >= _SERVER_ERROR and is_from_proxy:
            raise NoAnswer(f"a proxy answered {answer.status}", may_have_arrived=True)
        if answer.status >= _ERROR or found is None:
            raise error_of(answer.status, found, answer.headers)
        return Answer(found, answer.headers)


def _may_repeat(problem: ApiError | NoAnswer, *, repeatable: bool) -> bool:
    if isinstance(problem, NoAnswer):
        return repeatable or not problem.may_have_arrived
    return problem.status in _NEVER_PROCESSED and problem.code not in _STAYS


def _jittered(pause: float) -> float:
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)


def _with_query(url: str, fields: Mapping[str, str]) -> str:
    return f"{url}?{urlencode(fields)}" if fields else url


def _json_of(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
