"""Write a Postman collection from the API's description: `make postman`."""

import json
import sys
from pathlib import Path
from typing import Any

from app.application import declared_endpoints
from app.web.openapi import describe

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_SAMPLE = "https://sms.example.com"


def make_collection(document: dict[str, Any]) -> dict[str, Any]:
    """Turn an OpenAPI description into a collection: a folder for each tag, a request for each."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            item = _request(path, method.upper(), operation, document)
            folders.setdefault(operation["tags"][0], []).append(item)
    return {
        "info": {
            "name": document["info"]["title"],
            "version": document["info"]["version"],
            "description": document["info"]["description"],
            "schema": _SCHEMA,
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "Authorization"},
                {"key": "value", "value": "AccessKey {{access_key}}"},
                {"key": "in", "value": "header"},
            ],
        },
        "variable": [
            {"key": "base_url", "value": _SAMPLE},
            {"key": "access_key", "value": ""},
        ],
        "item": [{"name": tag, "item": items} for tag, items in folders.items()],
    }


def _request(
    path: str, method: str, operation: dict[str, Any], document: dict[str, Any]
) -> dict[str, Any]:
    parameters = [_resolved(one, document) for one in operation.get("parameters", [])]
    parts = path.replace("{", ":").replace("}", "").strip("/").split("/")
    request: dict[str, Any] = {
        "method": method,
        "description": operation.get("description", operation["summary"]),
        "header": [_entry(one) for one in parameters if one["in"] == "header"],
        "url": {
            "raw": "{{base_url}}/" + "/".join(parts),
            "host": ["{{base_url}}"],
            "path": parts,
            "query": [_entry(one) for one in parameters if one["in"] == "query"],
            "variable": [
                {"key": one["name"], "value": _example(one)}
                for one in parameters
                if one["in"] == "path"
            ],
        },
    }
    if not operation.get("security", document.get("security")):
        request["auth"] = {"type": "noauth"}
    body = _body(operation.get("requestBody", {}), document)
    if body is not None:
        request["body"] = body
    return {"name": operation["summary"], "request": request, "response": []}


def _body(described: dict[str, Any], document: dict[str, Any]) -> dict[str, Any] | None:
    content = described.get("content", {})
    if "application/x-www-form-urlencoded" in content:
        example = _content_example(content["application/x-www-form-urlencoded"], document) or {}
        pairs = [{"key": name, "value": str(value)} for name, value in example.items()]
        return {"mode": "urlencoded", "urlencoded": pairs}
    if "application/json" not in content:
        return None
    text = json.dumps(_content_example(content["application/json"], document), indent=2)
    return {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}


def _content_example(content: dict[str, Any], document: dict[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    examples = content.get("examples", {})
    first = next(iter(examples.values()), None)
    return None if first is None else _resolved(first, document).get("value")


def _entry(parameter: dict[str, Any]) -> dict[str, Any]:
    is_key = parameter["name"] == "Idempotency-Key"
    return {
        "key": parameter["name"],
        "value": "{{$guid}}" if is_key else _example(parameter),
        "description": parameter.get("description", ""),
        "disabled": not (is_key or parameter.get("required", False)),
    }


def _example(parameter: dict[str, Any]) -> str:
    found = parameter.get("example", parameter.get("schema", {}).get("example", ""))
    return found if isinstance(found, str) else json.dumps(found)


def _resolved(found: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found:
        place: Any = document
        for part in found["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        found = place
    return found


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    collection = make_collection(describe(declared_endpoints(), _SAMPLE))
    target.write_text(json.dumps(collection, indent=2) + "\n", encoding="utf-8")
    print(target)  # noqa: T201
