"""The API reference at ``/docs``, an index of operations opened in Swagger UI; and ``/``."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from flask import Response, render_template, request

from app.kernel import errors as e
from app.web.health import Anyone
from app.web.openapi import Description
from app.web.prefix import PublicPrefix
from app.web.registry import get_service
from app.web.routes import Answer, Routes, html_answer

STATIC = Path(__file__).parent / "static"
routes = Routes("Operations")
front = Routes("Front", described=False)


@routes.add("GET", "/docs", Anyone("the reference is no secret"), {200: "text/html"})
def docs(_: None) -> Answer:
    """Show the API reference."""
    document = get_service(Description).document
    sections: dict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sections[operation["tags"][0]].append((path, method, operation))
    prefix = get_service(PublicPrefix)
    page = render_template(
        "docs.html",
        info=document["info"],
        sections=sections,
        description=prefix.path("/openapi.json"),
        base=prefix.path("/"),
    )
    return html_answer(page)


@front.add("GET", "/", Anyone("pages guard themselves"), {303: None}, errors=(e.NotFound,))
def find_pages(_: None) -> Answer:
    """Lead a browser to the console."""
    prefix = get_service(PublicPrefix)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        raise e.NotFound(f"There is no resource here. {prefix.path('/docs')} describes the API.")
    location = prefix.path("/console")
    return Response(status=303, headers={"Location": location, "Vary": "Accept"})
