"""From a message to its replies: how the intent is chosen, and when a message gets no reply."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conversation.customer_messages import NOW, MakePipeline, handled, no_media, text_message, utterance_of
from wa_service.conversation.pipeline import UNSUPPORTED_EVERY
from wa_service.conversation.responder import ResponderAnswer, SilentResponder
from wa_service.conversation.utterance import Utterance
from wa_service.resilience.breaker import Unavailable

DESK = """\
intents:
  - name: breakfast
    examples: ["what time is breakfast", "when do you serve breakfast"]
    ids: [btn-breakfast]
    reply: [{text: "From 7, {{ name }} ({{ intent }})."}]
  - name: parking
    examples: ["where can I park my car"]
    reply: [{text: "Next door."}]
  - name: picture
    on: image
    reply: [{text: "Nice {{ message.image.mime_type }}, {{ text }}"}]
  - name: place
    on: location
    reply: [{text: "{{ message.location.latitude|round(1) }}"}]
  - name: cart
    on: order
    reply:
    - text: "{{ message.order.product_items|lines('$quantity x $product_retailer_id') }}"
  - name: form
    on: flow
    reply: [{text: "Size {{ message.interactive.nfm_reply.response.size }}"}]
fallback:
  reply: [{text: "You said: {{ text }}"}]
problems:
  not_words: {reply: [{text: "Words, please."}]}
  failed: {reply: [{text: "Sorry."}]}
"""

REACTION = {"type": "reaction", "reaction": {"message_id": "wamid.OUT1", "emoji": "x"}}
UNSUPPORTED = {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]}
SILENT_MESSAGES = {
    "reaction": REACTION,
    "system": {"type": "system", "system": {"type": "user_changed_number", "body": "x", "wa_id": "1"}},
    "edit": {"type": "edit", "edit": {"original_message_id": "wamid.A0", "message": text_message("new")}},
    "revoke": {"type": "revoke", "revoke": {"original_message_id": "wamid.A0"}},
    "consent": {
        "type": "interactive",
        "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
    },
    "welcome without `on: welcome`": {"type": "request_welcome"},
}


def bodies(replies: tuple[dict[str, Any], ...]) -> list[str]:
    return [reply["text"]["body"] for reply in replies]


def test_a_question_gets_the_reply_of_the_nearest_intent(make_pipeline: MakePipeline) -> None:
    answer = handled(make_pipeline(DESK), text_message("at what time is breakfast?"))

    assert answer.intent == "breakfast"
    assert bodies(answer.replies) == ["From 7, Ana Lima (breakfast)."]


def test_a_reply_is_metas_message_object_without_an_address(make_pipeline: MakePipeline) -> None:
    answer = handled(make_pipeline(DESK), text_message("where can i park"))

    assert answer.replies == ({"type": "text", "text": {"body": "Next door."}},)


def test_what_is_not_understood_gets_the_fallback(make_pipeline: MakePipeline) -> None:
    answer = handled(make_pipeline(DESK), text_message("tell me a joke"))

    assert (answer.intent, bodies(answer.replies)) == ("", ["You said: tell me a joke"])


def test_a_pressed_button_goes_by_its_id_and_not_by_its_words(make_pipeline: MakePipeline) -> None:
    pressed = {"button_reply": {"id": "btn-breakfast", "title": "Where can I park my car"}}

    answer = handled(make_pipeline(DESK), {"type": "interactive", "interactive": {"type": "button_reply", **pressed}})

    assert answer.intent == "breakfast"


def test_a_chosen_row_goes_by_its_id(make_pipeline: MakePipeline) -> None:
    chosen = {"list_reply": {"id": "btn-breakfast", "title": "Food"}}

    answer = handled(make_pipeline(DESK), {"type": "interactive", "interactive": {"type": "list_reply", **chosen}})

    assert answer.intent == "breakfast"


def test_a_templates_button_goes_by_its_payload(make_pipeline: MakePipeline) -> None:
    message = {"type": "button", "button": {"payload": "btn-breakfast", "text": "Food"}}

    assert handled(make_pipeline(DESK), message).intent == "breakfast"


def test_a_button_nobody_knows_goes_by_its_words(make_pipeline: MakePipeline) -> None:
    message = {"type": "button", "button": {"payload": "other", "text": "Where can I park?"}}

    assert handled(make_pipeline(DESK), message).intent == "parking"


def test_a_picture_is_an_intent_with_its_caption_and_data(make_pipeline: MakePipeline) -> None:
    picture = {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "caption": "our room"}}

    answer = handled(make_pipeline(DESK), picture)

    assert (answer.intent, bodies(answer.replies)) == ("picture", ["Nice image/jpeg, our room"])


def test_what_a_caption_asks_comes_before_what_is_said_to_pictures(make_pipeline: MakePipeline) -> None:
    picture = {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "caption": "what time is breakfast?"}}

    assert handled(make_pipeline(DESK), picture).intent == "breakfast"


def test_a_location_is_an_intent_with_its_data(make_pipeline: MakePipeline) -> None:
    place = {"type": "location", "location": {"latitude": 38.7075, "longitude": -9.1}}

    assert bodies(handled(make_pipeline(DESK), place).replies) == ["38.7"]


def test_an_order_is_an_intent_with_its_items(make_pipeline: MakePipeline) -> None:
    item = {"product_retailer_id": "sku-1", "quantity": 2, "item_price": 30.5, "currency": "BRL"}
    order = {"type": "order", "order": {"catalog_id": "1", "product_items": [item]}}

    assert bodies(handled(make_pipeline(DESK), order).replies) == ["2 x sku-1"]


def test_a_flow_is_an_intent_and_its_json_can_be_read_by_the_template(make_pipeline: MakePipeline) -> None:
    reply = {"name": "flow", "body": "Sent", "response_json": '{"size": "M"}'}
    message = {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}

    assert bodies(handled(make_pipeline(DESK), message).replies) == ["Size M"]


def test_a_captioned_video_without_an_intent_of_its_kind_goes_by_its_caption(
    make_pipeline: MakePipeline,
) -> None:
    video = {"type": "video", "video": {"id": "1", "mime_type": "video/mp4", "caption": "where can I park"}}

    assert handled(make_pipeline(DESK), video).intent == "parking"


def test_a_kind_without_words_and_without_an_intent_is_asked_for_words(make_pipeline: MakePipeline) -> None:
    sticker = {"type": "sticker", "sticker": {"id": "1", "mime_type": "image/webp"}}

    assert bodies(handled(make_pipeline(DESK), sticker).replies) == ["Words, please."]


@pytest.mark.parametrize("message", SILENT_MESSAGES.values(), ids=SILENT_MESSAGES.keys())
def test_reactions_and_the_like_want_no_answer(make_pipeline: MakePipeline, message: dict[str, Any]) -> None:
    assert not make_pipeline(DESK).wants_answer(utterance_of(message))


@pytest.mark.parametrize("message", SILENT_MESSAGES.values(), ids=SILENT_MESSAGES.keys())
def test_reactions_and_the_like_get_none(make_pipeline: MakePipeline, message: dict[str, Any]) -> None:
    assert handled(make_pipeline(DESK), message).replies == ()


def test_an_opened_chat_is_greeted_by_a_script_that_says_so(make_pipeline: MakePipeline) -> None:
    script = "intents: [{name: hello, 'on': welcome, reply: [{text: Hello}]}]\nfallback: {reply: [{text: x}]}\n"

    assert bodies(handled(make_pipeline(script), {"type": "request_welcome"}).replies) == ["Hello"]


def test_an_unsupported_message_is_answered(make_pipeline: MakePipeline) -> None:
    answer = handled(make_pipeline(DESK), UNSUPPORTED)

    assert (bodies(answer.replies), answer.unsupported_answered) == (["Words, please."], True)


def test_a_second_unsupported_message_within_the_hour_is_not(make_pipeline: MakePipeline) -> None:
    utterance = utterance_of(UNSUPPORTED, unsupported_answered_at=NOW - UNSUPPORTED_EVERY + 1)

    answer = make_pipeline(DESK).handle(utterance, no_media)

    assert (answer.replies, answer.unsupported_answered) == ((), False)


def test_after_an_hour_an_unsupported_message_is_answered_again(make_pipeline: MakePipeline) -> None:
    utterance = utterance_of(UNSUPPORTED, unsupported_answered_at=NOW - UNSUPPORTED_EVERY)

    assert make_pipeline(DESK).handle(utterance, no_media).unsupported_answered


def test_with_no_responder_nobody_answers_but_the_intent_is_known(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(DESK, responder=SilentResponder())

    answer = handled(pipeline, text_message("what time is breakfast"))

    assert (answer.intent, answer.replies) == ("breakfast", ())


def test_with_no_responder_problems_are_not_answered_either(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(DESK, responder=SilentResponder())

    assert handled(pipeline, UNSUPPORTED).replies == ()


class Tool:
    """A responder that records utterances and never replies."""

    def __init__(self) -> None:
        self.asked: list[Utterance] = []

    def respond(self, utterance: Utterance) -> ResponderAnswer:
        self.asked.append(utterance)
        return ResponderAnswer()


WORDLESS = {
    "sticker": {"type": "sticker", "sticker": {"id": "1", "mime_type": "image/webp"}},
    "picture": {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg"}},
    "unsupported": UNSUPPORTED,
}


@pytest.mark.parametrize("message", WORDLESS.values(), ids=WORDLESS.keys())
def test_a_tool_is_asked_about_messages_without_words_too(make_pipeline: MakePipeline, message: dict[str, Any]) -> None:
    tool = Tool()

    handled(make_pipeline(DESK, responder=tool), message)

    assert [utterance.message["type"] for utterance in tool.asked] == [message["type"]]


class Away:
    def respond(self, utterance: Utterance) -> ResponderAnswer:
        raise Unavailable("the tool", 7.0)


def test_while_the_responder_is_away_a_young_message_waits(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(DESK, responder=Away())

    with pytest.raises(Unavailable) as caught:
        handled(pipeline, text_message("hi"))

    assert caught.value.retry_after == 7.0


def test_while_the_responder_is_away_an_old_message_gets_the_fallback(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(DESK, responder=Away(), patience=60.0, clock=lambda: NOW + 61.0)

    assert bodies(handled(pipeline, text_message("hi")).replies) == ["You said: hi"]


def test_a_template_that_fails_on_a_message_says_sorry(make_pipeline: MakePipeline) -> None:
    script = "fallback: {reply: [{text: '{{ 1 / (text|length - 2) }}'}]}\n"
    script += "problems: {failed: {reply: [{text: Sorry}]}}\n"

    assert bodies(handled(make_pipeline(script), text_message("hi")).replies) == ["Sorry"]


def test_an_echo_of_a_long_text_is_cut_to_what_meta_takes(make_pipeline: MakePipeline) -> None:
    (reply,) = handled(make_pipeline(DESK), text_message("x" * 4_096)).replies

    assert len(reply["text"]["body"]) == 4_096


def test_a_text_whose_template_chose_to_say_nothing_is_left_out(make_pipeline: MakePipeline) -> None:
    script = "fallback: {reply: [{text: '{% if name == \"Bo\" %}Hi{% endif %}'}, {text: x}]}\n"

    assert bodies(handled(make_pipeline(script), text_message("hi")).replies) == ["x"]


LOST = {"type": "unsupported", "errors": [{"code": 131060, "title": "This message is currently unavailable."}]}


@pytest.mark.parametrize("answered_at", [None, NOW - 10])
def test_what_did_not_reach_us_is_asked_for_again_each_time(
    make_pipeline: MakePipeline, answered_at: float | None
) -> None:
    script = DESK + '  not_received: {reply: [{text: "Again, please."}]}\n'

    result = handled(make_pipeline(script), LOST, unsupported_answered_at=answered_at)

    assert bodies(result.replies) == ["Again, please."]


def test_a_burst_is_understood_as_one(make_pipeline: MakePipeline) -> None:
    tool = Tool()
    texts = [text_message(text) for text in ("hello", "what time", "is breakfast?")]

    make_pipeline(DESK, responder=tool).handle(utterance_of(*texts), no_media)

    (asked,) = tool.asked
    assert (asked.text, asked.intent, len(asked.messages)) == ("hello\nwhat time\nis breakfast?", "breakfast", 3)


def test_a_button_takes_the_texts_before_it_along(make_pipeline: MakePipeline) -> None:
    tool = Tool()
    pressed = {"type": "button", "button": {"payload": "btn-breakfast", "text": "Food"}}

    make_pipeline(DESK, responder=tool).handle(utterance_of(text_message("hello"), pressed), no_media)

    (asked,) = tool.asked
    assert (asked.kind, asked.intent, asked.text) == ("choice", "breakfast", "hello\nFood")


def test_a_reaction_is_answered_by_a_script_that_says_so(make_pipeline: MakePipeline) -> None:
    script = "intents: [{name: liked, on: reaction, reply: [{text: Thanks}]}]\nfallback: {reply: [{text: x}]}\n"

    assert bodies(handled(make_pipeline(script), REACTION).replies) == ["Thanks"]
    for taken_back in ({"message_id": "wamid.OUT1"}, {"message_id": "wamid.OUT1", "emoji": ""}):
        assert not handled(make_pipeline(script), {"type": "reaction", "reaction": taken_back}).replies


def test_a_long_burst_is_quoted_as_far_as_a_text_goes(make_pipeline: MakePipeline) -> None:
    burst = utterance_of(*(text_message("x" * 4_000) for _ in range(5)))

    (said,) = bodies(make_pipeline(DESK).handle(burst, no_media).replies)
    assert (said[:11], len(said)) == ("You said: x", 4_096)


UNSURE = """\
intents:
  - {name: room, title: A room, examples: [book the room], reply: [{text: Room.}]}
  - {name: taxi, title: A taxi, examples: [book the taxi], reply: [{text: Taxi.}]}
  - {name: tea, examples: [call me for tea], reply: [{text: Tea.}]}
fallback: {reply: [{text: x}]}
clarify: {text: "Which one, {{ name }}?"}
"""


def test_words_that_fit_two_intents_are_asked_about_with_buttons(make_pipeline: MakePipeline) -> None:
    (question,) = handled(make_pipeline(UNSURE), text_message("book the room or the taxi")).replies

    content = question["interactive"]
    assert content["body"]["text"] == "Which one, Ana Lima?"
    assert [button["reply"]["title"] for button in content["action"]["buttons"]] == ["A room", "A taxi"]


def test_the_button_that_was_asked_with_leads_to_its_intent(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(UNSURE)
    (question,) = handled(pipeline, text_message("book the room or the taxi")).replies
    reply = question["interactive"]["action"]["buttons"][1]["reply"]
    pressed = {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}

    assert bodies(handled(pipeline, pressed).replies) == ["Taxi."]


def test_words_that_fit_one_intent_are_not_asked_about(make_pipeline: MakePipeline) -> None:
    assert bodies(handled(make_pipeline(UNSURE), text_message("book the taxi")).replies) == ["Taxi."]


def test_without_a_question_in_the_script_the_nearest_intent_answers(make_pipeline: MakePipeline) -> None:
    script = UNSURE.replace("clarify", "# clarify")

    assert bodies(handled(make_pipeline(script), text_message("book the room or the taxi")).replies) in (
        ["Room."],
        ["Taxi."],
        ["Taxi."],
    )


def test_a_form_that_holds_no_object_is_answered_all_the_same(make_pipeline: MakePipeline) -> None:
    message = {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": ["Sent"]}}

    assert handled(make_pipeline(DESK), message).intent == "form"


ASKS_NOTHING = {
    "call permission": SILENT_MESSAGES["consent"],
    "a video that Meta could not fetch": {
        "type": "video",
        "errors": [{"code": 131052, "title": "Media download error"}],
    },
    "an interactive message without content": {"type": "interactive", "errors": [{"code": 131000, "title": "Wrong"}]},
}


@pytest.mark.parametrize("other", ASKS_NOTHING.values(), ids=ASKS_NOTHING.keys())
@pytest.mark.parametrize("is_first", [False, True])
def test_a_question_is_answered_whatever_asks_nothing_in_its_burst(
    make_pipeline: MakePipeline, other: dict[str, Any], is_first: bool
) -> None:
    tool = Tool()
    burst = [text_message("what time is breakfast?"), other]

    utterance = utterance_of(*(reversed(burst) if is_first else burst), unsupported_answered_at=NOW - 10)
    make_pipeline(DESK, responder=tool).handle(utterance, no_media)

    (asked,) = tool.asked
    assert (asked.kind, asked.intent, len(asked.messages)) == ("text", "breakfast", 2)
    assert asked.message["text"] == {"body": "what time is breakfast?"}


def test_a_field_of_a_form_may_have_the_name_of_a_method(make_pipeline: MakePipeline) -> None:
    script = DESK.replace("response.size", "response.values.city")
    reply = {"name": "address_message", "body": "Sent", "response_json": '{"values": {"city": "Mumbai"}}'}
    message = {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}

    assert bodies(handled(make_pipeline(script), message).replies) == ["Size Mumbai"]


def test_in_a_group_where_there_are_no_buttons_the_nearest_intent_answers(make_pipeline: MakePipeline) -> None:
    asked = text_message("book the room or the taxi") | {"group_id": "Y2FwaV9ncm91cDo0Mg=="}

    assert bodies(handled(make_pipeline(UNSURE), asked).replies) in (["Room."], ["Taxi."])


@pytest.mark.parametrize("is_first", [False, True])
def test_what_did_not_arrive_is_asked_for_again_also_in_a_burst(make_pipeline: MakePipeline, is_first: bool) -> None:
    lost = {"type": "unsupported", "errors": [{"code": 131060, "title": "This message is unavailable"}]}
    burst = [text_message("what time is breakfast?"), lost]

    utterance = utterance_of(*(reversed(burst) if is_first else burst), unsupported_answered_at=NOW - 10)
    result = make_pipeline(DESK).handle(utterance, no_media)

    (reply,) = result.replies
    assert "send it again" in str(reply)
