"""A gateway whose every log line is kept, and what must not be found in them."""

import base64
import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from support.factories import ACCOUNT, Gateway, Tenant

NUMBER, BLOCKED, STRANGER = "+12025550187", "+5511961234587", "+447911123487"
BODY, REPLY = "planted text 918273", "planted reply 645362"
AUTH_TOKEN = "feedbeef0123456789abcdef01234567"


@dataclass
class Run:
    """A gateway whose every line is kept, and one tenant."""

    gateway: Gateway
    tenant: Tenant
    log: StringIO

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def events(self) -> set[str]:
        return {str(line["event"]) for line in self.lines()}

    def secrets(self) -> list[str]:
        """Whatever must not be found, in the forms in which it travels."""
        numbers = [NUMBER, BLOCKED, STRANGER]
        basic = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        return [
            *[number[1:] for number in numbers],
            *[BODY, BODY.replace(" ", "+"), BODY.replace(" ", "%20"), "918273"],
            *[REPLY, "645362"],
            *self.tenant.keys.values(),
            *[AUTH_TOKEN, basic, "AccessKey bp_"],
        ]
