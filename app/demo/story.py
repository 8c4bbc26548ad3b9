"""What the demo shows: one message's life to `delivered`, and one send to a blocked country."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from app.demo.processes import DemoFailed
from app.demo.tenant import DemoTenant

ALLOWED_NUMBER = "+12025550123"  # reserved for fiction
BLOCKED_NUMBER = "+5511961234567"  # libphonenumber's example of a mobile number in Brazil
_WATCH_SECONDS = 20
_WATCH_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Story:
    """Tells what happens to two sends, line by line."""

    url: str
    tenant: DemoTenant
    tell: Callable[[str], None]

    def __call__(self) -> None:
        """Send, watch and be refused.

        Raises:
            DemoFailed: the gateway answers otherwise than it should.
        """
        self.tell(f"\nPOST /v1/sms to {ALLOWED_NUMBER} (US, allowed)")
        status, answer = self._send(ALLOWED_NUMBER)
        if status != 201:  # noqa: PLR2004
            raise DemoFailed(f"the send was answered {status}: {json.dumps(answer)}")
        self.tell(f"  201  id {answer['id']}")
        self._watch(answer["id"])
        self.tell(f"\nPOST /v1/sms to {BLOCKED_NUMBER} (BR, not allowed)")
        status, answer = self._send(BLOCKED_NUMBER)
        if answer.get("code") != "DestinationBlocked":
            raise DemoFailed(f"the send was answered {status}: {json.dumps(answer)}")
        self.tell(f"  {status}  {answer['code']}: {answer['message']}")
        self.tell(f"       {json.dumps(answer['details'])}")

    def _send(self, number: str) -> tuple[int, Any]:
        body = {
            "use_case_id": self.tenant.use_case_id,
            "to_phone_number": number,
            "message": "Your code is 4711",
        }
        return self._ask("POST", "/v1/sms", body)

    def _watch(self, message_id: str) -> None:
        started = time.monotonic()
        seen = ""
        while seen != "delivered":
            waited = time.monotonic() - started
            if waited > _WATCH_SECONDS:
                raise DemoFailed(f"the message is still {seen} after {_WATCH_SECONDS} s")
            _, message = self._ask("GET", f"/v1/sms/{message_id}")
            if message["status"] != seen:
                seen = message["status"]
                self.tell(f"  {waited:4.1f} s  {seen}")
            else:
                time.sleep(_WATCH_PAUSE_SECONDS)

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = urllib3.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"AccessKey {self.tenant.access_key}"},
            timeout=30.0,
            retries=False,
        )
        return answer.status, json.loads(answer.data)
