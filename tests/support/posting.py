"""Posting raw bodies as a key that may."""

from typing import Any

from werkzeug.test import TestResponse

from app.access.principal import Role
from support.served import Served


def post(
    served: Served,
    path: str,
    body: bytes,
    content_type: str | None = "application/json",
    **more: Any,
) -> TestResponse:
    headers = {"Authorization": f"AccessKey {served.tenant.keys[Role.ADMIN]}"}
    return served.gateway.client.post(
        path, data=body, content_type=content_type, headers=headers, **more
    )


def refused(answer: TestResponse) -> tuple[int, str, Any]:
    found = answer.get_json()
    return answer.status_code, found["code"], found.get("details")
