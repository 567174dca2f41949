"""Which hosts outgoing requests may connect to."""

from __future__ import annotations

import ipaddress
import socket

import gevent
import pytest
from gevent.event import Event
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from wa_service.resilience.destinations import DestinationPolicy, DestinationRefusedError, SharedLookUp, look_up_in
from wa_service.resilience.http import HttpCaller, HttpCallError

SPELLINGS = [
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[2002:7f00:1::1]/",
    "http://[fd00::1]/",
    "http://0300.0250.0.1/",
    "http://169.254.169.254/",
    "http://localhost/",
    "HTTP://LOCALHOST/",
]
"""Non-public addresses in all spellings that the system's resolver accepts."""


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
        "0.255.255.255",
        "100.127.255.255",
        "168.63.129.16",
        "192.0.0.8",
        "192.88.99.1",
        "198.19.255.255",
        "203.0.113.7",
        "240.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::808:808",
        "100::1",
        "100:0:0:1::1",
        "2001:db8::1",
        "2001:10::1",
        "2001:20::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2002:c0a8:101::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fd12:3456::1",
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
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "198.20.0.1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "2002:808:808::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
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
    SPELLINGS,
)
def test_every_spelling_of_what_is_not_public_is_refused_by_the_real_resolver(url: str) -> None:
    with pytest.raises(DestinationRefusedError, match="WA_PUSH_ALLOW"):
        DestinationPolicy().resolve(url)


@pytest.mark.parametrize("url", SPELLINGS)
def test_what_is_refused_is_not_connected_to_and_the_caller_is_told_why(url: str) -> None:
    with pytest.raises(HttpCallError, match=r"not public\. .*WA_PUSH_ALLOW"):
        HttpCaller(policy=DestinationPolicy()).post(url, seconds=5, headers={}, data=b"x")


@pytest.mark.parametrize(("network", "url"), [
    ("127.0.0.0/8", "http://0x7f.1/"), ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/"), ("10.0.0.0/8", "http://[64:ff9b::a00:1]/"),
    ("fd00::/8", "http://[fd00::1]/"), ("100.64.0.0/10", "http://100.64.0.1/"), ("0.0.0.0/32", "http://0/"),
])  # fmt: skip
def test_an_opened_network_is_open_in_every_spelling(network: str, url: str) -> None:
    opened = DestinationPolicy([ipaddress.ip_network(network)])
    assert opened.permits(opened.resolve(url).address)


@pytest.mark.parametrize(
    "url",
    ["http://127。0。0。1/", "http://ⓛocalhost/", "http://１２７.0.0.1/", "http://user@8.8.8.8/", "http://8.8.8.8@127.0.0.1/",
     "http://8.8.8.8:80@127.0.0.1/", "http://8.8.8.8\\@127.0.0.1/", "http://%31%32%37.0.0.1/", "http://127.0.0.1%2f.example/",
     "http://127.0.0.1%00.example/", "http://8.8.8.8;127.0.0.1/", "http://[fe80::1%25eth0]/", "http://[::1%lo]/"],
)  # fmt: skip
def test_what_parsers_read_differently_is_refused(url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        DestinationPolicy().resolve(url)


@pytest.mark.parametrize("host", ["xn--lcalhost-54a.example", "LOCALTEST.ME", "127-0-0-1.dns.example", "a.example."])
def test_a_name_is_judged_by_what_it_resolves_to_whatever_it_looks_like(host: str) -> None:
    with pytest.raises(DestinationRefusedError, match="not public"):
        policy("127.0.0.1").resolve(f"http://{host}/")
    assert policy("8.8.8.8").resolve(f"http://{host}/").address == "8.8.8.8"


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
    named = DestinationPolicy(look_up=SharedLookUp(lambda _host, _port: next(asked), seconds=5, clock=lambda: now[0]))
    assert [named.resolve("http://rebind.example/").address for _ in range(3)] == ["8.8.8.8"] * 3
    now[0] = 5.0
    for _ in range(2):
        with pytest.raises(DestinationRefusedError):
            named.resolve("http://rebind.example/")


def test_callers_of_a_slow_name_wait_for_one_look_up_and_share_its_failure() -> None:
    asked, answers = [], Event()

    def fail_slowly(host: str, _port: int) -> list[str]:
        asked.append(host)
        assert answers.wait(20)
        raise OSError

    shared = SharedLookUp(fail_slowly)

    def look_up() -> str:
        try:
            return str(shared("slow.example", 443))
        except OSError:
            return "failed"

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):  # its deadline ends the wait, not the look-up
        shared("slow.example", 443)
    waiting = [gevent.spawn(look_up) for _ in range(8)]
    gevent.idle()
    answers.set()
    assert {each.get(timeout=20) for each in waiting} == {"failed"}
    assert look_up() == "failed"
    assert asked == ["slow.example"]


def test_a_name_that_does_not_resolve_prints_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(socket.gaierror):
        look_up_in(ThreadPool(1, idle_task_timeout=1))("nobody.invalid", 80)
    assert capfd.readouterr().err == ""


def test_look_ups_have_threads_of_their_own() -> None:
    waits = get_original("threading", "Event")()
    others = gevent.get_hub().threadpool
    held = [others.spawn(waits.wait, 20) for _ in range(others.maxsize)]
    try:
        assert look_up_in(ThreadPool(1, idle_task_timeout=1))("127.0.0.1", 80) == ["127.0.0.1"]
    finally:
        waits.set()
        gevent.joinall(held)


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
