"""Where calls to the outside may go."""

from __future__ import annotations

import ipaddress

import pytest

from wa_service.resilience.destinations import DestinationPolicy, DestinationRefusedError, remembering


def policy(*addresses: str, allowed: tuple[str, ...] = ()) -> DestinationPolicy:
    return DestinationPolicy([ipaddress.ip_network(n) for n in allowed], look_up=lambda _host, _port: addresses)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:1234::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(DestinationRefusedError, match="not public"):
        policy(address).resolve("https://tool.example/hook")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_connected_to(address: str) -> None:
    assert policy(address).resolve("https://tool.example/hook").address == address


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(DestinationRefusedError):
        policy("8.8.8.8", "10.0.0.1").resolve("https://tool.example/")


def test_an_allowed_network_is_open_and_its_neighbour_is_not() -> None:
    opened = policy("10.1.0.7", allowed=("10.1.0.0/24",))
    assert opened.resolve("http://crm.internal:8080/in?x=1").address == "10.1.0.7"
    with pytest.raises(DestinationRefusedError):
        policy("10.1.1.7", allowed=("10.1.0.0/24",)).resolve("http://crm.internal/")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/", "http://[::1]/",
     "http://[::ffff:127.0.0.1]/", "http://localhost/"],
)  # fmt: skip
def test_every_spelling_of_loopback_is_refused_by_the_real_resolver(url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        DestinationPolicy().resolve(url)


@pytest.mark.parametrize("name", ["localtest.me", "127-0-0-1.dns.example", "metadata.internal"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "64:ff9b::a9fe:a9fe"])
def test_a_public_name_that_leads_inside_is_refused(name: str, address: str) -> None:
    for found in ([address], ["8.8.8.8", address]):
        with pytest.raises(DestinationRefusedError, match="not public"):
            policy(*found).resolve(f"https://{name}/hook")


def test_the_name_is_looked_up_once_so_a_second_answer_is_never_used() -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    rebinding = DestinationPolicy(look_up=lambda _host, _port: next(answers))
    assert rebinding.resolve("http://rebind.example/").address == "8.8.8.8"


def test_a_name_is_asked_for_once_in_a_while_and_a_remembered_answer_is_judged_all_the_same() -> None:
    now, asked = [0.0], iter([["8.8.8.8"], ["127.0.0.1"]])
    named = DestinationPolicy(look_up=remembering(lambda _host, _port: next(asked), seconds=5, clock=lambda: now[0]))
    assert [named.resolve("http://rebind.example/").address for _ in range(3)] == ["8.8.8.8"] * 3
    now[0] = 5.0
    for _ in range(2):
        with pytest.raises(DestinationRefusedError):
            named.resolve("http://rebind.example/")


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "//a.example/", "a.example", "http:///x", "http://a.example:x/", "http://a.example:99999/",
     "http://u:p@a.example/", "http://a.example\\@b.example/", "http://a b.example/", "http://ä.example/",
     "http://a.example/\r\nX: y", "https://a.example/" + "x" * 2_048],
)  # fmt: skip
def test_what_is_no_url_to_call_is_refused(url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        policy("8.8.8.8").resolve(url)


def test_a_name_that_does_not_resolve_is_refused() -> None:
    with pytest.raises(DestinationRefusedError, match="does not resolve"):
        DestinationPolicy().resolve("http://nobody.invalid/")


def test_the_destination_keeps_name_target_and_port() -> None:
    found = policy("8.8.8.8").resolve("https://tool.example:8443/in?a=b#c")
    assert (found.host_header, found.target, found.port) == ("tool.example:8443", "/in?a=b", 8443)
    assert policy("8.8.8.8").resolve("https://tool.example").host_header == "tool.example"
    assert policy("2606:4700::1111").resolve("http://[2606:4700::1111]/").host_header == "[2606:4700::1111]"
