"""The Postman collection has every operation of the API, ready to be sent."""

import importlib.util
import json
from typing import Any

from app.application import declared_endpoints
from app.web.openapi import describe
from support.processes import ROOT


def _make_collection(document: dict[str, Any]) -> dict[str, Any]:
    path = ROOT / "clients" / "postman.py"
    spec = importlib.util.spec_from_file_location("postman", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, Any] = module.make_collection(document)
    return made


def test_the_collection_has_every_operation_with_its_body() -> None:
    """Break: skip operations with parameters, or leave a path's variable out."""
    document = describe(declared_endpoints(), "https://sms.example.com")
    collection = _make_collection(document)
    requests = [one["request"] for folder in collection["item"] for one in folder["item"]]
    wanted = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    found = {
        (
            one["method"],
            "/" + "/".join(f"{{{p[1:]}}}" if p[0] == ":" else p for p in one["url"]["path"]),
        )
        for one in requests
    }
    assert found == wanted
    wrong = []
    for one in requests:
        variables = {part[1:] for part in one["url"]["path"] if part.startswith(":")}
        if variables != {variable["key"] for variable in one["url"]["variable"]}:
            wrong.append(("variables", one["url"]["raw"]))
        if "body" in one and one["body"]["mode"] == "raw" and not json.loads(one["body"]["raw"]):
            wrong.append(("body", one["url"]["raw"]))
    assert wrong == []
