from __future__ import annotations

import base64
import io
import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import structlog

from wa_service.observability import log
from wa_service.resilience.http import HttpCaller

NUMBER = "15551234567"
WAMID = "wamid." + base64.b64encode(b"\x1d\x04\x18\x15" + NUMBER.encode() + b"\x15\x02\x00\x12\x18\x14").decode()
CALL_ID = WAMID.replace("wamid.", "wacid.")
TOKEN = "EAA" + "x1Y2" * 12


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configuration = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configuration)


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    log.configure("json", stream=stream)
    return stream


def written(out: io.StringIO, **fields: Any) -> str:
    log.get_logger().info("whatsapp.test", **fields)
    return out.getvalue()


def test_a_line_is_one_json_object_with_name_level_and_time(out: io.StringIO) -> None:
    line = json.loads(written(out, id="m1", ms=3))
    assert {k: line[k] for k in ("event", "level", "id", "ms")} == {
        "event": "whatsapp.test",
        "level": "info",
        "id": "m1",
        "ms": 3,
    }
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "fields",
    [
        {"to": NUMBER},
        {"to": int(NUMBER)},
        {"contact": f"+{NUMBER}"},
        {"reason": f"no account for {NUMBER}."},
        {"error": ValueError(f"{NUMBER} is unknown")},
        {"details": {"recipients": [NUMBER]}},
        {"wamid": WAMID},
        {"error": f"cannot quote {WAMID}"},
        {"id": WAMID},
        {"error": f"no call {CALL_ID}"},
        {"reason": f"tel{NUMBER}"},
        {"number": f"100000000000001:{NUMBER}"},
    ],
    ids=str,
)
def test_no_line_tells_a_customers_number(out: io.StringIO, fields: dict[str, Any]) -> None:
    line = written(out, **fields)
    assert NUMBER not in line
    assert WAMID[6:30] not in line


@pytest.mark.parametrize(
    "fields",
    [
        {"header": f"Bearer {TOKEN}"},
        {"error": f"token {TOKEN} expired"},
        {"url": f"https://graph.example/debug_token?input_token={TOKEN[3:]}"},
        {"url": f"redis://:{TOKEN[3:]}@127.0.0.1:6379/0"},
        {"access_token": TOKEN[3:]},
        {"nested": {"app_secret": TOKEN[3:]}},
        {"error": f"the secret whsec_{TOKEN[3:]}"},
        {"url": f"https://graph.example/me?appsecret_proof={TOKEN[3:]}"},
        {"url": f"redis://default:p/{TOKEN[3:]}@127.0.0.1:6379/0"},
    ],
    ids=str,
)
def test_no_line_tells_a_secret(out: io.StringIO, fields: dict[str, Any]) -> None:
    assert TOKEN[3:] not in written(out, **fields)


@pytest.mark.parametrize("address", ["+44 7700 900123", "+1 (555) 123-4567", "US.13491208655302741918"])
def test_no_line_tells_an_address_however_it_is_written(out: io.StringIO, address: str) -> None:
    assert address[4:] not in written(out, reason=f"nobody has {address} here")


@pytest.mark.parametrize("field", ["text", "body", "transcript"])
def test_no_line_tells_what_somebody_wrote(out: io.StringIO, field: str) -> None:
    assert "the blue room" not in written(out, **{field: "the blue room"})


def test_our_own_numbers_id_stays_readable(out: io.StringIO) -> None:
    assert json.loads(written(out, number="106540000000001"))["number"] == "106540000000001"


@pytest.mark.parametrize("field", ["message", "wamid"])
def test_a_hash_that_happens_to_be_all_digits_stays_whole(out: io.StringIO, field: str) -> None:
    assert json.loads(written(out, **{field: "950634714032"}))[field] == "950634714032"


@pytest.mark.parametrize("kind", ["wamid", "wacid"])
def test_the_hash_in_a_wamids_place_stays_whole_even_when_it_is_all_digits(out: io.StringIO, kind: str) -> None:
    meta_id = next(w for n in range(10_000) if log.short_hash(w := f"{kind}.{n}").isdigit())
    assert f"no {kind}#{log.short_hash(meta_id)}" in written(out, error=f"no {meta_id}")


def test_a_traceback_is_masked_too(out: io.StringIO) -> None:
    try:
        int(f"{NUMBER}!")
    except ValueError:
        log.get_logger().exception("whatsapp.test")
    assert "ValueError" in out.getvalue()
    assert NUMBER not in out.getvalue()


def test_a_traceback_names_types_and_places_and_quotes_nobody(out: io.StringIO) -> None:
    written_by_a_customer = "marzipan"

    def look_up() -> None:
        try:
            {}[written_by_a_customer]
        except KeyError as cause:
            raise ValueError(f"it was: {written_by_a_customer}") from cause

    try:
        look_up()
    except ValueError as error:
        log.get_logger().error("whatsapp.test", exc_info=error)
    logging.getLogger("some.library").error("failed", exc_info=ValueError(written_by_a_customer))

    ours, libraries = map(json.loads, out.getvalue().splitlines())
    assert written_by_a_customer not in out.getvalue()
    assert ours["exception"].endswith("\nKeyError")
    assert "\nValueError\n" in ours["exception"]
    assert "test_log.py" in ours["exception"]
    assert libraries["exception"].endswith("ValueError")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("No module named x"), "ImportError: No module named x"),
        (OSError(98, "Address already in use"), "OSError: Address already in use"),
        (FileNotFoundError(2, "No such file", "what-a-customer-sent.pdf"), "FileNotFoundError: No such file"),
        (OSError("what a customer wrote"), "OSError"),
    ],
)
def test_of_errors_of_the_system_the_cause_is_told(out: io.StringIO, error: Exception, told: str) -> None:
    log.get_logger().error("whatsapp.test", exc_info=error)

    assert json.loads(out.getvalue())["exception"].splitlines()[-1] == told


def test_a_chain_of_causes_is_told_in_part(out: io.StringIO) -> None:
    error: Exception = ValueError()
    for _ in range(100):
        later = ValueError()
        later.__cause__ = error
        error = later
    log.get_logger().error("whatsapp.test", exc_info=error)

    assert json.loads(out.getvalue())["exception"].count("ValueError") == 5


def test_of_headers_that_cannot_be_read_urllib3_s_line_stays_out(out: io.StringIO) -> None:
    """The line would quote the URL with its query and the malformed headers."""

    class Noise(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nwhat a customer wrote\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Noise) as server, closing(HttpCaller()) as caller:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        port = server.server_address[1]
        assert caller.post(f"http://127.0.0.1:{port}/?name=Ada", seconds=10, headers={}, data=b"x").status == 200
        thread.join()
    assert out.getvalue() == ""


def test_libraries_lines_pass_the_same_mask(out: io.StringIO) -> None:
    logging.getLogger("some.library").warning("calling %s with %s", NUMBER, TOKEN)
    line = json.loads(out.getvalue())
    assert line["logger"] == "some.library"
    assert NUMBER not in line["event"]
    assert TOKEN not in line["event"]


def test_numbers_stand_in_full_where_that_was_asked_for() -> None:
    stream = io.StringIO()
    log.configure("json", numbers="full", stream=stream)
    assert NUMBER in written(stream, to=NUMBER)


def test_a_hash_of_a_wamid_is_always_hashed_even_with_full_numbers() -> None:
    stream = io.StringIO()
    log.configure("json", numbers="full", stream=stream)
    assert log.short_hash(WAMID) in written(stream, error=WAMID)
    assert WAMID not in stream.getvalue()


def test_bound_fields_stand_on_every_line_inside_the_block(out: io.StringIO) -> None:
    with log.bound(id="m1"):
        log.get_logger().info("whatsapp.one")
    log.get_logger().info("whatsapp.two")
    one, two = (json.loads(line) for line in out.getvalue().splitlines())
    assert one["id"] == "m1"
    assert "id" not in two


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    log.configure("console", stream=stream)
    line = written(stream, id="m1", to=NUMBER)
    assert "whatsapp.test" in line
    assert "id=m1" in line
    assert NUMBER not in line


def test_a_masked_number_still_tells_two_customers_apart() -> None:
    assert log.mask_number("15551234567") == "155******67"
    assert log.mask_number("123") == "***"
