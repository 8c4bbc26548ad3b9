"""Rendering: the template environment and the response around a page."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, get_flashed_messages, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from app.access.roles import Role
from app.access.visibility import sees_recipients, shown_number, shown_reason
from app.console.form_tokens import form_token
from app.console.language import visitor_language
from app.console.navigation import menu_lines
from app.kernel.clock import Clock, rfc3339
from app.kernel.countries import country_name
from app.people.visitor import Visitor
from app.web.assets import asset_url
from app.web.html import html_answer
from app.web.wiring import service


def link(path: str) -> str:
    """Return the address of a console page, below the public prefix."""
    return request.script_root + path


def _country(code: str | None) -> str:
    return "No country" if not code else country_name(code, visitor_language())


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("app.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.globals.update(
        link=link,
        asset_url=asset_url,
        csrf_token=form_token,
        flashed=lambda: get_flashed_messages(with_categories=True),
        here=lambda: request.path,
        script_root=lambda: request.script_root,
        Role=Role,
    )
    made.filters.update(country=_country, utc=_utc, rfc3339=rfc3339)
    return made


_TEMPLATES = _environment()


def draw(template: str, **values: Any) -> str:
    """Draw a template."""
    return _TEMPLATES.get_template(template).render(now=service(Clock).now(), **values)


def page_answer(visitor: Visitor, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page, or a part of one, as a response."""
    text = draw(
        template,
        visitor=visitor,
        menu=list(menu_lines(visitor, request.path)),
        number=lambda number: shown_number(visitor.role, number),
        reason=lambda text: shown_reason(visitor.role, text),
        sees_recipients=sees_recipients(visitor.role),
        **values,
    )
    return page_around(html_answer(text, status))


def page_around(answer: Response) -> Response:
    """Give an answer the headers of pages."""
    # Forms are checked by their origin too, which this policy keeps.
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def wanted_page(otherwise: str) -> str:
    """Return the page that a form or link names as the next one, if it is a page of the console."""
    given = request.values.get("next", "")
    parts = urlsplit(given)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/console")
    is_plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if is_ours and is_plain else otherwise


def go_to(path: str, told: str | None = None) -> Response:
    """Redirect to a page and show a message there."""
    if told is not None:
        flash(told, "done")
    return Response(status=303, headers={"Location": link(path)})
