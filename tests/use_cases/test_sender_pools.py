"""Which pools need a verified campaign: only those with a US long code."""

import pytest

from app.use_cases.tables import use_cases
from support.factories import Factory, Gateway, Tenant
from support.tables import add_sender

US_LONG_CODE = ("+12025550100", "long_code", "US")
POOLS: dict[str, tuple[list[tuple[str, str, str | None]], str | None]] = {
    "empty": ([], "NoSenderNumber"),
    "US long code": ([US_LONG_CODE], "CampaignNotVerified"),
    "US toll-free": ([("+18005550100", "toll_free", "US")], None),
    "US short code": ([("12345", "short_code", "US")], None),
    "alphanumeric": ([("ACME", "alphanumeric", None)], None),
    "Canadian long code": ([("+16135550100", "long_code", "CA")], None),
    "Puerto Rican long code": ([("+17875550100", "long_code", "PR")], None),
    "a US long code among others": (
        [("ACME", "alphanumeric", None), ("+18005550100", "toll_free", "US"), US_LONG_CODE],
        "CampaignNotVerified",
    ),
}


@pytest.mark.one_engine
def test_a_us_long_code_needs_a_verified_campaign_and_no_other_sender_does(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    # The pool of another use case does not count.
    add_sender(factory, factory.use_case(tenant.workspace_id, sender=None), *US_LONG_CODE)
    found, verified = {}, {}
    for name, (pool, _) in POOLS.items():
        tenant.use_case_id = factory.use_case(
            tenant.workspace_id, sender=None, campaign_sid=None, campaign_status=None
        )
        for sender in pool:
            add_sender(factory, tenant.use_case_id, *sender)
        found[name] = gateway.send(tenant).json.get("code")
        factory.set(use_cases, tenant.use_case_id, campaign_status="VERIFIED")
        verified[name] = gateway.send(tenant).status_code
    assert found == {name: code for name, (_, code) in POOLS.items()}
    assert verified == {name: 201 if pool else 422 for name, (pool, _) in POOLS.items()}
