"""Generated requests against a gateway that runs in this process: bounded and repeatable."""

from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from app.access.principal import Role
from app.kernel.countries import COUNTRIES
from support.served import Served

FORMED = [content_type_conformance, response_schema_conformance]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE

schemathesis.openapi.format("iso3166-1", st.sampled_from(sorted(COUNTRIES)))
_bounded = settings(
    max_examples=25,
    suppress_health_check=list(HealthCheck),
)


def operations(served: Served, description: dict[str, Any]) -> list[Any]:
    """The operations of a description, asked in this process."""
    loaded = schemathesis.openapi.from_dict(description | {"servers": [{"url": "/"}]})
    loaded.app = served.gateway.client.application
    return [found.ok() for found in loaded.get_all_operations()]


def fuzz(
    served: Served,
    operation: Any,
    mode: GenerationMode,
    judge: Callable[[Any, Any], None],
    *,
    role: Role = Role.ADMIN,
    examples: int = 25,
    **pinned: Any,
) -> None:
    """Ask one operation many times as the tenant's admin, or another role, and judge each answer."""
    key = f"AccessKey {served.tenant.keys[role]}"

    @settings(_bounded, max_examples=examples)
    @given(operation.as_strategy(mode, **pinned))
    def ask(case: Any) -> None:
        judge(case, case.call(headers={"Authorization": key}))

    ask()
