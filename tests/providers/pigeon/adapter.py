"""Pigeon, a provider that does not exist: JSON over HTTP, and a second adapter of the ports."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, request

from app.db.encryption import Cipher, DecryptionError
from app.kernel import errors as e
from app.kernel.ids import parse_id
from app.kernel.phone import PhoneNumber
from app.providers.port import (
    Accepted,
    AccountRefused,
    AccountState,
    Callbacks,
    Charge,
    Consent,
    CountryPrices,
    DeliveryReport,
    ErrorCodes,
    GeoFacts,
    GeoPermission,
    ItemOutcome,
    Listing,
    NetworkPrice,
    NeverProcessed,
    Outbound,
    Outcome,
    Provider,
    ProviderAccount,
    ProviderMessage,
    ProviderUnknown,
    RefusalKind,
    Refused,
    ServiceSetup,
    Status,
    Unconfirmed,
    WantedPermission,
)
from app.web.registry import get_service
from app.web.routes import Answer, Routes

CALLBACK_PATH = "/v1/webhook/pigeon"
SIGNATURE = "Pigeon-Signature"
CODES = {
    101: RefusalKind.INVALID_DESTINATION,
    102: RefusalKind.DESTINATION_BLOCKED,
    103: RefusalKind.RECIPIENT_OPTED_OUT,
    104: RefusalKind.NO_SENDER_NUMBER,
    105: RefusalKind.PROVIDER_MISCONFIGURED,
}
MEANINGS = {103: "The recipient shooed our pigeons."}
STATUSES = {
    "loft": Status.PENDING,
    "aloft": Status.SENT,
    "landed": Status.DELIVERED,
    "strayed": Status.UNDELIVERED,
    "grounded": Status.FAILED,
}
_OK, _REFUSED, _UNAUTHORIZED, _NOT_FOUND, _THROTTLED = 200, 422, 401, 404, 429
# Method, path, token and body; returns status and body, or raises `OSError`.
Exchange = Callable[[str, str, str, Any], tuple[int, Any]]


def meaning_of(code: int | None) -> RefusalKind | None:
    """Return the meaning of a code; unknown ones are a general refusal."""
    return None if code is None else CODES.get(code, RefusalKind.MESSAGE_REJECTED)


@dataclass(frozen=True)
class Wire:
    """Asks as an account."""

    exchange: Exchange
    cipher: Cipher

    def token_of(self, account: ProviderAccount) -> str:
        try:
            return self.cipher.decrypt(account.sid, account.encrypted_auth_token)
        except DecryptionError as problem:
            raise AccountRefused("the stored token cannot be decrypted") from problem

    def get(self, account: ProviderAccount, path: str, body: Any = None) -> Any:
        """Return an answer; None for a 404. Raises `ProviderUnknown`."""
        token = self.token_of(account)
        try:
            status, found = self.exchange("GET" if body is None else "PUT", path, token, body)
        except OSError as problem:
            raise ProviderUnknown("Pigeon cannot be reached") from problem
        if status == _UNAUTHORIZED:
            raise AccountRefused("Pigeon refuses the token")
        if status == _NOT_FOUND:
            return None
        if status != _OK or not isinstance(found, dict):
            raise ProviderUnknown(f"Pigeon answered {status}")
        return found


@contextmanager
def reading() -> Iterator[None]:
    """Take an answer of another shape for one that cannot be read."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as problem:
        raise ProviderUnknown("Pigeon's answer cannot be read") from problem


@dataclass(frozen=True)
class PigeonSms:
    wire: Wire

    def create(self, outbound: Outbound) -> Outcome:
        try:
            token = self.wire.token_of(outbound.account)
        except AccountRefused:
            return Refused(RefusalKind.PROVIDER_MISCONFIGURED, None)
        body = {
            "reference": str(outbound.message_id),
            "service": outbound.messaging_service_sid,
            "to": outbound.to_number,
            "text": outbound.body,
        }
        try:
            status, found = self.wire.exchange("POST", "/messages", token, body)
        except ConnectionRefusedError:
            return NeverProcessed()
        except OSError as problem:
            return Unconfirmed(type(problem).__name__)
        return _outcome_of(status, found)


def _outcome_of(status: int, found: Any) -> Outcome:
    if status == _THROTTLED:
        return NeverProcessed()
    if status == _UNAUTHORIZED:
        return Refused(RefusalKind.PROVIDER_MISCONFIGURED, None)
    match found:
        case {"code": int(code)} if status == _REFUSED:
            return Refused(meaning_of(code) or RefusalKind.MESSAGE_REJECTED, code)
        case {"id": str(sid), "status": str(word), "code": code} if status == _OK:
            kind = meaning_of(code)
            if kind is not None:
                return Refused(kind, code, sid)
            return Accepted(sid, None, STATUSES.get(word) is Status.FAILED)
        case _:
            return Unconfirmed(f"HTTP {status}")


@dataclass(frozen=True)
class PigeonMessages:
    wire: Wire

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        found = self.wire.get(account, f"/messages/{message_sid}")
        with reading():
            return None if found is None else _message(found)

    def list_to(self, account: ProviderAccount, to_number: str, since: datetime) -> Listing:
        found = self.wire.get(account, f"/messages?to={to_number}") or {}
        with reading():
            listed = [_message(one) for one in found["messages"]]
        return Listing([one for one in listed if one.created_at and one.created_at >= since])

    def list_charges(
        self, account: ProviderAccount, since: datetime, until: datetime
    ) -> Iterator[Sequence[Charge]]:
        found = self.wire.get(account, f"/messages?since={since}&until={until}") or {}
        with reading():
            listed = [_message(one) for one in found["messages"]]
        yield [
            Charge(one.message_sid, one.price, one.price_unit)
            for one in listed
            if one.price and one.price_unit
        ]


def _message(found: dict[str, Any]) -> ProviderMessage:
    code = found["code"]
    return ProviderMessage(
        message_sid=found["id"],
        messaging_service_sid=found["service"],
        to_number=found["to"],
        body=found["text"],
        status=STATUSES.get(found["status"], Status.PENDING),
        provider_status=found["status"],
        created_at=datetime.fromisoformat(found["at"]),
        error_code=code,
        meaning=meaning_of(code),
        from_number=found["from"],
        num_segments=found["segments"],
        price=found["price"],
        price_unit=found["currency"],
    )


@dataclass(frozen=True)
class PigeonPermissions:
    wire: Wire
    facts = GeoFacts(unsupported=frozenset({"AQ"}), error_code=102)

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        found = self.wire.get(account, "/countries") or {}
        with reading():
            return [GeoPermission(code, bool(is_open)) for code, is_open in found["open"].items()]

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        asked = {one.country: one.is_open for one in wanted}
        done = self.wire.get(account, "/countries", asked) or {}
        with reading():
            is_done = [done["open"].get(one.country) is one.is_open for one in wanted]
        return [
            ItemOutcome(one, None if applied else "Pigeon refused it")
            for one, applied in zip(wanted, is_done, strict=True)
        ]


@dataclass(frozen=True)
class PigeonPrices:
    wire: Wire

    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        found = self.wire.get(account, f"/prices/{country}")
        if found is None:
            return None
        with reading():
            networks = [NetworkPrice(name, Decimal(one)) for name, one in found["prices"].items()]
            return CountryPrices(found["currency"], networks)


@dataclass(frozen=True)
class PigeonAccount:
    """Registrations, set-up and the proof of a token: this provider has one resource for them."""

    wire: Wire
    public_url: str

    @property
    def inbound_url(self) -> str:
        return self.public_url + CALLBACK_PATH

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        return self._status(account, brand_sid)

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        return self._status(account, campaign_sid)

    def _status(self, account: ProviderAccount, sid: str) -> str:
        found = self.wire.get(account, f"/registrations/{sid}")
        if found is None:
            raise ProviderUnknown("Pigeon has no such registration")
        with reading():
            return str(found["status"])

    def accepts(self, account_sid: str, auth_token: str) -> bool:
        try:
            status, found = self.wire.exchange("GET", "/account", auth_token, None)
        except OSError as problem:
            raise e.ProviderUnavailable from problem
        if status == _UNAUTHORIZED:
            return False
        if status != _OK or not isinstance(found, dict) or found.get("id") != account_sid:
            raise e.ProviderUnavailable
        return True

    def account_state(self, account: ProviderAccount) -> AccountState | None:
        self.wire.token_of(account)
        try:
            found = self.wire.get(account, "/account") or {}
        except AccountRefused:
            return None
        with reading():
            return AccountState(found["state"], found["state"] == "flying")

    def service(self, account: ProviderAccount, service_sid: str) -> ServiceSetup | None:
        found = self.wire.get(account, f"/services/{service_sid}")
        with reading():
            return None if found is None else ServiceSetup(bool(found["senders"]), None, False)

    def probe_callback(self, account: ProviderAccount) -> int:
        raise ProviderUnknown("Pigeon is not probed")


def open_pigeon(exchange: Exchange, cipher: Cipher, public_url: str) -> Provider:
    wire = Wire(exchange, cipher)
    of_account = PigeonAccount(wire, public_url)
    return Provider(
        codes=ErrorCodes(MEANINGS, "https://pigeon.example/codes/{code}", 103),
        sms=PigeonSms(wire),
        messages=PigeonMessages(wire),
        geo=PigeonPermissions(wire),
        registrations=of_account,
        prices=PigeonPrices(wire),
        prover=of_account,
        setup=of_account,
    )


routes = Routes("Pigeon webhooks", ignores_unknown=True)


def signature_of(token: str, body: bytes) -> str:
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class SignedByPigeon:
    rule: str = "Pigeon's signature"

    def __call__(self) -> dict[str, Any]:
        try:
            found = json.loads(request.data)
            account_sid = str(found["account"])
        except (ValueError, LookupError, TypeError) as problem:
            raise e.Forbidden from problem
        given = request.headers.get(SIGNATURE, "")
        tokens = get_service(Callbacks).tokens
        for look_up in (tokens.kept, tokens.fresh):
            expected = [signature_of(one, request.data) for one in look_up(account_sid)]
            if any(hmac.compare_digest(one.encode(), given.encode()) for one in expected):
                return dict(found)
        raise e.Forbidden


@routes.add("POST", CALLBACK_PATH, SignedByPigeon(), {204: None}, errors=(e.Forbidden,))
def callback(found: dict[str, Any]) -> Answer:
    """Take a report, or what a recipient wrote."""
    callbacks = get_service(Callbacks)
    if "text" in found:
        recipient = PhoneNumber.parse(found["from"])
        wants = {"STOP": False, "START": True}.get(found["text"].upper())
        if wants is not None and recipient is not None:
            of = found["account"], found["service"], found["to"]
            callbacks.consent(Consent(*of, recipient, wants, found["id"]))
    else:
        callbacks.report(
            DeliveryReport(
                account_sid=found["account"],
                message_sid=found["id"],
                message_id=parse_id(found["reference"]),
                status=STATUSES.get(found["status"], Status.PENDING),
                provider_status=found["status"],
                error_code=found["code"],
                from_number=found["from"],
                meaning=meaning_of(found["code"]),
                is_signed=True,
            )
        )
    return Response(status=204)
