"""How many files of app/ run during one request: a flow can be read in few of them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from app.access.principal import Role
from support.console import signed_in
from support.factories import Gateway, Tenant
from support.fake_twilio import accepted

APP = Path(__file__).resolve().parents[2] / "app"
# What every flow shares is not counted: HTTP, the database and the basics.
SHARED = {"kernel", "db", "web"}
# The numbers reached; lower them when a flow gets shorter. The transport under a send is faked here.
SEND, CALLBACK, CHANGE, PAGE = 13, 7, 11, 16

pytestmark = pytest.mark.one_engine


@contextmanager
def running_files() -> Iterator[set[str]]:
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    found: set[str] = set()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        paths = (Path(name) for name in seen)
        inside = (path.relative_to(APP) for path in paths if path.is_relative_to(APP))
        found |= {
            path.as_posix()
            for path in inside
            if len(path.parts) > 1 and path.parts[0] not in SHARED and path.name != "tables.py"
        }


def counted(flow: Callable[[], Any], status: int, most: int) -> None:
    """Run a flow twice and count the second run: the first one fills caches."""
    flow()
    with running_files() as files:
        answer = flow()
    assert answer.status_code == status, answer.text
    assert len(files) <= most, sorted(files)


def test_a_send_runs_in_few_files(gateway: Gateway, tenant: Tenant) -> None:
    gateway.twilio.script += [accepted(1), accepted(2)]
    counted(lambda: gateway.send(tenant), 201, SEND)


def test_a_callback_runs_in_few_files(gateway: Gateway, tenant: Tenant) -> None:
    gateway.twilio.script += [accepted(1)]
    sent = gateway.send(tenant).json
    sid = sent["message_sid"]
    states = iter(("sent", "delivered"))
    counted(lambda: gateway.callback(sent["id"], sid, next(states)), 204, CALLBACK)


def test_a_change_of_destinations_runs_in_few_files(gateway: Gateway, tenant: Tenant) -> None:
    path = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms"
    maps = iter(({"US": "allowed"}, {"US": "allowed", "CA": "allowed"}))

    def put() -> Any:
        headers = {"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"}
        return gateway.client.put(path, json={"destinations": next(maps)}, headers=headers)

    counted(put, 200, CHANGE)


def test_the_destinations_page_runs_in_few_files(gateway: Gateway, tenant: Tenant) -> None:
    client = signed_in(gateway, tenant.keys[Role.ADMIN])
    counted(lambda: client.get("/console/destinations"), 200, PAGE)
