"""The quick finder: pages, countries, and messages by id, SID or number."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, request

from app.console.destinations.view import country_options, sort_key
from app.console.messages.page import MESSAGES, MessageSearch
from app.console.ui.forms import without_separators
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import DESTINATIONS, MENU, page_answer, redirect_with_flash
from app.kernel.errors import ValidationFailed
from app.kernel.texts import is_storable
from app.users.current_user import CurrentUser
from app.web.bodies import load

routes = Pages()
FIND = "/console/find"
_MOST = 20
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class SearchHit:
    kind: str
    label: str
    path: str


@routes.get(FIND, VIEWER)
def find_page(current_user: CurrentUser) -> Response:
    """Search; a single result is opened."""
    text = request.args.get("q", "").strip()[:_LONGEST]
    text = text if is_storable(text) else ""
    found = find(current_user, text) if text else []
    if len(found) == 1:
        return redirect_with_flash(found[0].path)
    return page_answer("overview/find.html", text=text, found=found[:_MOST])


def find(current_user: CurrentUser, text: str) -> list[SearchHit]:
    return [*_messages(text), *_pages(current_user, text), *_countries(text)]


def _messages(text: str) -> list[SearchHit]:
    try:
        load(MessageSearch(), {"to_number": text})
    except ValidationFailed:
        return []
    query = urlencode({"to_number": text})
    return [SearchHit("Messages", f"Messages of {without_separators(text)}", f"{MESSAGES}?{query}")]


def _pages(current_user: CurrentUser, text: str) -> list[SearchHit]:
    found = {
        item.path: SearchHit("Page", item.label, item.path)
        for item in MENU
        if item.is_shown_to(current_user) and _matches(text, " ".join((*item.trail, item.label)))
    }
    return list(found.values())


def _countries(text: str) -> list[SearchHit]:
    found = []
    for code, label in country_options():
        if _matches(text, label):
            found.append(SearchHit("Country", f"Messages to {label}", f"{MESSAGES}?country={code}"))
            found.append(
                SearchHit(
                    "Country", f"{label} in Manage Destinations", f"{DESTINATIONS}?country={code}"
                )
            )
    return found


def _matches(text: str, label: str) -> bool:
    plain = sort_key(label)
    return all(word in plain for word in sort_key(text).split())
