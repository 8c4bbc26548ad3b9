"""The findings of `doctor`, and its checks that need the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sqlalchemy import select

from app.access.tables import provider_accounts, workspaces
from app.bootstrap import open_cipher, open_provider
from app.db.engine import Database
from app.providers.port import AccountRefused, AccountSetup, ProviderAccount, ProviderUnknown
from app.settings import Settings
from app.use_cases.tables import use_cases

_TAKEN = 204
_NOT_SIGNED = 403


class Level(StrEnum):
    """The severity of a finding; only ``bad`` makes `doctor` exit 1."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with the remedy of a problem."""

    level: Level
    name: str
    text: str


ok = partial(Finding, Level.OK)
warning = partial(Finding, Level.WARNING)
bad = partial(Finding, Level.BAD)


def look_at_twilio(settings: Settings, database: Database) -> Iterator[Finding]:
    """Check each account and Messaging Service, and send one signed probe."""
    setup = open_provider(settings, open_cipher(settings)).setup
    with database.reading() as connection:
        rows = connection.execute(select(provider_accounts).order_by(provider_accounts.c.sid))
        accounts = [ProviderAccount(row.sid, row.auth_token) for row in rows]
        columns = use_cases.c
        query = select(columns.name, columns.messaging_service_sid, workspaces.c.account_sid)
        query = query.join(workspaces, workspaces.c.id == columns.workspace_id)
        query = query.where(columns.deleted_at.is_(None), columns.active)
        services = connection.execute(query.order_by(columns.messaging_service_sid)).all()
    if not accounts:
        yield warning("Twilio account", "no workspace has one: see `borderpost apply`")
        return
    yield from _callbacks(settings, setup, accounts[0])
    for account in accounts:
        mine = {
            one.messaging_service_sid: one.name
            for one in services
            if one.account_sid == account.sid
        }
        yield from _account(settings, setup, account, mine)


def _callbacks(
    settings: Settings, setup: AccountSetup, account: ProviderAccount
) -> Iterator[Finding]:
    name = "callbacks"
    try:
        status = setup.probe_callback(account)
    except AccountRefused:
        return  # reported by the check of the tokens
    except ProviderUnknown as problem:
        yield bad(
            name,
            f"{settings.public_url} cannot be reached from here ({problem}): see that the gateway "
            "and the proxy run and that the name leads to them",
        )
        return
    if status == _TAKEN:
        yield ok(name, "a signed callback is accepted at the public URL")
        return
    text = f"a signed one was answered {status} at {settings.public_url}: "
    text += (
        "the gateway there has another BORDERPOST_PUBLIC_URL or database, or the proxy rewrites "
        "the query; its log names the URL that would have matched"
        if status == _NOT_SIGNED
        else "something else answers there: look at the proxy"
    )
    yield bad(name, text)


def _account(
    settings: Settings, setup: AccountSetup, account: ProviderAccount, services: dict[str, str]
) -> Iterator[Finding]:
    name = f"Twilio account {account.sid}"
    try:
        state = setup.account_state(account)
        if state is None:
            yield bad(name, "refuses our credentials: set its auth token by `borderpost apply`")
            return
        if not state.is_active:
            yield bad(name, f"is {state.status}: see Twilio's console")
            return
        yield ok(name, "is active")
        for sid, use_case in services.items():
            yield from _service(settings, setup, account, (sid, use_case))
    except ProviderUnknown as problem:
        text = f"Twilio could not be asked ({problem}): check the network and Twilio's status"
        yield warning(name, text)


def _service(
    settings: Settings, setup: AccountSetup, account: ProviderAccount, service: tuple[str, str]
) -> Iterator[Finding]:
    sid, use_case = service
    name, wanted = f"Messaging Service {sid} of {use_case}", setup.inbound_url
    found = setup.service(account, sid)
    if found is None:
        yield bad(name, "does not exist in the account: correct messaging_service_sid")
    elif not found.has_senders:
        yield bad(name, "has no sender: add one to its pool in Twilio")
    elif settings.twilio_url is None and found.inbound_url != wanted:
        where = "its numbers, each" if found.is_inbound_on_numbers else "it"
        yield warning(
            name,
            "does not send us what recipients write, so STOP does not reach the opt-out list: set "
            f"the incoming message address of {where} to {wanted} (POST)",
        )
    else:
        yield ok(name, "has senders")
