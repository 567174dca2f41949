"""Reading a person's identity in all forms that Meta uses."""

from __future__ import annotations

from typing import Any

import pytest

from wa_service.whatsapp.addresses import spellings
from wa_service.whatsapp.webhooks.identity import (
    Identity,
    address_of,
    identities_of_update,
    identity_of_address,
    identity_of_message,
)

OLD, NEW = "447700900123", "447700900456"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (OLD, OLD),
        (f"+{OLD}", OLD),
        (int(OLD), OLD),
        ("US.ENT.1a", "US.ENT.1a"),
        (None, ""),
        ("", ""),
        (True, ""),
        (-1, ""),
        (1.5, ""),
        ({}, ""),
    ],
)
def test_an_address_is_read_however_it_is_written(written: object, read: str) -> None:
    assert address_of(written) == read


def test_a_message_names_number_and_ids_of_its_sender() -> None:
    message = {"type": "text", "from": int(OLD), "from_user_id": "GB.1", "from_parent_user_id": "GB.ENT.1"}
    found = identity_of_message(message, {"wa_id": OLD, "user_id": "GB.1", "parent_user_id": "GB.ENT.1"})
    assert found == Identity(numbers=(OLD,), user_ids=("GB.1", "GB.ENT.1"))


def test_a_message_to_a_group_is_the_group_s() -> None:
    assert identity_of_message({"from": OLD, "group_id": "G1"}, {"wa_id": OLD}) == Identity(group_id="G1")


@pytest.mark.parametrize(
    ("sender", "system", "known_by"),
    [
        ({"from": OLD}, {"wa_id": NEW}, OLD),
        ({"from": OLD}, {"new_wa_id": int(NEW)}, OLD),
        ({}, {"wa_id": f"+{NEW}", "customer": OLD}, OLD),
        ({}, {"wa_id": NEW}, ""),
        ({"from": NEW}, {"wa_id": NEW}, ""),
    ],
)
def test_who_changed_the_number_leaves_the_old_one(
    sender: dict[str, Any], system: dict[str, Any], known_by: str
) -> None:
    message = {"type": "system", "system": {"type": "user_changed_number", **system}, **sender}
    found = identity_of_message(message, None)
    assert found == Identity(numbers=(NEW,), known_by=known_by, leaves=True, is_change=True, id_follows=True)


def test_a_notice_that_names_the_new_user_id_leaves_nothing_to_follow() -> None:
    system = {"type": "user_changed_number", "wa_id": NEW, "user_id": "GB.2"}
    assert not identity_of_message({"type": "system", "from": OLD, "system": system}, None).id_follows


def test_another_spelling_of_the_same_number_is_no_number_that_was_left() -> None:
    system = {"type": "user_changed_number", "wa_id": "5491122223333"}
    assert identity_of_message({"type": "system", "from": "541122223333", "system": system}, None).known_by == ""


def test_ids_that_were_replaced_are_named() -> None:
    system = {
        "type": "user_changed_user_id",
        "user_id": "GB.2",
        "previous_user_id": "GB.1",
        "parent_user_id": "GB.ENT.2",
        "previous_parent_user_id": "GB.ENT.1",
    }
    found = identity_of_message({"type": "system", "system": system}, None)
    assert (found.user_ids, found.previous_ids) == (("GB.2", "GB.ENT.2"), ("GB.1", "GB.ENT.1"))
    assert not found.leaves


@pytest.mark.parametrize("value", [{}, {"user_id_update": "x"}, {"user_id_update": [1, {"user_id": "x"}]}])
def test_an_update_that_says_nothing_is_none(value: dict[str, Any]) -> None:
    assert list(identities_of_update(value)) == []


def test_an_update_names_old_and_new_id() -> None:
    update = {"wa_id": OLD, "user_id": {"previous": "GB.1", "current": "GB.2"}, "timestamp": "1750000000"}
    ((found, at),) = identities_of_update({"user_id_update": [update]})
    assert found == Identity(user_ids=("GB.2",), previous_ids=("GB.1",), known_by=OLD, is_change=True)
    assert at == 1_750_000_000


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (OLD, Identity(numbers=(OLD,))),
        ("GB.1", Identity(user_ids=("GB.1",))),
        ("120363@x", Identity(group_id="120363@x")),
    ],
)
def test_a_caller_names_somebody_by_one_address(address: str, found: Identity) -> None:
    assert identity_of_address(address) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [("5491122223333", "541122223333"), ("5215512345678", "525512345678"), ("5511988880000", "551188880000")],
)
def test_meta_s_two_spellings_lead_to_each_other(one: str, other: str) -> None:
    assert (spellings(one), spellings(other)) == ((one, other), (other, one))


@pytest.mark.parametrize("number", ["447700900123", "551133334444", "15551234567"])
def test_other_numbers_have_one_spelling(number: str) -> None:
    assert spellings(number) == (number,)
