"""Request and response bodies in the description: schemas with examples, or media types."""

from typing import Any

from app.web.openapi_examples import example_of
from app.web.routes import Shape


def either(own: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """Describe a status that a route answers with a document of its own and with an error."""
    ours, theirs = (one["content"]["application/json"] for one in (own, error))
    document = {
        "schema": {"anyOf": [ours["schema"], theirs["schema"]]},
        "examples": {ours["schema"].__name__: {"value": ours["example"]}} | theirs["examples"],
    }
    return error | {
        "description": f"{own['description']} Or:\n\n{error['description']}",
        "content": {"application/json": document},
    }


def content_of(shape: Shape) -> dict[str, Any]:
    """Describe a request or response body, with an example of each schema."""
    shapes = shape if isinstance(shape, tuple) else () if shape is None else (shape,)
    found: dict[str, Any] = {
        kind: {"schema": {"type": "object" if kind == "application/json" else "string"}}
        for kind in shapes
        if isinstance(kind, str)
    }
    documents = [one for one in shapes if not isinstance(one, str)]
    if len(documents) == 1:
        found["application/json"] = {"schema": documents[0], "example": example_of(documents[0])}
    elif documents:
        found["application/json"] = {
            "schema": {"anyOf": documents},
            "examples": {
                one.__name__: {"summary": meaning_of(one), "value": example_of(one)}
                for one in documents
            },
        }
    return {"content": found} if found else {}


def meaning_of(shape: Shape) -> str:
    """Return the description of a response."""
    if shape is None:
        return "Done."
    if isinstance(shape, tuple):
        return " Or: ".join(map(meaning_of, shape))
    return shape if isinstance(shape, str) else (shape.__doc__ or "").strip().replace("``", "`")
