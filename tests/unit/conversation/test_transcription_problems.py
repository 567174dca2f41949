"""Each way in which a voice note can fail has its own reply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.conversation.customer_messages import NOW, MakePipeline, handled, utterance_of
from wa_service.conversation.http_speech import SpeechClient, SpeechFailedError, Transcript
from wa_service.conversation.responder import SilentResponder
from wa_service.conversation.transcription import Transcriber, is_loop
from wa_service.resilience.breaker import Unavailable
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaNotFoundError,
    MediaTooLargeError,
    UnsupportedMediaError,
    WhatsAppAuthError,
    WhatsAppConnectionError,
    WhatsAppRateLimitError,
    WhatsAppServerError,
)
from wa_service.whatsapp.media.download import STEP_SECONDS

SCRIPT = """\
intents:
  - name: breakfast
    examples: ["what time is breakfast"]
    reply: [{text: "From 7. ({{ text }})"}]
fallback: {reply: [{text: "?"}]}
problems:
""" + "".join(
    f"  {name}: {{reply: [{{text: '{name}'}}]}}\n"
    for name in ("unclear", "other_language", "silence", "too_long", "unreadable", "media_gone", "speech_off")
)

NOTE = {"type": "audio", "audio": {"id": "77", "mime_type": "audio/ogg; codecs=opus", "voice": True}}


@dataclass(frozen=True)
class File:
    content: bytes = b"OggS and more"
    mime_type: str = "audio/ogg"


class Speech(SpeechClient):
    """A speech service with a fixed result."""

    def __init__(self, says: Transcript | Exception) -> None:
        super().__init__("http://localhost")
        self.says = says

    def transcribe(self, content: bytes, container: AudioContainer) -> Transcript:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Fetch:
    """A fetch function with the given `outcomes`, in order; the last one repeats."""

    def __init__(self, *outcomes: File | Exception) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[str] = []

    def __call__(self, media_id: str) -> File:
        self.asked.append(media_id)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


GOOD = Transcript("What time is breakfast?", 0.9)


@pytest.fixture
def listen(make_pipeline: MakePipeline) -> Any:
    def listen(
        says: Transcript | Exception | None = GOOD,
        fetch: Fetch | None = None,
        message: dict[str, Any] = NOTE,
        **parts: Any,
    ) -> Any:
        speech = Speech(says) if says is not None else None
        pipeline = make_pipeline(SCRIPT, transcriber=Transcriber(speech, 0.6), **parts)
        return handled(pipeline, message, fetch_media=fetch or Fetch(File()))

    return listen


def said(answer: Any) -> list[str]:
    return [reply["text"]["body"] for reply in answer.replies]


def test_a_note_is_answered_like_a_text(listen: Any) -> None:
    answer = listen()

    assert (answer.intent, said(answer)) == ("breakfast", ["From 7. (What time is breakfast?)"])


def test_transcript_and_confidence_travel_with_the_answer(listen: Any) -> None:
    answer = listen()

    assert (answer.transcript, answer.confidence) == ("What time is breakfast?", 0.9)


def test_the_note_is_fetched_by_its_media_id(listen: Any) -> None:
    fetch = Fetch(File())

    listen(fetch=fetch)

    assert fetch.asked == ["77"]


def test_the_seconds_of_a_note_are_observed(listen: Any) -> None:
    before = REGISTRY.get_sample_value("whatsapp_speech_seconds_count") or 0.0

    listen()

    assert REGISTRY.get_sample_value("whatsapp_speech_seconds_count") == before + 1


WRONG = {
    "not heard well": (Transcript("what thyme", 0.59), "unclear"),
    "another language": (Transcript("I can't wait to see you.", 0.46, "English"), "other_language"),
    "another language without words": (Transcript("", None, "English", 2.0), "other_language"),
    "not heard well in its language": (Transcript("what thyme", 0.55, "English"), "unclear"),
    "as little of a model of many languages": (Transcript("que", 0.3), "unclear"),
    "speech without words": (Transcript("", None, "", 2.0), "unclear"),
    "silence": (Transcript(" ", 0.0), "silence"),
    "a click": (Transcript("", None, "English", 0.3), "silence"),
    "too long": (RecordingTooLongError(), "too_long"),
    "cannot be decoded": (RecordingUnreadableError(), "unreadable"),
    "the service fails": (SpeechFailedError("x"), "speech_off"),
    "speech is off": (None, "speech_off"),
}


@pytest.mark.parametrize(("says", "word"), WRONG.values(), ids=WRONG.keys())
def test_a_note_that_cannot_be_used_has_its_own_reply(listen: Any, says: Any, word: str) -> None:
    answer = listen(says)

    assert (answer.intent, said(answer)) == (word, [word])


NO_FILE = {
    "gone": (MediaNotFoundError(), "media_gone"),
    "too large": (MediaTooLargeError(), "too_long"),
    "of no type": (UnsupportedMediaError(), "unreadable"),
    "broken twice": (MediaDownloadError(), "media_gone"),
}


@pytest.mark.parametrize(("error", "word"), NO_FILE.values(), ids=NO_FILE.keys())
def test_a_file_that_cannot_be_had_has_its_own_reply(listen: Any, error: Exception, word: str) -> None:
    assert said(listen(fetch=Fetch(error))) == [word]


def test_a_download_that_broke_once_is_tried_again(listen: Any) -> None:
    assert listen(fetch=Fetch(MediaDownloadError(), File())).intent == "breakfast"


def test_a_file_that_meta_could_not_fetch_is_not_asked_for(listen: Any) -> None:
    fetch = Fetch(File())
    errors = [{"code": 131052, "title": "Media download error"}]

    answer = listen(fetch=fetch, message={**NOTE, "errors": errors})

    assert (said(answer), fetch.asked) == (["media_gone"], [])


def test_a_file_over_the_cap_is_too_long(listen: Any) -> None:
    assert said(listen(fetch=Fetch(File(b"OggS" + bytes(16 * 1024 * 1024))))) == ["too_long"]


def test_a_file_that_is_no_sound_never_reaches_the_service(listen: Any) -> None:
    fetch = Fetch(File(b"ffconcat version 1.0\nfile 'x.mp3'\n"))

    assert said(listen(AssertionError("not to be asked"), fetch=fetch)) == ["unreadable"]


@pytest.mark.parametrize("mime_type", ["audio/opus", "audio/mpeg", "application/octet-stream", "image/jpeg", ""])
def test_what_can_be_decoded_is_transcribed_whatever_its_label(listen: Any, mime_type: str) -> None:
    note = {"type": "audio", "audio": {"id": "77", "mime_type": mime_type, "voice": True}}

    assert listen(fetch=Fetch(File(b"RIFF\x24\x00\x00\x00WAVEfmt ", mime_type)), message=note).intent == "breakfast"


@pytest.mark.parametrize(
    "error", [WhatsAppConnectionError, WhatsAppServerError, WhatsAppRateLimitError, WhatsAppAuthError]
)
def test_what_is_not_the_files_fault_goes_to_the_worker(listen: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        listen(fetch=Fetch(error()))


def test_while_the_speech_service_is_away_a_young_note_waits(listen: Any) -> None:
    with pytest.raises(Unavailable):
        listen(Unavailable("speech", 3.0))


def test_while_the_speech_service_is_away_an_old_note_is_asked_for_in_writing(listen: Any) -> None:
    answer = listen(Unavailable("speech", 3.0), clock=lambda: NOW + 301.0)

    assert said(answer) == ["speech_off"]


def test_a_service_without_confidence_is_believed(listen: Any) -> None:
    assert listen(Transcript("what time is breakfast", None)).intent == "breakfast"


def test_with_no_responder_a_note_is_heard_all_the_same(listen: Any) -> None:
    answer = listen(responder=SilentResponder())

    assert (answer.replies, answer.transcript) == ((), "What time is breakfast?")


def test_more_recordings_than_there_is_room_for_wait_and_are_not_fetched(make_pipeline: MakePipeline) -> None:
    transcriber = Transcriber(Speech(GOOD), max_recordings=1)
    pipeline = make_pipeline(SCRIPT, transcriber=transcriber)
    second = Fetch(File())

    class Slow(Fetch):
        def __call__(self, media_id: str) -> File:
            with pytest.raises(Unavailable):
                handled(pipeline, NOTE, fetch_media=second)
            return super().__call__(media_id)

    first = handled(pipeline, NOTE, fetch_media=Slow(File()))

    assert (said(first), second.asked) == (["From 7. (What time is breakfast?)"], [])
    assert said(handled(pipeline, NOTE, fetch_media=second)) == ["From 7. (What time is breakfast?)"]


def test_a_recording_has_the_time_of_two_downloads_and_of_the_transcription(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(SCRIPT, transcriber=Transcriber(SpeechClient("http://localhost", seconds=30.0)))

    assert pipeline.recording_seconds == 4 * STEP_SECONDS + 30.0
    assert make_pipeline(SCRIPT).recording_seconds == 0.0


def test_a_recording_that_cannot_be_fetched_gives_its_room_back(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(SCRIPT, transcriber=Transcriber(Speech(GOOD), max_recordings=1))

    with pytest.raises(WhatsAppServerError):
        handled(pipeline, NOTE, fetch_media=Fetch(WhatsAppServerError("Meta is unwell.")))

    assert handled(pipeline, NOTE, fetch_media=Fetch(File())).intent == "breakfast"


SCRIPT_PAGE = Path(__file__).parents[3] / "docs/script.md"
LOOPS = {
    "no": "No, " * 28,
    "graphius": "graphius, " * 75,
    "a phrase": "thank you very much. " * 6,
    "a tail": "I would like to " + "oh " * 30,
    "in Chinese": "谢谢" * 20,
    "in Hindi": "नमस्ते आप " * 20,
    "at the end of a long note": " ".join(f"I would like the rooms {n} and {n * n} on day {n}." for n in range(40))
    + " thank you" * 100,
}
NO_LOOPS = {
    "an emphasis": "no no no, I said the other room",
    "a number": "my number is 5 5 5 1 2 3 4 4 4",
    "a sentence": "What time is breakfast, and is breakfast included, and where is breakfast served?",
    "nothing": "",
    "a note in Hindi": (
        "नमस्ते, मैं अगले हफ्ते शुक्रवार से रविवार तक आपके होटल में एक कमरा बुक करना चाहता हूँ। हम दो बड़े "
        "और दो बच्चे हैं। क्या नाश्ता कमरे के किराए में शामिल है और क्या हवाई अड्डे से आने के लिए कोई गाड़ी "
        "मिल सकती है? मुझे खिड़की के पास वाला शांत कमरा चाहिए और अगर हो सके तो बच्चों के लिए एक अलग बिस्तर "
        "भी दीजिए। हम शाम को करीब सात बजे पहुँचेंगे। कृपया कुल कीमत बताइए और यह भी बताइए कि पैसे कैसे देने "
        "हैं।"
    ),
    "a note in Tamil": (
        "வணக்கம், அடுத்த வாரம் வெள்ளிக்கிழமை முதல் ஞாயிற்றுக்கிழமை வரை உங்கள் விடுதியில் ஒரு அறை பதிவு செய்ய "
        "விரும்புகிறேன். நாங்கள் இரண்டு பெரியவர்கள் மற்றும் இரண்டு குழந்தைகள். காலை உணவு அறை வாடகையில் "
        "சேர்க்கப்பட்டுள்ளதா, விமான நிலையத்திலிருந்து வருவதற்கு வண்டி கிடைக்குமா? அமைதியான அறை வேண்டும், "
        "முடிந்தால் குழந்தைகளுக்கு தனி படுக்கை கொடுங்கள். மாலை ஏழு மணிக்கு வந்து சேருவோம். மொத்த விலையை "
        "தயவுசெய்து சொல்லுங்கள்."
    ),
    "a note in Thai": (
        "สวัสดีค่ะ ดิฉันอยากจองห้องพักสำหรับสองคนตั้งแต่วันศุกร์หน้าถึงวันอาทิตย์ ราคาห้องรวมอาหารเช้าไหมคะ "
        "และมีรถรับส่งจากสนามบินหรือเปล่า เราจะไปถึงประมาณหน"
        "ึ่งทุ่ม ขอห้องเงียบๆ ที่มีหน้าต่างมองเห็นทะเล ถ้าเป็นไปได้ขอเตียงเสริมสำหรับเด็กด้วยค่ะ "
        "รบกวนแจ้งราคารวมและวิธีการชำระเงินด้วยนะคะ ขอบคุณมากค่ะ"
    ),
    "a note in Georgian": (
        "გამარჯობა, მინდა შევუკვეთო ოთახი თქვენს სასტუმროში მომავალი პარასკევიდან კვირამდე. ვართ ორი დიდი და "
        "ორი ბავშვი. შედის თუ არა საუზმე ოთახის ფასში და შესაძლებელია თუ არა აეროპორტიდან მანქანით ჩამოსვლა? "
        "მჭირდება წყნარი ოთახი და თუ შეიძლება ბავშვებისთვის ცალკე საწოლი. საღამოს შვიდ საათზე ჩამოვალთ. "
        "გთხოვთ მითხრათ საერთო ფასი."
    ),
    "a page, read for ten minutes": " ".join(re.findall(r"[A-Za-z']+", SCRIPT_PAGE.read_text(encoding="utf-8"))),
}


@pytest.mark.parametrize("text", LOOPS.values(), ids=LOOPS.keys())
def test_a_model_that_got_stuck_is_unclear_however_sure_it_is(listen: Any, text: str) -> None:
    result = listen(Transcript(text, 0.94))

    assert (result.intent, result.is_understood) == ("unclear", False)


@pytest.mark.parametrize("text", NO_LOOPS.values(), ids=NO_LOOPS.keys())
def test_what_people_repeat_is_no_loop(text: str) -> None:
    assert not is_loop(text)


QUOTING = SCRIPT.replace("text: 'unclear'", "text: 'unclear {{ text }} {{ only_language }}'")


def test_what_is_not_clear_is_quoted_to_nobody(make_pipeline: MakePipeline) -> None:
    speech = Speech(Transcript("When was the ass?", 0.55, "English"))
    result = handled(make_pipeline(QUOTING, transcriber=Transcriber(speech)), NOTE, Fetch(File()))

    assert (said(result), result.transcript) == (["unclear  English"], "When was the ass?")


def test_what_was_written_beside_a_note_that_nobody_understood_is_answered(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(SCRIPT, transcriber=Transcriber(Speech(Transcript("mumble", 0.2))))
    burst = utterance_of({"type": "text", "text": {"body": "what time is breakfast"}}, NOTE)

    result = pipeline.handle(burst, Fetch(File()))  # type: ignore[arg-type]  # has the attributes that are used

    assert said(result) == ["From 7. (what time is breakfast)", "unclear"]
    assert (result.intent, result.transcript, result.is_understood) == ("breakfast", "mumble", False)
