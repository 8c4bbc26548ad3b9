"""The quick finder: pages, countries, and messages by id, SID or number."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request

from app.access.roles import Role
from app.console.country_options import country_options, sort_key
from app.console.guard import Visits
from app.console.language import visitor_language
from app.console.messages_page import MESSAGES
from app.console.navigation import DESTINATIONS, MENU
from app.console.pages import go_to, page_answer
from app.console.searches import MessageSearch
from app.console.typed_number import tidy_number
from app.kernel.errors import ValidationFailed
from app.kernel.texts import is_storable
from app.people.visitor import Visitor
from app.web.bodies import load
from app.web.routes import Answer, Routes

routes = Routes("Console", described=False)
FIND = "/console/find"
_MOST = 20
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One result: its kind, its name and its page."""

    kind: str
    label: str
    path: str


@routes.add("GET", FIND, guard=Visits(Role.VIEWER), answers={200: "text/html", 303: None})
def find_page(visitor: Visitor) -> Answer:
    """List what a text finds; a single result is opened."""
    text = request.args.get("q", "").strip()[:_LONGEST]
    text = text if is_storable(text) else ""
    found = find(visitor, text) if text else []
    if len(found) == 1:
        return go_to(found[0].path)
    return page_answer(visitor, "find.html", text=text, found=found[:_MOST])


def find(visitor: Visitor, text: str) -> list[Found]:
    """Return the pages, countries and messages that a text finds."""
    return [*_messages(text), *_pages(visitor, text), *_countries(text)]


def _messages(text: str) -> list[Found]:
    try:
        load(MessageSearch(), {"to_number": text})
    except ValidationFailed:
        return []
    query = urlencode({"to_number": text})
    return [Found("Messages", f"Messages of {tidy_number(text)}", f"{MESSAGES}?{query}")]


def _pages(visitor: Visitor, text: str) -> list[Found]:
    found = {
        item.path: Found("Page", item.label, item.path)
        for item in MENU
        if item.is_shown_to(visitor) and _matches(text, " ".join((*item.trail, item.label)))
    }
    return list(found.values())


def _countries(text: str) -> list[Found]:
    found = []
    for code, label in country_options(visitor_language()):
        if _matches(text, label):
            found.append(Found("Country", f"Messages to {label}", f"{MESSAGES}?country={code}"))
            found.append(
                Found(
                    "Country", f"{label} in Manage Destinations", f"{DESTINATIONS}?country={code}"
                )
            )
    return found


def _matches(text: str, label: str) -> bool:
    plain = sort_key(label)
    return all(word in plain for word in sort_key(text).split())
