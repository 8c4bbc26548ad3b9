"""The caller of a sign-in, for limits and audit."""

from flask import Response, request

from app.console.ui.guards import keep, presented, presented_token
from app.users.caller import KNOWN_FOR, Caller, KnownBrowserCookie, device_of
from app.users.sign_in import SignedIn
from app.web.peer import address_group, peer_address
from app.web.registry import get_service
from app.web.requests import current_request_id

_BROWSER = "borderpost_browser"


def current_caller() -> Caller:
    address = peer_address()
    return Caller(
        address=address,
        group=address_group(address),
        request_id=current_request_id(),
        browser=get_service(KnownBrowserCookie).read(presented(_BROWSER)),
        session_token=presented_token(),
        device=device_of(request.headers.get("User-Agent", "")),
    )


def keep_browser(answer: Response, signed_in: SignedIn) -> None:
    if signed_in.browser is not None:
        keep(answer, _BROWSER, signed_in.browser, KNOWN_FOR.total_seconds())
