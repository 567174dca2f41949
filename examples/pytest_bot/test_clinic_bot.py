"""Tests of the clinic's bot through WhatsApp: what a customer writes, and what the phone shows."""

import pytest


def book(phone, doctor="Dr. Adams", day="Monday", half="Morning"):
    """Go through the three steps; return the last message."""
    phone.write("book")
    phone.heard()
    phone.press(doctor)
    phone.heard()
    phone.write(day)
    phone.heard()
    phone.press(half)
    return phone.heard()


def test_anything_else_is_answered_with_help(ana):
    ana.write("hello")
    assert "write 'book'" in ana.heard().text


@pytest.mark.parametrize("word", ["book", "Book", "  BOOK "])
def test_book_asks_for_the_doctor(ana, word):
    ana.write(word)
    question = ana.heard()
    assert (question.text, question.buttons) == ("Which doctor?", ["Dr. Adams", "Dr. Baker"])


@pytest.mark.parametrize("doctor", ["Dr. Adams", "Dr. Baker"])
def test_the_doctor_is_pressed(ana, doctor):
    ana.write("book")
    ana.heard()
    ana.press(doctor)
    assert ana.heard().text == f"{doctor}: on which day?"


def test_the_doctor_may_be_written(ana):
    ana.write("book")
    ana.heard()
    ana.write("Dr. Baker")
    assert ana.heard().text == "Dr. Baker: on which day?"


def test_the_day_is_written(ana):
    ana.write("book")
    ana.heard()
    ana.press(0)
    ana.heard()
    ana.write("Tuesday")
    assert ana.heard().buttons == ["Morning", "Afternoon"]


@pytest.mark.parametrize("doctor", ["Dr. Adams", "Dr. Baker"])
@pytest.mark.parametrize("half", ["Morning", "Afternoon"])
def test_three_steps_book_an_appointment(ana, doctor, half):
    assert book(ana, doctor, "Friday", half).text == f"Booked: {doctor}, Friday, {half.lower()}."


def test_after_a_booking_the_bot_starts_anew(ana):
    book(ana)
    ana.write("Monday")
    assert "write 'book'" in ana.heard().text


def test_two_bookings_in_a_row(ana):
    assert book(ana, day="Monday").text.startswith("Booked: Dr. Adams, Monday")
    assert book(ana, day="Tuesday").text.startswith("Booked: Dr. Adams, Tuesday")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_booking_can_be_cancelled_at_each_step(ana, steps):
    for text in ("book", "Dr. Adams", "Monday")[:steps]:
        ana.write(text)
        ana.heard()
    ana.write("cancel")
    assert ana.heard().text == "Cancelled."


def test_nothing_is_cancelled_twice(ana):
    ana.write("cancel")
    assert ana.heard().text == "There is nothing to cancel."


def test_a_person_takes_over_and_the_bot_is_quiet(ana):
    ana.write("human")
    assert ana.heard().text == "A colleague will write to you."
    ana.write("are you there?")
    ana.heard_nothing()


def test_the_bot_comes_back_when_asked(ana):
    ana.write("human")
    ana.heard()
    ana.write("bot")
    assert ana.heard().text.startswith("I am back")


def test_two_customers_book_at_the_same_time(ana, meta):
    ben = meta.phone("15550102030", name="Ben")
    for phone in (ana, ben):
        phone.write("book")
        phone.heard()
    ana.press("Dr. Adams")
    ben.press("Dr. Baker")
    assert (ana.heard().text, ben.heard().text) == ("Dr. Adams: on which day?", "Dr. Baker: on which day?")


def test_the_answer_survives_an_error_of_meta(ana, meta):
    meta.faults.add("error", status=503, code=2, retry_after="1")
    ana.write("hello")
    assert "write 'book'" in ana.heard(wait=20).text


def test_an_old_button_still_answers(ana):
    ana.write("book")
    question = ana.heard()
    ana.press("Dr. Adams", question)
    ana.heard()
    ana.press("Dr. Baker", question)
    assert ana.heard().text.startswith("Dr. Baker: morning")
