"""Which URLs may be an endpoint's, and which network addresses may be reached."""

import pytest

from app.webhooks.address import Target, UrlRefused, may_reach, read_url
from support.each import each

TLS = Target("https", "hooks.example.com", 443, "/")
PLAIN = Target("http", "localhost", 80, "/")


@each(
    ("url", "target", "host_header"),
    [
        ("https://example.com", ("example.com", 443, "/"), "example.com"),
        ("https://EXAMPLE.com:443/a?b=c&d", ("example.com", 443, "/a?b=c&d"), "example.com"),
        ("https://example.com:8443/a", ("example.com", 8443, "/a"), "example.com:8443"),
        ("https://8.8.8.8/", ("8.8.8.8", 443, "/"), "8.8.8.8"),
        ("https://[2606:4700::1:1]:444/", ("2606:4700::1:1", 444, "/"), "[2606:4700::1:1]:444"),
        ("https://xn--b-5ga.example/?q", ("xn--b-5ga.example", 443, "/?q"), "xn--b-5ga.example"),
    ],
)
def test_https_url_is_parsed(url: str, target: tuple[str, int, str], host_header: str) -> None:
    found = read_url(url, allow_loopback=False)
    assert (found, found.authority) == (Target("https", *target), host_header)


REFUSED = [
    *("", "example.com", "//example.com/", "ftp://example.com/", "javascript:alert(1)"),
    *("file:///etc/passwd", "https://", "https:///path", "https://example.com:0/"),
    *("https://example.com:99999/", "https://example.com:port/", "https://[::1"),
    *("https://user@example.com/", "https://user:password@example.com/"),
    *("https://@example.com/", "https://example.com/#fragment", "https://example.com/#"),
    *("https://exa mple.com/", "https://example.com/a b", "https://example.com/\r\nHost: evil"),
    *("https://example.com/\x00", "https://b\u00fccher.example/"),
    *("https://example.com/" + "a" * 2000, "http://example.com/", "http://8.8.8.8/"),
    *("https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/"),
    *("https://169.254.169.254/latest/meta-data/", "https://[fe80::1]/", "https://[fd00::1]/"),
    *("https://[::ffff:10.0.0.1]/", "https://0.0.0.0/"),
    *("https://2130706433/", "https://0x7f.1/", "https://0X7F000001/", "https://127.1/"),
    *("https://0177.0.0.1/", "https://127.0.0.1./", "https://8.8.2056/", "https://a.b.0x/"),
]
LOOPBACK = [
    "http://127.0.0.1:9000/hook",
    "http://localhost:9000/hook",
    "http://[::1]:9000/hook",
    "https://127.0.0.1:9000/hook",
    "https://localhost:9000/hook",
]


@each("allow_loopback", [False, True])
@each("url", REFUSED)
def test_other_url_than_public_https_is_refused(url: str, allow_loopback: bool) -> None:
    with pytest.raises(UrlRefused, match=r"^Must .*\.$"):
        read_url(url, allow_loopback=allow_loopback)


@each("url", LOOPBACK)
def test_loopback_is_a_valid_address_only_with_the_setting(url: str) -> None:
    read_url(url, allow_loopback=True)
    with pytest.raises(UrlRefused):
        read_url(url, allow_loopback=False)


NEVER = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "168.63.129.16", "169.254.0.1", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "::", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::a00:1", "100::1", "2001:db8::1", "2002:a00:1::", "fc00::1", "fd00:ec2::254"),
    *("fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "not an address", ""),
]


@each("allow_loopback", [False, True])
@each("address", NEVER)
def test_private_local_reserved_and_metadata_addresses_are_never_reached(
    address: str, allow_loopback: bool
) -> None:
    """Breaks when `may_reach` forgets a range of `_REFUSED`, or that `_GLOBAL_UNICAST` is all."""
    assert not may_reach(address, TLS, allow_loopback=allow_loopback)


@each("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_reached_only_with_the_setting(address: str) -> None:
    assert not may_reach(address, TLS, allow_loopback=False)
    assert may_reach(address, TLS, allow_loopback=True)


@each("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are_reached_and_never_without_tls(address: str) -> None:
    assert may_reach(address, TLS, allow_loopback=False)
    assert not may_reach(address, PLAIN, allow_loopback=True)
