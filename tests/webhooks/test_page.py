"""What docs/webhooks.md tells receivers to do works, and what it lists is what there is."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from freezegun import freeze_time
from standardwebhooks import WebhookVerificationError

from app.webhooks.address import MAX_URL_CHARS
from app.webhooks.deliveries import DELAYS, DISABLED_AFTER
from app.webhooks.endpoints import MAX_ENDPOINTS, mint_secret, signed_headers
from app.webhooks.outbox import KEPT_DAYS, SMS_FIELDS, EventType
from app.webhooks.sender import SECONDS, DeliveryState, Failure
from support.loopback import Loopback, answer
from support.time import ManualClock

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = '{"type":"sms.sent","data":{"text":"\u00fc"}}'
Receive = Callable[[str, dict[str, str], bytes], Any]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def receivers() -> list[Receive]:
    found = []
    for code in blocks("python"):
        names: dict[str, Any] = {}
        exec(code, names)
        found.append(names["receive"])
    return found


@pytest.mark.parametrize("receive", receivers(), ids=["with the library", "without it"])
def test_documented_code_accepts_only_our_signatures(receive: Receive) -> None:
    clock, secret, older = ManualClock(), mint_secret(), mint_secret()
    headers = signed_headers([secret, older], UUID(int=1), clock.at, BODY)
    with freeze_time(clock.at):
        for live in (secret, older):
            assert receive(live, headers, BODY.encode()) == json.loads(BODY)
        wrong = (ValueError, WebhookVerificationError)
        with pytest.raises(wrong):
            receive(mint_secret(), headers, BODY.encode())
        with pytest.raises(wrong):
            receive(secret, headers, BODY.encode() + b" ")
        with pytest.raises(wrong):
            receive(secret, headers | {"webhook-id": str(uuid4())}, BODY.encode())
    clock.advance(301)
    with freeze_time(clock.at), pytest.raises(wrong):
        receive(secret, headers, BODY.encode())


@pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("sh", "openssl", "curl", "base64", "od")),
    reason="the shell example needs openssl and curl",
)
def test_the_shell_example_signs_as_we_do() -> None:
    example = next(block for block in blocks("sh") if "openssl" in block)
    secret = mint_secret()
    with Loopback(script=[answer(204, "")]) as receiver:
        environ = {"PATH": os.environ["PATH"], "SECRET": secret, "RECEIVER": receiver.url}
        done = subprocess.run(
            ["sh", "-eu", "-c", example], env=environ, capture_output=True, text=True, check=True
        )
        (request,) = receiver.requests
    assert done.stdout == "204\n"
    assert receivers()[1](secret, request.headers, request.body.encode())["type"] == "sms.sent"


def test_the_page_lists_every_event_state_failure_and_field() -> None:
    for name in (*EventType, *DeliveryState, *Failure):
        assert f"`{name}`" in PAGE
    (example,) = (json.loads(block) for block in blocks("json"))
    assert tuple(example) == SMS_FIELDS


def test_the_page_has_the_numbers_of_the_program() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| after the previous one"))
    units = {"s": 1, "min": 60, "h": 3600}
    delays = [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", row)]
    assert delays == [delay.total_seconds() for delay in DELAYS]
    assert f"within {SECONDS:g} seconds" in PAGE
    assert f"up to {MAX_ENDPOINTS} endpoints" in PAGE
    assert f"up to {MAX_URL_CHARS} characters" in PAGE
    assert f"{KEPT_DAYS} days" in PAGE
    assert DISABLED_AFTER.days == 5
    assert "of five days" in PAGE
