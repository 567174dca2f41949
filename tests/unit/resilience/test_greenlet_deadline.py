"""The deadline under gevent interrupts the greenlet; an unsent request and a lost response are different errors."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from wa_service.resilience.deadline import GreenletDeadline


def nothing() -> None:
    """Stand in for the function that closes the connection."""


def test_a_block_that_lasts_too_long_ends_with_a_time_out() -> None:
    with pytest.raises(TimeoutError), GreenletDeadline(0.02, nothing):
        Event().wait()


def test_nothing_in_the_block_takes_it_for_a_failure_of_its_own() -> None:
    def tries_the_next_address() -> None:
        try:
            Event().wait()
        except Exception:  # noqa: BLE001 - what urllib3 does with an address that fails
            Event().wait()

    with pytest.raises(TimeoutError), GreenletDeadline(0.02, nothing):
        tries_the_next_address()


def test_a_block_that_ends_in_time_leaves_nothing_behind() -> None:
    with GreenletDeadline(0.02, nothing):
        pass
    assert not Event().wait(0.05)


def test_the_rest_of_a_block_can_get_time_of_its_own() -> None:
    with GreenletDeadline(0.2, nothing) as deadline:
        deadline.restart(10)
        gevent.sleep(0.25)


def test_the_time_that_was_given_anew_ends_too() -> None:
    def wait_after_restart() -> None:
        with GreenletDeadline(10, nothing) as deadline:
            deadline.restart(0.02)
            Event().wait()

    with pytest.raises(TimeoutError):
        wait_after_restart()


def test_anothers_time_out_passes_unchanged() -> None:
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.02), GreenletDeadline(10, nothing):
        Event().wait()


GREEN = """
    from gevent import monkey; monkey.patch_all()
    import socket, sys, time
    sys.path[:0] = [{root!r}]
    from wa_service.resilience.deadline import GreenletDeadline
    from wa_service.whatsapp.errors import WhatsAppError
    from wa_service.whatsapp.http.transport import Transport

    def ending(url):
        transport = Transport(url, "v25.0", "token", call_seconds=0.3, connect_timeout=9, deadline=GreenletDeadline)
        began = time.monotonic()
        try:
            transport.post_json("messages", "1/messages", {{}})
        except WhatsAppError as error:
            print(type(error).__name__, error.details, time.monotonic() - began < 2)

    silent = socket.create_server(("127.0.0.1", 0))
    ending(f"http://127.0.0.1:{{silent.getsockname()[1]}}")   # takes the request, never answers
    ending(f"https://127.0.0.1:{{silent.getsockname()[1]}}")  # the handshake never ends: nothing left
"""


def test_a_call_is_cut_off_in_time_and_its_ending_is_told_right() -> None:
    program = textwrap.dedent(GREEN).format(root=str(Path(__file__).parents[3]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines() == [
        "WhatsAppOutcomeUnknownError TimeoutError True",
        "WhatsAppConnectionError TimeoutError True",
    ], done.stderr
