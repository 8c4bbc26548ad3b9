"""Forms are taken from pages of ours alone, in the session that the page was made for."""

from dataclasses import replace

import pytest

from app.access.principal import Role
from app.application import create_app
from support.console import Console, open_console, signed_in
from support.factories import Gateway, Tenant

END, ON = "/console/sign-out", "/console"


@pytest.fixture
def console(gateway: Gateway, tenant: Tenant) -> Console:
    return signed_in(gateway, tenant.keys[Role.OWNER])


@pytest.mark.one_engine
def test_token_of_another_session_is_refused(
    gateway: Gateway, tenant: Tenant, console: Console
) -> None:
    """Use one key for all sessions in `_key` of form_tokens.py to see this fail."""
    other = signed_in(gateway, tenant.keys[Role.VIEWER])
    token = other.token(ON)
    form_cookie = other.client.get_cookie("__Host-borderpost_form", domain="sms.example.com")
    assert form_cookie is not None
    domain = "sms.example.com"
    console.client.set_cookie("__Host-borderpost_form", form_cookie.value, domain=domain)
    data = {"csrf_token": token}
    assert (
        console.client.post(END, base_url="https://sms.example.com", data=data).status_code == 400
    )
    assert other.post(END, {"csrf_token": token}, on=ON).status_code == 303


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://sms.example.com"}, 403),
        ({"Origin": "https://sms.example.com.evil.example"}, 403),
        ({"Origin": "https://sms.example.com:8443"}, 403),
        ({"Origin": "https://sms.example.com:no"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "anything"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://sms.example.com"}, 303),
        ({"Origin": "https://sms.example.com:443"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({}, 303),
    ],
)
def test_form_of_another_site_is_refused(
    gateway: Gateway, tenant: Tenant, console: Console, headers: dict[str, str], status: int
) -> None:
    """Leave out the check of `is_foreign` or of the origin in `check_form` to see this fail."""
    assert console.post(END, on=ON, headers=headers).status_code == status
    form = {"access_key": tenant.keys[Role.VIEWER]}
    answer = open_console(gateway).post("/console/sign-in", form, headers=headers)
    assert answer.status_code == status


def test_pages_at_another_address_of_ours_take_their_own_forms(
    gateway: Gateway, tenant: Tenant
) -> None:
    settings = replace(gateway.services.settings, public_url="http://sms.internal")
    client = create_app(replace(gateway.services, settings=settings)).test_client()
    console = Console(client)
    page = {"access_key": tenant.keys[Role.OWNER]}
    token = console.token("/console/sign-in")
    for origin, status in (("https://sms.example.com", 303), ("http://other.internal", 403)):
        answer = client.post(
            "/console/sign-in",
            base_url="https://sms.example.com",
            data=page | {"csrf_token": token},
            headers={"Origin": origin},
        )
        assert answer.status_code == status
    cookies = client.get("/console/sign-in", base_url="http://sms.internal").headers
    assert "__Host-" not in str(cookies)


def test_pages_have_security_headers(gateway: Gateway) -> None:
    for path in ("/console/sign-in", "/docs", "/v1/sms", "/healthz", "/nowhere"):
        headers = gateway.client.get(path).headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        for feature in ("camera", "microphone", "geolocation", "payment", "usb"):
            assert f"{feature}=()" in headers["Permissions-Policy"], path
