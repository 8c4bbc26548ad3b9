"""The messages of the demo: one allowed, one blocked."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from app.demo.processes import DemoFailed
from app.demo.tenant import DemoTenant

# libphonenumber's examples of mobile numbers.
_EXAMPLES = (
    "+15062345678",
    "+447400123456",
    "+33612345678",
    "+4915123456789",
    "+525512345678",
    "+5511961234567",
    "+918123456789",
)
_SHOWN_BLOCKED_FIRST = "+5511961234567"
_ENDED = frozenset({"delivered", "undelivered", "failed"})
_WATCH_SECONDS = 20
_WATCH_PAUSE_SECONDS = 0.1
_CREATED = 201
_SERVER_ERROR = 500
_RESET = "`make demo-reset` removes the demo's organization; the next `make run` makes it afresh."


@dataclass(frozen=True, slots=True)
class Story:
    url: str
    tenant: DemoTenant
    echo: Callable[[str], None]

    def __call__(self) -> str:
        """Send both messages; return a number to try. Raises `DemoFailed`."""
        verdicts = self._check_numbers()
        allowed = next((one for one in verdicts if one["allowed"]), None)
        blocked = [one for one in verdicts if not one["allowed"]]
        blocked.sort(key=lambda one: one["number"] != _SHOWN_BLOCKED_FIRST)
        if allowed is None:
            self.echo(
                f"\nThe policy of the demo's workspace allows no number of this demo. {_RESET}"
            )
        else:
            self._send_allowed(allowed["number"], allowed["country"])
        if blocked:
            self._send_blocked(blocked[0]["number"], blocked[0]["country"])
        else:
            self.echo("\nThe policy of the demo's workspace blocks no number of this demo.")
        return str((allowed or verdicts[0])["number"])

    def _check_numbers(self) -> list[dict[str, Any]]:
        path = f"/workspaces/{self.tenant.workspace_id}/destination-management/capability/sms/check"
        # Of the hundred reserved for fiction: one alone meets the guard `number` after ten starts.
        fictional = f"+120255501{secrets.randbelow(100):02}"
        status, answer = self._ask("POST", path, {"numbers": (fictional, *_EXAMPLES)})
        if "verdicts" not in answer:
            raise DemoFailed(f"the check of numbers was answered {status}: {json.dumps(answer)}")
        found: list[dict[str, Any]] = answer["verdicts"]
        return found

    def _send_allowed(self, number: str, country: str) -> None:
        self.echo(f"\nPOST /v1/sms to {number} ({country}, allowed)")
        status, answer = self._send(number)
        if status == _CREATED:
            self.echo(f"  201  id {answer['id']}")
            self._watch(answer["id"])
            return
        self._echo_refusal(status, answer)
        self.echo(f"  Something was changed since the demo was made. {_RESET}")

    def _send_blocked(self, number: str, country: str) -> None:
        self.echo(f"\nPOST /v1/sms to {number} ({country}, not allowed)")
        self._echo_refusal(*self._send(number))

    def _echo_refusal(self, status: int, answer: Any) -> None:
        if status >= _SERVER_ERROR or "code" not in answer:
            raise DemoFailed(f"the send was answered {status}: {json.dumps(answer)}")
        self.echo(f"  {status}  {answer['code']}: {answer['message']}")
        if "details" in answer:
            self.echo(f"       {json.dumps(answer['details'])}")

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
        while seen not in _ENDED:
            waited = time.monotonic() - started
            if waited > _WATCH_SECONDS:
                raise DemoFailed(f"the message is still {seen} after {_WATCH_SECONDS} s")
            _, message = self._ask("GET", f"/v1/sms/{message_id}")
            if message["status"] != seen:
                seen = message["status"]
                self.echo(f"  {waited:4.1f} s  {seen}")
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
