"""Which texts count as STOP or START, in any spelling, and which do not."""

from __future__ import annotations

import unicodedata

import pytest

from wa_service.config.platform_settings import PlatformSettings
from wa_service.whatsapp.stop_words import StopWords

WORDS = StopWords.of(
    ["STOP", "STOP PROMOTIONS", "BAJA", "ARRÊT", "СТОП", "إيقاف", "रोकें", "停止"], ["START", "HAJIMERU"]
)


@pytest.mark.parametrize(
    "said",
    [
        "STOP",
        "stop",
        " Stop. ",
        "STOP!!!",
        "“Stop”",
        "«stop»",
        "*STOP*",
        "`stop`",
        "stop…",
        "stop\n",
        "stop\u00a0",
        "ＳＴＯＰ",
        "STOP 🛑",
        "🛑🛑 stop ✋🏽",
        "❤️ Stop ❤️",
        "👨\u200d👩\u200d👧 stop",
        "ST\u200bOP",
        "\ufeffstop\u200e",
        "s\u00adtop",
        "stop\ufe0f",
        "Stop   promotions",
        "bája",
        "arret",
        "Arrêt !",
        unicodedata.normalize("NFD", "arrêt"),
        "стоп",
        "إيقاف",
        "रोकें।",
        "停止。",
    ],
)
def test_a_word_is_read_however_it_is_written(said: str) -> None:
    assert WORDS.meaning(said) == "stop"


@pytest.mark.parametrize(
    "said",
    [
        "", " ", "🛑", "...", "\u200b", "stop it", "don't stop", "nonstop", "stopp", "s t o p", "stop 2",
        "baja california",
        "x" * 10_000, "stop" + "!" * 1_000, "\u0301", "\ufe0f",
    ],
)  # fmt: skip
def test_what_says_more_or_nothing_is_none(said: str) -> None:
    assert WORDS.meaning(said) is None


def test_start_is_read_alike_and_stop_wins_where_both_are_said() -> None:
    assert WORDS.meaning("▶️ Start!") == "start"
    assert WORDS.meaning("start", "stop") == "stop"
    assert StopWords.of([], []).meaning("stop") is None


@pytest.mark.parametrize("said", ["Stop promotions", "Stop all", "opt-out", "Opt out", "STOP"])
def test_words_and_buttons_that_senders_commonly_offer_are_known_without_a_setting(said: str) -> None:
    settings = PlatformSettings.model_construct()

    assert StopWords.of(settings.stop_words, settings.start_words).meaning(said) == "stop"
