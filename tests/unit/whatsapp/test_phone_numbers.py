"""Numbers are read in the forms that people write, and never as another person's number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.whatsapp.test_messages import refused
from wa_service.whatsapp.outbound.messages import parse_message
from wa_service.whatsapp.phone_numbers import is_number, normalise_number

READ = {
    "15551234567": "15551234567",
    "+1 (555) 123-4567": "15551234567",
    "+1\u2013555\u2013123\u20134567": "15551234567",
    " +1 555 1234567\n": "15551234567",
    "+44 (0) 7700 900123": "447700900123",
    "+44(0)7700900123": "447700900123",
    "+44 [0] 7700 900123": "447700900123",
    "+44 07700 900123": "447700900123",
    "4407700900123": "447700900123",
    "+49 (0)30 123456": "4930123456",
    "+31 (0)6 12345678": "31612345678",
    "+43 (0) 664 1234567": "436641234567",
    "+7 8 495 1234567": "74951234567",
    "+36 06 1 234 5678": "3612345678",
    "+1 1 555 123 4567": "15551234567",
    "+55 0 11 98888-0000": "5511988880000",
    "0044 7700 900123": "447700900123",
    "00447700900123": "447700900123",
    "tel:+44-7700-900123": "447700900123",
    "TEL:447700900123": "447700900123",
    "\u202a+44 7700 900123\u202c": "447700900123",
    "\u2068+447700900123\u2069": "447700900123",
    "+44\u200e7700900123": "447700900123",
    "+44\ufeff7700\u00ad900123": "447700900123",
    "+44\u00a07700\u2011900123": "447700900123",
    "\uff0b\uff14\uff14\uff08\uff10\uff09\uff17\uff17\uff10\uff10 900123": "447700900123",
    "+\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0663": "447700900123",
    "+44\u22127700\u30fc900123": "447700900123",  # a minus sign, and the Japanese prolonged sound mark
    "\u207a44 7700 900123": "447700900123",
    "44\ufe0f7\u034f7\u3164 00900123": "447700900123",  # invisible characters
    "+370 8 612 34567": "37061234567",  # Lithuania's older national prefix
    "480601123456": "48601123456",  # Poland's former national prefix
    "+375 8 029 491 1911": "375294911911",
    "+54 0 11 15 12345678": "5491112345678",
    "(44) 7700 900123": "447700900123",
    "447 700 900 123": "447700900123",
    "+\u0967\u096b\u096b\u096b\u0967\u0968\u0969\u096a\u096b\u096c\u096d": "15551234567",
}
KEPT = {
    "+39 06 1234567": "39061234567",  # in Italy, the zero belongs to the number
    "+39 (0)6 1234567": "39061234567",
    "+225 07 01 02 03 04": "2250701020304",  # and in Ivory Coast
    "+378 (0)549 123456": "3780549123456",
    "+229 01 97 12 34 56": "2290197123456",
    "+242 06 123 4567": "242061234567",
    "78001234567": "78001234567",  # 8 is Russia's national prefix, but belongs to this number
    "5215512345678": "5215512345678",  # Meta's own spelling in Mexico
    "5491122223333": "5491122223333",
    "10000000001": "10000000001",  # numbers that are not assigned are accepted
    "9991234567890": "9991234567890",  # an unknown country code
}
REFUSED = {
    "": "7 to 15 digits",
    "+": "7 to 15 digits",
    "98765": "7 to 15 digits",
    "9" * 16: "7 to 15 digits",
    "07700 900123": "begins with 0",
    "000447700900123": "begins with 0",
    "+45 (0) 12 34 56 78": "national prefix",  # Denmark has none
    "+48 0 601 123 456": "national prefix",  # Poland no longer has one
    "+44 00 7700 900123": "national prefix",
    "+52 01 55 1234 5678": "national prefix",
    "0011 44 7700 900123": "too long",  # Australia's international prefix
    "+1 212 555 1234 5": "too long",
    "123456 123456": "too long",
    "44 12345 44 67890": "one number",
    "(212) 555-1234": "no country code",  # 212 is Morocco's code
    "(650) 253-0000": "no country code",  # 65 is Singapore's code
    "617 555 1234": "no country code",
    "8 (495) 123-45-67": "no country code",  # 84 is Vietnam's code
    "49 30 123 49 30 456": "one number",
    "4.477009E+11": "full stop",
    "447700900123.0": "full stop",
    "+1555x1234567": '"x"',
    "+44 7700 900123 ext 5": '"e"',
    "tel:+447700900123;ext=5": "semicolon",
    "+44 7700 900123 / +44 7700 900124": "solidus",
    "447700900123,447700900124": "comma",
    "4412345\n4467890": "a line break",
    "4412345\t4467890": "a tab",
    "+4412345 +4467890": "one number",
    "4412345 4467890": "one number",
    "4412345-4467890": "one number",
    "US.13491208655302741918": "recipient",
    "12\u00b34567890": "superscript three",
    "447700\x00900123": "control character",
}


@pytest.mark.parametrize("written", READ)
def test_a_number_may_be_written_as_people_do(written: str) -> None:
    assert normalise_number(written) == READ[written]


@pytest.mark.parametrize("written", KEPT)
def test_what_belongs_to_a_number_is_kept(written: str) -> None:
    assert normalise_number(written) == KEPT[written]


@pytest.mark.parametrize("written", REFUSED)
def test_what_has_not_one_meaning_is_refused_with_what_is_wrong_and_without_the_number(written: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[written]) as caught:
        normalise_number(written)
    assert len(written) < 4 or written not in str(caught.value)


def test_a_whole_number_of_json_is_read() -> None:
    assert parse_message({"to": 447700900123, "text": "hi"}).payload()["to"] == "447700900123"


@pytest.mark.parametrize("number", [4.477009e11, 447700900123.0, -447700900123, 0])
def test_any_other_number_of_json_may_have_lost_digits(number: float) -> None:
    ((path, sentence),) = refused({"to": number, "text": "hi"})
    assert (path, str(number) in sentence) == ("to", False)


@given(st.text(alphabet=st.sampled_from("0123456789+-() .\u200e\u0660\uff11/;,x"), max_size=24))
def test_whatever_is_written_gives_a_number_or_a_sentence(written: str) -> None:
    try:
        read = normalise_number(written)
    except ValueError:
        return
    assert is_number(read)
    assert normalise_number(read) == read
