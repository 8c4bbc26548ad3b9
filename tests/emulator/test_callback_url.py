"""What a callback URL says."""

from app.emulator.callbacks.webhooks import (
    CallbackOutcome,
    ConnectionOverrides,
    connection_overrides,
    is_permitted,
    is_valid,
)
from support.each import each


@each(
    ("url", "valid"),
    [
        ("http://localhost:8000/x?y=1#rc=5", True),
        ("https://gw.example.com", True),
        ("http://[::1]:80/x", True),
        ("ftp://example.com/x", False),
        ("//example.com/x", False),
        ("http:///x", False),
        ("http://a_b.example.com/x", False),
        ("http://example.com/a b", False),
        ("http://example.com/é", False),
        ("http://example.com/\n", False),
        ("http://example.com:99999/", False),
        ("http://[::1/", False),
        ("", False),
    ],
)
def test_only_plain_web_addresses_are_valid(url: str, valid: bool) -> None:
    assert is_valid(url) is valid


@each(
    ("host", "permitted"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("[::2]", False),
        ("localhost.example.com", False),
        ("127.0.0.1@example.com", False),
    ],
)
def test_only_loopback_is_permitted_by_default(host: str, permitted: bool) -> None:
    url = f"http://{host}:8000/x"

    assert is_permitted(url, frozenset()) is permitted
    assert is_permitted(url, {"*"})


def test_a_host_that_is_named_is_permitted_and_no_other() -> None:
    assert is_permitted("https://gw.example.com/x", {"gw.example.com"})
    assert not is_permitted("https://gw2.example.com/x", {"gw.example.com"})


def test_a_silent_fragment_means_twilios_defaults() -> None:
    assert connection_overrides("http://localhost/x") == ConnectionOverrides(
        connect_seconds=5,
        read_seconds=15,
        total_seconds=15,
        retries=1,
        retried=frozenset({CallbackOutcome.NO_CONNECTION}),
    )


def test_the_fragment_sets_timeouts_retries_and_policies() -> None:
    overrides = connection_overrides("http://localhost/x#ct=100&rt=200&tt=10000&rc=5&rp=5xx,ct,rt")

    assert overrides == ConnectionOverrides(
        connect_seconds=0.1,
        read_seconds=0.2,
        total_seconds=10,
        retries=5,
        retried=frozenset(
            {
                CallbackOutcome.SERVER_ERROR,
                CallbackOutcome.NO_CONNECTION,
                CallbackOutcome.NO_ANSWER_IN_TIME,
            }
        ),
    )


@each(
    "fragment", ["rc=6", "rc=-1", "rc=x", "rp=sometimes", "ct=99", "tt=15001", "rt=" + "9" * 5000]
)
def test_invalid_values_of_the_fragment_are_ignored(fragment: str) -> None:
    assert connection_overrides(f"http://localhost/x#{fragment}") == ConnectionOverrides()
