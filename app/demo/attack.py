"""Replays a pumping attack through the send operation."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert

from app.access.principal import Actor, ActorKind, hash_token
from app.db.encryption import Cipher
from app.db.engine import Database
from app.demo.attack_trace import ALLOWED, HOME, AttackTrace, TraceSend
from app.demo.tenant import use_case_of_file
from app.destinations.manage import ChangeRequest
from app.guards.alerts import AlertKind, load_open, render_alert
from app.guards.manage import ManageGuards
from app.guards.suggest import apply_suggestion
from app.kernel.errors import GuardTripped, PublicError
from app.kernel.ids import first_id_at
from app.kernel.texts import count_segments
from app.messages.lifecycle import Submission
from app.messages.sending.send import SendCall, SendMessage, SendRequest
from app.messages.tables import messages
from app.prices.price_table import PriceTable, amount_text, estimate_price
from app.providers.port import Status
from app.provisioning.apply import apply

_TEXT = "Your code is 4711"
_SENT = "sent"
_SEGMENTS = count_segments(_TEXT)


class TraceClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True)
class AttackedTenant:
    workspace_id: UUID
    use_case_id: UUID
    account_sid: str
    access_key: str


def make_attacked_tenant(database: Database, cipher: Cipher, now: datetime) -> AttackedTenant:
    """The workspace may reach all countries of the trace."""
    account_sid = f"AC{secrets.token_hex(16)}"
    workspace = {
        "name": "Attacked",
        "home_country": HOME,
        "destinations": dict.fromkeys(ALLOWED, "allowed"),
        "twilio": {"account_sid": account_sid, "auth_token": secrets.token_hex(16)},
        "access_keys": [{"name": "leaked", "role": "sender"}],
        "use_cases": [use_case_of_file(f"MG{secrets.token_hex(16)}")],
    }
    wanted = {"organization": {"name": "Attack demo"}, "workspaces": [workspace]}
    made = apply(database, cipher, wanted, environ={}, now=now).document["workspaces"][0]
    return AttackedTenant(
        workspace_id=UUID(made["id"]),
        use_case_id=UUID(made["use_cases"][0]["id"]),
        account_sid=account_sid,
        access_key=made["access_keys"][0]["token"],
    )


@dataclass(frozen=True, slots=True)
class AttackReport:
    """Results by `sent`, guard with window, or error code. Amounts in millionths."""

    attack: Counter[str]
    normal: Counter[str]
    began_at: datetime
    first_alert_at: datetime | None
    alerts: tuple[dict[str, Any], ...]
    currency: str | None
    cost_left: int
    cost_without_guards: int

    @property
    def seconds_to_alert(self) -> float | None:
        """Since the first message of the attack."""
        if self.first_alert_at is None:
            return None
        return (self.first_alert_at - self.began_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        return {
            "attack": _results(self.attack),
            "normal": _results(self.normal),
            "seconds_to_alert": self.seconds_to_alert,
            "alerts": list(self.alerts),
            "currency": self.currency,
            "cost": amount_text(self.cost_left),
            "cost_without_guards": amount_text(self.cost_without_guards),
        }


def _results(counts: Counter[str]) -> dict[str, Any]:
    stopped = {name: count for name, count in sorted(counts.items()) if name != _SENT}
    return {"sends": counts.total(), "sent": counts[_SENT], "stopped_by": stopped}


@dataclass(frozen=True, slots=True)
class ReplayAttack:
    database: Database
    send: SendMessage
    guards: ManageGuards
    tenant: AttackedTenant
    prices: PriceTable
    clock: TraceClock

    def __call__(self, trace: AttackTrace, advance: Callable[[int], object]) -> AttackReport:
        """``advance`` is called after each send."""
        self.clock.at = trace.sends[0].at
        with self.database.writing() as connection:
            _store_history(connection, self.tenant, trace.history)
        self._set_guards()
        attack: Counter[str] = Counter()
        normal: Counter[str] = Counter()
        left: list[TraceSend] = []
        for one in trace.sends:
            self.clock.at = one.at
            result = self._result(one)
            (attack if one.is_attack else normal)[result] += 1
            if one.is_attack and result == _SENT:
                left.append(one)
            advance(1)
        attacks = [one for one in trace.sends if one.is_attack]
        with self.database.reading() as connection:
            rows = load_open(connection, self.tenant.workspace_id, AlertKind.GUARD_TRIPPED)
        alerts = sorted(rows, key=lambda row: row.opened_at)
        return AttackReport(
            attack=attack,
            normal=normal,
            began_at=attacks[0].at,
            first_alert_at=alerts[0].opened_at if alerts else None,
            alerts=tuple(map(render_alert, alerts)),
            currency=self.prices.currency,
            cost_left=self._cost(left),
            cost_without_guards=self._cost(attacks),
        )

    def _set_guards(self) -> None:
        """Do the same as `borderpost guards suggest --apply`."""
        workspace_id = self.tenant.workspace_id
        found = self.guards.suggest(workspace_id)
        asked = ChangeRequest(
            Actor(ActorKind.SYSTEM, "demo"), "suggested from two weeks of traffic"
        )
        self.guards.change(workspace_id, lambda current, _: apply_suggestion(current, found), asked)

    def _result(self, one: TraceSend) -> str:
        request = SendRequest(self.tenant.use_case_id, one.number, _TEXT)
        try:
            self.send(SendCall(hash_token(self.tenant.access_key), request))
        except GuardTripped as tripped:
            details = tripped.details or {}
            return f"{details['guard']} per {details['window']}"
        except PublicError as refused:
            return refused.code
        return _SENT

    def _cost(self, sends: Iterable[TraceSend]) -> int:
        found = (estimate_price(self.prices, one.country, _SEGMENTS, one.at) for one in sends)
        return sum(one.millionths for one in found if one is not None)


def _store_history(
    connection: Connection, tenant: AttackedTenant, history: Iterable[TraceSend]
) -> None:
    rng = random.Random(0)  # noqa: S311  # these bits only make ids differ
    connection.execute(insert(messages), [_message(tenant, one, rng) for one in history])


def _message(tenant: AttackedTenant, one: TraceSend, rng: random.Random) -> dict[str, Any]:
    ended_at = one.at + timedelta(seconds=3)
    return {
        "id": UUID(int=first_id_at(one.at).int | rng.getrandbits(62)),
        "workspace_id": tenant.workspace_id,
        "use_case_id": tenant.use_case_id,
        "account_sid": tenant.account_sid,
        "submission": Submission.ACCEPTED,
        "status": Status.DELIVERED,
        "to_number": one.number,
        "country": one.country,
        "counted_segments": _SEGMENTS,
        "num_segments": _SEGMENTS,
        "handed_off_at": ended_at,
        "delivered_at": ended_at,
        "created_at": one.at,
        "updated_at": ended_at,
    }


def report_lines(report: AttackReport) -> Iterator[str]:
    yield f"{'':8}{'sends':>8}{'sent':>8}{'refused':>9}"
    for name, counts in (("attack", report.attack), ("normal", report.normal)):
        sent, total = counts[_SENT], counts.total()
        yield f"{name:8}{total:>8}{sent:>8}{total - sent:>9}"
    yield ""
    for name, count in sorted((report.attack + report.normal).items()):
        if name != _SENT:
            yield f"stopped by   {name}: {count}"
    for alert in report.alerts:
        details = alert["details"]
        of = "" if details["value"] is None else f" {details['value']}"
        yield (
            f"alert        {details['guard']} per {details['window']}{of}: limit "
            f"{details['limit']}, {details['hits']} refused, opened {alert['opened_at']}"
        )
    if report.seconds_to_alert is not None:
        yield f"first alert  {report.seconds_to_alert:.0f} s after the attack began"
    if report.currency is not None:
        yield (
            f"cost         {amount_text(report.cost_left)} {report.currency} left; without guards "
            f"it would have been {amount_text(report.cost_without_guards)} {report.currency}"
        )
