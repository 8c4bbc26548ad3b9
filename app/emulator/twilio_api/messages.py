"""The Message resource: create, list, fetch, redact and delete."""

import operator
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.emulator.emulator import Emulator, calling_account, current_emulator
from app.emulator.errors import TwilioError
from app.emulator.records import UNFINISHED, Message
from app.emulator.scenarios import CreateAnswer, Scenario
from app.emulator.twilio_api import create_message
from app.emulator.twilio_api.create_message import message_json
from app.emulator.whole_numbers import read_whole_number

_LARGEST_PAGE: Final = 1000
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "DateSent": operator.eq,
    "DateSent<": operator.le,
    "DateSent>": operator.ge,
}
blueprint = Blueprint("messages", __name__, url_prefix="/2010-04-01/Accounts/<account_sid>")
_MESSAGE_SID: Final = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")


def list_page(
    newest_first: Sequence[Message], path: str, query: Mapping[str, str]
) -> dict[str, object]:
    size = _number(query, "PageSize", 50, low=1, high=_LARGEST_PAGE)
    page = _number(query, "Page", 0)
    found = [message for message in newest_first if _matches(message, query)]
    after = _after(found, query.get("PageToken"))
    shown = after[:size]
    kept = {name: query[name] for name in ("To", "From", *_COMPARISONS) if name in query}
    base = f"{path}?{urlencode({**kept, 'PageSize': size, 'Page': ''})}"
    next_page = f"{base}{page + 1}&PageToken=PA{shown[-1].sid}" if len(after) > size else None
    start = page * size
    return {
        "end": start + max(len(shown) - 1, 0),
        "first_page_uri": f"{base}0",
        "next_page_uri": next_page,
        "page": page,
        "page_size": size,
        "previous_page_uri": f"{base}{page - 1}" if page else None,
        "start": start,
        "uri": f"{base}{page}",
        "messages": [message_json(message) for message in shown],
    }


def _after(found: list[Message], token: str | None) -> list[Message]:
    if token is None:
        return found
    sids = [message.sid for message in found]
    if token.removeprefix("PA") not in sids:
        raise TwilioError(20001, "PageToken")
    return found[sids.index(token.removeprefix("PA")) + 1 :]


def _matches(message: Message, query: Mapping[str, str]) -> bool:
    return (
        query.get("To", message.to) == message.to
        and query.get("From", message.sender) == message.sender
        and _was_sent_between(message.sent_at, query)
    )


def _was_sent_between(sent_at: datetime | None, query: Mapping[str, str]) -> bool:
    """Unsent messages only match without bounds."""
    bounds = {name: _bound(query[name]) for name in _COMPARISONS if name in query}
    if sent_at is None:
        return not bounds
    return all(
        _COMPARISONS[name](sent_at if isinstance(bound, datetime) else sent_at.date(), bound)
        for name, bound in bounds.items()
    )


def _bound(text: str) -> date:
    try:
        if "T" not in text:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TwilioError(20001, "DateSent") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(
    query: Mapping[str, str], name: str, default: int, *, low: int = 0, high: int = 10**6
) -> int:
    found = read_whole_number(query.get(name, str(default)), low, high)
    if found is None:
        raise TwilioError(20001, name)
    return found


@blueprint.post("/Messages.json")
def create(account_sid: str) -> Response:
    account = calling_account(account_sid)
    emulator = current_emulator()
    emulator.messages.count_attempt()
    scenario = emulator.scenarios.take(request.form.get("To", ""))
    if scenario.create is CreateAnswer.DROP_CONNECTION:
        return _hang_up()
    _refuse(scenario)
    create_message.check(request.form, account)
    message = create_message.new_message(request.form, account, emulator.config.now())
    emulator.messages.add(message)
    emulator.sender.begin(message, scenario)
    return _answer(emulator, message, scenario)


def _refuse(scenario: Scenario) -> None:
    if scenario.create is CreateAnswer.THROTTLE_429:
        raise TwilioError(20429, headers={"Retry-After": str(scenario.retry_after_seconds)})
    if scenario.create is CreateAnswer.REJECT:
        raise TwilioError(scenario.reject_code, status=scenario.reject_status)


def _answer(emulator: Emulator, message: Message, scenario: Scenario) -> Response:
    answer = jsonify(message_json(message))
    answer.status_code = 201
    match scenario.create:
        case CreateAnswer.TIMEOUT_AFTER_ACCEPTING:
            emulator.hold(scenario.hold_seconds)
        case CreateAnswer.ERROR_500_AFTER_ACCEPTING:
            raise TwilioError(20500)
        case CreateAnswer.RESET_AFTER_ACCEPTING:
            return _hang_up()
        case CreateAnswer.NONSENSE_AFTER_ACCEPTING:
            return Response("<html><body>It works!</body></html>", mimetype="text/html")
        case _:
            pass
    return answer


@blueprint.get("/Messages.json")
def list_messages(account_sid: str) -> Response:
    account = calling_account(account_sid)
    own = [
        message
        for message in current_emulator().messages.newest_first()
        if message.account_sid == account.sid
    ]
    return jsonify(list_page(own, request.path, request.args))


@blueprint.get("/Messages/<sid>.json")
def fetch(account_sid: str, sid: str) -> Response:
    return jsonify(message_json(_own_message(account_sid, sid)))


@blueprint.post("/Messages/<sid>.json")
def update(account_sid: str, sid: str) -> Response:
    """Redacts the body of a message; canceling is refused."""
    message = _own_message(account_sid, sid)
    if "Status" in request.form:
        raise TwilioError(30409)
    if request.form.get("Body") != "":
        raise TwilioError(20001, "Body must be empty")
    _require_finished(message)
    redacted = current_emulator().messages.change(sid, lambda now: replace(now, body=""))
    return jsonify(message_json(redacted or message))


@blueprint.delete("/Messages/<sid>.json")
def delete(account_sid: str, sid: str) -> Response:
    _require_finished(_own_message(account_sid, sid))
    current_emulator().messages.delete(sid)
    return Response(status=204)


def _own_message(account_sid: str, sid: str) -> Message:
    account = calling_account(account_sid)
    message = current_emulator().messages.find(sid) if _MESSAGE_SID.fullmatch(sid) else None
    if message is None or message.account_sid != account.sid:
        raise TwilioError(20404)
    return message


def _require_finished(message: Message) -> None:
    if message.status in UNFINISHED:
        raise TwilioError(20009)


class _NoAnswer(Iterator[bytes]):
    """A body that fails before its first byte: the server drops the answer."""

    def __next__(self) -> bytes:
        raise ConnectionAbortedError("the emulator hangs up here on purpose")


def _hang_up() -> Response:
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the client was faster
            connection.shutdown(socket.SHUT_RDWR)
    return Response(_NoAnswer())
