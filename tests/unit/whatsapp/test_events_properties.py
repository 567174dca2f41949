"""Any JSON in place of any part of a delivery: parsing never raises and loses no valid event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile_shapes import places, replaced
from wa_service.whatsapp.webhooks.events import Piece, is_delivery, parse, walk

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(["id", "from", "type", "text", "body", "messages", "errors", "code", "value", "field"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SAMPLES = [
    *("text", "text_from_user_id", "image", "audio_voice", "location", "contacts", "reaction", "button_reply"),
    *("flow_reply", "order", "system_changed_number", "edit", "unsupported", "status_failed", "status_sent"),
    *("errors", "user_action", "template_status", "number_quality", "user_preferences"),
]
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@BOUNDED
@given(obj=JSON)
def test_any_json_at_all_never_raises(obj: Any) -> None:
    is_delivery(obj)
    list(parse(obj))


@BOUNDED
@given(data=st.data(), junk=JSON, name=st.sampled_from(SAMPLES))
def test_any_json_in_place_of_any_part_never_raises(
    inbound: Callable[[str], Any], data: Any, junk: Any, name: str
) -> None:
    delivery = inbound(name)
    path = data.draw(st.sampled_from(sorted(places(delivery), key=str)))
    for event in parse(replaced(delivery, path, junk)):
        assert event.kind


@BOUNDED
@given(data=st.data(), junk=JSON, name=st.sampled_from(SAMPLES))
def test_any_json_in_place_of_any_part_never_loses_a_good_sibling(
    inbound: Callable[[str], Any], data: Any, junk: Any, name: str
) -> None:
    broken = inbound(name)["entry"][0]
    good = inbound("text_reply")["entry"][0]
    path = data.draw(st.sampled_from(sorted(places(broken), key=str)))
    delivery = {"object": "whatsapp_business_account", "entry": [replaced(broken, path, junk), good]}
    assert [*parse(delivery)][-1] == next(iter(parse({"entry": [good]})))


@BOUNDED
@given(data=st.data(), junk=JSON)
def test_a_broken_message_never_loses_the_message_behind_it(
    inbound: Callable[[str], Any], data: Any, junk: Any
) -> None:
    delivery = inbound("text_reply")
    messages = delivery["entry"][0]["changes"][0]["value"]["messages"]
    path = data.draw(st.sampled_from(sorted(places(messages[0]), key=str)))
    good = inbound("image")["entry"][0]["changes"][0]["value"]["messages"][0]
    messages[:] = [replaced(messages[0], path, junk), good]
    assert [*parse(delivery)][-1].id == good["id"]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_piece_survives_being_stored(inbound: Callable[[str], Any], name: str) -> None:
    for piece in walk(inbound(name)):
        assert Piece.restore(orjson.loads(orjson.dumps(piece))) == piece
