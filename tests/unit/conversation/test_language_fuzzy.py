"""Fuzzy matching of intents by letters."""

from __future__ import annotations

import time

import pytest

from wa_service.conversation.intents import Example, FuzzyMatcher, words
from wa_service.conversation.pipeline import examples_of
from wa_service.conversation.script import HOTEL_DESK, load_script

EXAMPLES = (
    Example("breakfast", "what time is breakfast"),
    Example("breakfast", "when do you serve breakfast"),
    Example("parking", "where can I park my car"),
    Example("checkout", "what time is check out"),
)

DESK = examples_of(load_script(HOTEL_DESK))


def understood(text: str, examples: tuple[Example, ...] = EXAMPLES) -> str | None:
    return FuzzyMatcher(examples).scores(text).nearest(examples).intent


def test_an_example_is_its_intent_with_full_score() -> None:
    meaning = FuzzyMatcher(EXAMPLES).scores("What time is breakfast?").nearest(EXAMPLES)

    assert meaning.intent == "breakfast"
    assert meaning.score == pytest.approx(1.0)


def test_a_misspelt_word_is_understood() -> None:
    assert understood("brekfast time?") == "breakfast"


def test_case_accents_and_signs_do_not_count() -> None:
    assert words("Où est l’Hôtel?!") == ["ou", "est", "l'hotel"]


def test_a_rare_word_counts_more_than_common_ones() -> None:
    assert understood("what time is the check out please") == "checkout"


def test_what_shares_only_common_words_is_none_of_these() -> None:
    assert understood("what is this") is None


def test_what_shares_nothing_is_none_of_these() -> None:
    assert understood("tell me a joke") is None


def test_no_examples_is_none_of_these() -> None:
    assert understood("hello", ()) is None


def test_a_text_without_words_is_none_of_these() -> None:
    assert understood("?!…") is None


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("👍", "yes"),
        ("👍🏽 👍", "yes"),
        ("❤️", "thanks"),
        ("🇩🇪", "german"),
        ("👎", None),
        ("great 👍", None),
        ("hello 👍", "hello"),
    ],
)
def test_emoji_are_understood_where_there_is_no_word(text: str, intent: str | None) -> None:
    examples = (
        Example("yes", "👍"),
        Example("yes", "👌🏾"),
        Example("thanks", "❤"),
        Example("german", "🇩🇪"),
        Example("danish", "🇩🇰"),
        Example("hello", "hello"),
    )
    assert understood(text, examples) == intent


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("🇬🇧", "english"),
        ("🇧🇬", "bulgarian"),
        ("🇸🇪", None),
        ("🇧🇬🇬🇧", "both"),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "scottish"),
        ("🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", None),
        ("🏴", None),
    ],
)
def test_flags_of_the_same_letters_are_different_ones(text: str, intent: str | None) -> None:
    examples = (
        Example("english", "🇬🇧"),
        Example("bulgarian", "🇧🇬"),
        Example("spanish", "🇪🇸"),
        Example("scottish", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"),
        Example("both", "🇬🇧 🇧🇬"),
    )
    assert understood(text, examples) == intent


@pytest.mark.parametrize("text", ["2", "２", "٢", "۲", "२", "2️⃣"])
def test_a_number_is_understood_in_the_digits_of_any_script(text: str) -> None:
    assert understood(text, (Example("first", "1"), Example("second", "2"))) == "second"


def test_a_threshold_of_the_script_is_obeyed() -> None:
    strict = FuzzyMatcher(EXAMPLES, threshold=0.99)

    assert strict.scores("brekfast time?").nearest(EXAMPLES).intent is None


def test_an_example_can_be_left_out_to_see_what_the_others_make_of_it() -> None:
    alone = (EXAMPLES[2], EXAMPLES[3])

    assert FuzzyMatcher(alone).scores("where can I park my car").nearest(alone, without=0).intent is None


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("I would like to book a room for two nights", "book_room"),
        ("What time is breakfast", "breakfast"),
        ("Please cancel my reservation", "cancel_booking"),
        ("Do you have a table for four people at seven thirty tonight", "table"),
        ("Can I check out at noon tomorrow", "checkout"),
        ("How much does the blue jacket cost", "shop_price"),
        ("Is there free parking near the hotel", "parking"),
        ("I want to return the shoes I bought yesterday", "shop_return"),
        ("My order number is four five seven two and it has not arrived", "shop_order"),
        ("Could you send two extra towels to room three hundred and twelve", "housekeeping"),
        ("Do you deliver to the airport on Sunday", "airport"),
        ("I want to speak with a person please", "person"),
        ("thank you so much", "thanks"),
        ("good mornin", "hello"),
        ("where is my order 4411", "shop_order"),
    ],
)
def test_the_hotel_desk_understands_its_guests(text: str, intent: str) -> None:
    assert understood(text, DESK) == intent


@pytest.mark.parametrize(
    "text", ["who won the football match", "can I bring my dog", "how old are you", "I need a lawyer"]
)
def test_the_hotel_desk_knows_what_it_does_not_know(text: str) -> None:
    assert understood(text, DESK) is None


def test_the_longest_text_takes_no_time() -> None:
    matcher = FuzzyMatcher(DESK)
    began = time.process_time()

    matcher.scores(" ".join(f"brekfast{number}" for number in range(400)))

    assert time.process_time() - began < 0.5


def test_examples_that_are_as_near_have_the_very_same_score_whatever_the_order_of_words() -> None:
    """A sum in the order of a set would differ between processes in its last digit, and so would the first button."""
    told = ("a", "bit", "of", "help", "please", "with", "my", "very", "early", "ride")
    examples = [
        Example(f"{named}{turn}", " ".join((*told[turn:], named, *told[:turn])))
        for turn in range(len(told))
        for named in ("transfer", "shuttles", "airports", "lonesome")
    ]
    examples += [Example("others", word) for word in told[::2]] + [Example("more", word) for word in told[::3]]

    scores = FuzzyMatcher(examples).scores("a bit of help with my ride: transfer shuttles airports lonesome").values

    assert len(set(scores[: 4 * len(told)])) == 1
