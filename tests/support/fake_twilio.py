"""A fake at the edge: the HTTP client under Twilio's real SDK, with scripted answers."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twilio.http import HttpClient
from twilio.http.response import Response


@dataclass
class Call:
    """One request that the SDK made."""

    method: str
    uri: str
    params: dict[str, Any] | None
    data: dict[str, Any]
    auth: tuple[str, str] | None


_ACCOUNT_URI = re.compile(r"/Accounts/AC\w+\.json$")
Answer = Response | Exception | Callable[[Call], Response]


def accepted(number: int = 1, **fields: Any) -> Response:
    """Twilio's answer to a create through a Messaging Service."""
    body = {
        "sid": f"SM{number:032x}",
        "status": "accepted",
        "from": None,
        "num_segments": "0",
        "error_code": None,
    }
    return Response(201, json.dumps(body | fields))


def refused(code: int, status: int = 400) -> Response:
    """Twilio's error body; its message holds a number, as the real one may."""
    return Response(
        status,
        json.dumps(
            {
                "code": code,
                "message": "about +12025550123",
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            }
        ),
    )


@dataclass
class FakeTwilio(HttpClient):
    """Answers with what the script says, then accepts everything."""

    script: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    # What the account with a SID answers when it is fetched; None: 200 to every token.
    account: Callable[[str, str], Response] | None = None
    proofs: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def request(  # noqa: PLR0917 (the SDK's own signature)
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = False,
    ) -> Response:
        if _ACCOUNT_URI.search(uri):
            return self._account(*auth)
        call = Call(method, uri, params, dict(data or {}), auth)
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
            answer = self.script.pop(0) if self.script else None
        if answer is None:
            return accepted(number)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer(call)

    def _account(self, sid: str, token: str) -> Response:
        with self._lock:
            self.proofs.append((sid, token))
        if self.account is not None:
            return self.account(sid, token)
        return Response(200, json.dumps({"sid": sid, "status": "active"}))
