"""A customer who opted out in any way gets no marketing, even when it is requested and processes die."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.phones import customer
from tests.e2e.stack import Stack
from tests.eventually import eventually

OFFER = {"name": "weekend_offer", "language": "en_US"}


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_a_stop_by_five_roads_and_then_a_thousand_offers_leaves_none(stack: Stack, long_form: bool) -> None:
    """In the last of the five ways, Meta rejects a send to a customer whose opt-out only Meta knew."""
    count = 200 if long_form else 6
    words, menu, rest, imported, refused = ([customer(count * road + n) for n in range(count)] for road in range(5))
    everybody = [*words, *menu, *rest, *imported, *refused]
    stack.meta.add_phones([*words, *menu, *rest, *imported])
    stack.meta.add_phones(refused, marketing=False)
    # This test does not measure the template quota: everybody has written first, so no send counts against it.
    for one in everybody:
        stack.meta.write(one, "STOP" if one in words else "hello")
    for one in menu:
        stack.meta.call("POST", f"phones/{one}/preferences", json={"value": "stop"})
    for one in rest:
        assert stack.api("PUT", f"/v1/contacts/{one}/stop").status_code == 200
    lines = "".join(f'{{"to":"{one}"}}\n' for one in imported)
    taken = stack.api("POST", "/v1/stops", data=lines, headers={"Content-Type": "application/x-ndjson"}).json()
    assert taken == {"taken": count, "refused": []}
    stack.meta.settled()

    def offer(whom: str) -> int:
        body = {"to": whom, "template": OFFER}
        return stack.api("POST", "/v1/messages", json=body, headers={"Prefer": "respond-async"}).status_code

    def offer_to(whom: list[str]) -> Counter[int]:
        with ThreadPoolExecutor(16) as pool:
            return Counter(pool.map(offer, whom))

    assert stack.api("GET", "/v1/templates").status_code == 200  # from here on the template's category is known
    assert offer_to(refused) == {202: count}
    eventually(lambda: all(stopped(stack, one) for one in refused), within=60)
    before = len(offers(stack))
    stack.kill_child("worker-1")
    stack.kill_child("web")

    answers = offer_to(everybody)

    assert answers == {422: len(everybody)}, answers
    items = [{"to": one} for one in everybody]
    batch = stack.api("POST", "/v1/batches", json={"template": OFFER, "items": items}).json()
    assert batch["taken"] == len(everybody)
    eventually(lambda: stack.api("GET", f"/v1/batches/{batch['id']}").json()["state"] == "done", within=60)
    eventually(lambda: stack.waiting() == 0, within=60)
    assert (before, len(offers(stack))) == (count, count)


def stopped(stack: Stack, whom: str) -> bool:
    card = stack.api("GET", f"/v1/contacts/{whom}").json()
    return bool(card["stopped"] and card["stopped"]["by"] == "131050")


def offers(stack: Stack) -> list[str]:
    """The customers that an offer was posted to, whatever its outcome."""
    return [one["to"] for one in stack.meta.seen()["sends"] if one["type"] == "template"]
