"""Public field reports, each tested from the webhook to the answers and events.

Each case has its reported input and similar ones; docs/field-cases.md lists the tests of each case.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import gevent
import orjson
import pytest
import redis

from tests.integration.personal import contents
from tests.integration.test_worker_inbound import NO_RECEIPTS, PoliteInbox, gevent_until, no_media
from tests.unit.web.conftest import Start, Web
from tests.unit.web.conftest import lines as lines
from tests.unit.web.conftest import start_for_the_file as start_for_the_file
from tests.unit.web.conftest import start_web as start_web
from tests.unit.web.deliveries import NUMBER, WABA
from wa_service.store.inbox import ReplyLimit
from wa_service.store.records import RecordFilter
from wa_service.store.stored_event import reference
from wa_service.worker.build_pipeline import build_pipeline
from wa_service.worker.inbound import InboundWorker

ANA, NEW = "447700900123", "447700900456"
_serial = itertools.count(1)
DAY = 86_400
DESK = {"WA_SPEECH": "none", "WA_INTENTS": "fuzzy", "WA_COEXISTENCE_NUMBERS": NUMBER}


def now() -> int:
    return int(time.time())


def said(body: str, sender: str = ANA, wamid: str = "", **more: Any) -> dict[str, Any]:
    """A customer's text."""
    return one(sender, wamid, type="text", text={"body": body}, **more)


def one(sender: str = ANA, wamid: str = "", **content: Any) -> dict[str, Any]:
    """A customer's message, without a sender where it is ""."""
    head = {"id": wamid or f"wamid.F{next(_serial)}", "timestamp": str(now())}
    return head | ({"from": sender} if sender else {}) | content


def value(*messages: dict[str, Any], contact: dict[str, Any] | None = None, **lists: Any) -> dict[str, Any]:
    """The value of a change; `contact` is beside the messages."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
    found: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": metadata, **lists}
    if messages:
        found["messages"] = list(messages)
    if contact:
        found["contacts"] = [{"profile": {"name": "Ana"}, **contact}]
    return found


class Desk:
    """The service without its processes: web on a real store, a worker with the packaged script; a test plays Meta."""

    def __init__(self, web: Web) -> None:
        self.web = web
        runtime, given = web.runtime, web.runtime.settings
        self.asked: list[float] = []
        self._options: dict[str, Any] = {
            "retention_seconds": runtime.retention_seconds,
            "answer_max_age": given.answer_max_age,
            "staff_pause": given.staff_pause,
            "debounce": given.debounce,
            "reply_limit": ReplyLimit(30, 600),
        }
        self._worker = InboundWorker(
            PoliteInbox(runtime.store, **self._options),
            build_pipeline(given),
            NO_RECEIPTS,
            no_media,
            consumer="w",
            concurrency=4,
            handle_timeout=10,
            reply_ttl_ms=60_000,
            answer_groups=given.groups == "answer",
        )
        self._consuming: gevent.Greenlet | None = None

    def post(self, *values: dict[str, Any], field: str = "messages") -> None:
        """Post a delivery, which must be acknowledged."""
        changes = [{"field": field, "value": each} for each in values]
        body = {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": changes}]}
        assert self.web.webhook(body).status_code == 200

    def work(self) -> None:
        """Handle everything that waits."""
        self._consuming = self._consuming or gevent.spawn(self._worker.consume)
        gevent_until(lambda: not self.web.runtime.store.do("EXISTS", self.web.runtime.store.keys.due))

    def stop(self) -> None:
        self._worker.stop()
        if self._consuming is not None:
            self._consuming.kill()
        self._worker.kill()

    def answers(self, to: str | None = None) -> list[str]:
        """The texts of all answers, oldest first."""
        records, _ = self.web.runtime.records.page(RecordFilter(to=to), "", 200)
        bodies = [orjson.loads(record.body or "{}") for record in reversed(records) if record.origin]
        return [str((each.get("text") or each["interactive"]["body"]).get("body", "a choice")) for each in bodies]

    def contact(self, address: str) -> dict[str, Any] | None:
        answer = self.web.get(f"/v1/contacts/{address}")
        return answer.json if answer.status_code == 200 else None

    def forget(self, address: str) -> None:
        assert self.web.delete(f"/v1/contacts/{address}").status_code == 200

    def events(self, kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.web.get(f"/v1/events?kind={kind}").json["items"]
        return items

    def template(self, **to: str) -> int:
        """Submit a template to a customer; return the response status."""
        return self.web.send({**to, "template": {"name": "hello_world", "language": "en_US"}}).status_code

    def sent(self, wamid: str, body: dict[str, Any]) -> str:
        """Submit a send that Meta accepts; return its id."""
        record_id = str(self.web.send(body).json["id"])
        self.web.accept(wamid)
        return record_id


@pytest.fixture
def open_desk(start_web: Start) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def start(**env: str) -> Desk:
        desks.append(Desk(start_web(DESK | env)))
        return desks[-1]

    yield start
    for desk in desks:
        desk.stop()


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start) -> Web:
    return start_for_the_file(DESK)


@pytest.fixture
def desk(process_of_the_file: Web, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Iterator[Desk]:
    """A desk with an empty store and a separate worker."""
    desk = Desk(process_of_the_file)
    yield desk
    desk.stop()


Open = Callable[..., Desk]


class TestChangedUserId:
    """Case 1: a business-scoped user id is replaced, and Meta gives no number."""

    @pytest.mark.parametrize(
        "change",
        [
            value(
                one(
                    "",
                    type="system",
                    system={
                        "type": "user_changed_user_id",
                        "previous_user_id": "US.OLD1",
                        "user_id": "US.NEW1",
                        "previous_parent_user_id": "US.ENT.OLDP",
                        "parent_user_id": "US.ENT.NEWP",
                    },
                )
            ),
            value(
                one(
                    "",
                    type="system",
                    system={
                        "type": "user_changed_number",
                        "wa_id": NEW,
                        "previous_user_id": "US.OLD1",
                        "user_id": "US.NEW1",
                    },
                )
            ),
            value(
                one(
                    "",
                    type="system",
                    system={
                        "type": "user_changed_number",
                        "new_wa_id": int(NEW),
                        "previous_user_id": "US.OLD1",
                        "user_id": "US.NEW1",
                    },
                )
            ),
        ],
        ids=["the id alone", "with a new number", "with a number as an integer"],
    )
    def test_one_contact_one_conversation_and_either_id_erases_all(
        self, desk: Desk, redis_client: redis.Redis, change: dict[str, Any]
    ) -> None:
        desk.post(value(said("hello", "", from_user_id="US.OLD1"), contact={"user_id": "US.OLD1"}))
        desk.post(change)
        desk.post(value(said("are you there?", "", from_user_id="US.NEW1"), contact={"user_id": "US.NEW1"}))
        desk.work()
        before, after = desk.contact("US.OLD1"), desk.contact("US.NEW1")
        assert before == after
        assert before is not None
        assert {"US.OLD1", "US.NEW1"} <= set(before["addresses"])
        assert len({event["contact"] for event in desk.events("message")}) == 1
        desk.forget("US.OLD1" if "wa_id" in repr(change) else "US.NEW1")
        held = contents(redis_client).items()
        left = [key for key, content in held if b"US.NEW1" in content or b"US.OLD1" in content]
        assert left == []

    @pytest.mark.parametrize("order", ["first change later", "first later change", "change first later"])
    @pytest.mark.parametrize("names_previous", [True, False])
    def test_the_current_id_is_shown_in_whatever_order_they_come(
        self, desk: Desk, order: str, *, names_previous: bool
    ) -> None:
        system = {"type": "user_changed_user_id", "user_id": "US.NEW1", "parent_user_id": "US.ENT.NEWP"}
        system |= {"previous_user_id": "US.OLD1"} if names_previous else {}
        deliveries = {
            "first": value(said("hello", "", from_user_id="US.OLD1"), contact={"user_id": "US.OLD1"}),
            "change": value(one("", type="system", from_user_id="US.OLD1", system=system)),
            "later": value(said("are you there?", "", from_user_id="US.NEW1"), contact={"user_id": "US.NEW1"}),
        }
        for name in order.split():
            desk.post(deliveries[name])
        assert {event["contact"] for event in desk.events("message")} == {"US.NEW1"}
        again = {"wa_id": None, "user_id": {"previous": "US.OLD0", "current": "US.OLD1"}, "timestamp": str(now())}
        desk.post(value(user_id_update=[again]), field="user_id_update")
        parents = {"parent_user_id": {"previous": "US.ENT.NEWP", "current": "US.ENT.LAST"}, "timestamp": str(now())}
        desk.post(value(user_id_update=[parents]), field="user_id_update")
        known = desk.contact("US.OLD0")
        assert known is not None
        assert known["id"] == "US.NEW1"

    def test_the_place_in_the_quota_moves_along(self, open_desk: Open) -> None:
        desk = open_desk(WHATSAPP_DAILY_LIMIT="1")
        assert desk.template(recipient="US.R1") in {200, 202}
        changed = {"type": "user_changed_user_id", "previous_user_id": "US.R1", "user_id": "US.R2"}
        desk.post(value(one("", type="system", system=changed)))
        assert desk.template(recipient="US.R2") in {200, 202}
        assert desk.template(recipient="US.OTHER") == 429


class TestEchoes:
    """Case 2: the owner answers in the WhatsApp Business app."""

    @pytest.mark.parametrize(
        "echo",
        [
            {"to": ANA, "type": "text", "text": {"body": "This is the owner, I will check for you"}},
            {"to": ANA, "type": "image", "image": {"id": "1", "mime_type": "image/jpeg"}},
            {"to": f"+{ANA}", "type": "text", "text": {"body": "One moment"}},
        ],
        ids=["a text", "a picture", "a number with a plus"],
    )
    def test_an_echo_while_an_answer_is_made_means_silence(self, desk: Desk, echo: dict[str, Any]) -> None:
        desk.post(value(said("what time is breakfast")))
        (work,) = desk.web.runtime.inbox.take("maker", 1, 1)[1]
        echoed = {"from": "15550783881", "id": f"wamid.E{next(_serial)}", "timestamp": str(now()), **echo}
        desk.post(value(message_echoes=[echoed]), field="smb_message_echoes")
        desk.web.runtime.inbox.finish(work, "maker", [])
        desk.post(value(said("Sure, take your time")))
        desk.work()
        assert desk.answers() == []
        (told,) = desk.events("echo")
        assert (told["contact"], len(desk.events("message"))) == (ANA, 2)

    def test_an_echo_opens_no_window_and_counts_as_nothing_of_the_customer(self, desk: Desk) -> None:
        echoed = {
            "from": "15550783881",
            "to": ANA,
            "id": "wamid.E",
            "timestamp": str(now()),
            "type": "text",
            "text": {"body": "Hello?"},
        }
        desk.post(value(message_echoes=[echoed]), field="smb_message_echoes")
        found = desk.contact(ANA)
        assert found is not None
        assert not found["window_open"]

    def test_the_echo_of_our_own_send_silences_nobody(self, desk: Desk) -> None:
        desk.post(value(said("hi")))
        desk.sent("wamid.OURS", {"to": ANA, "text": "Hello"})
        echoed = {
            "from": "15550783881",
            "to": ANA,
            "id": "wamid.OURS",
            "timestamp": str(now()),
            "type": "text",
            "text": {"body": "Hello"},
        }
        desk.post(value(message_echoes=[echoed]), field="smb_message_echoes")
        desk.work()
        assert desk.answers() != []


class TestUnavailable:
    """Case 3: the content of a customer's first message is unavailable."""

    ERROR: ClassVar[dict[str, Any]] = {"code": 131060, "title": "This message is currently unavailable."}

    def test_the_customer_is_asked_to_send_it_again_and_its_content_under_the_same_id_is_answered(
        self, desk: Desk
    ) -> None:
        gone = one(wamid="wamid.U1", type="unsupported", errors=[self.ERROR], unsupported={"type": "media_placeholder"})
        desk.post(value(gone, contact={"wa_id": ANA}))
        desk.work()
        assert desk.answers() == ["Your message did not reach me. Could you please send it again?"]
        desk.post(value(said("what time is breakfast", wamid="wamid.U1"), contact={"wa_id": ANA}))
        desk.work()
        assert len(desk.answers()) == 2
        assert "reakfast" in desk.answers()[1]
        desk.post(value(said("what time is breakfast", wamid="wamid.U1"), contact={"wa_id": ANA}))
        desk.work()
        assert len(desk.answers()) == 2

    def test_what_whatsapp_never_hands_on_gets_another_answer_once(self, desk: Desk) -> None:
        for n, word in enumerate(("gif", "poll_creation", "", None)):
            unsupported: dict[str, Any] = {} if word is None else {"unsupported": {"type": word}}
            errors = [{"code": 131051, "title": "x"}]
            for _ in range(2):
                desk.post(value(one(f"4477009003{n:02d}", type="unsupported", errors=errors, **unsupported)))
                desk.work()
        assert len(desk.answers()) == 4
        assert "did not reach" not in " ".join(desk.answers())


class TestStandby:
    """Case 4: another application has control of the thread."""

    def test_statuses_of_our_sends_move_their_record_wherever_they_arrive(self, desk: Desk) -> None:
        desk.post(value(said("hi")))
        record_id = desk.sent("wamid.S1", {"to": ANA, "text": "Hello"})
        for status in ("delivered", "read"):
            told = {"id": "wamid.S1", "status": status, "timestamp": str(now()), "recipient_id": ANA}
            desk.post(value(standby={"statuses": [told]}), field="standby")
            assert desk.web.get(f"/v1/messages/{record_id}").json["status"] == status

    def test_a_message_there_is_told_and_answered_only_once_it_comes_to_us(self, desk: Desk) -> None:
        message = said("what time is breakfast", wamid="wamid.SB1")
        desk.post(value(standby={"messages": [message]}), field="standby")
        desk.work()
        assert (desk.answers(), len(desk.events("standby"))) == ([], 1)
        desk.post(value(message))
        desk.work()
        assert len(desk.answers()) == 1

    def test_a_thread_that_was_handed_over_is_not_answered(self, desk: Desk) -> None:
        desk.post(value(said("what time is breakfast")))
        handed: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "timestamp": str(now()),
            "sender": {"phone_number": ANA},
            "recipient": {"phone_number_id": NUMBER},
            "type": "control_taken",
            "control_taken": {"previous_owner_role": "escalation", "new_owner_role": "ai_agent"},
        }
        desk.post(value(**handed), field="messaging_handovers")
        desk.work()
        assert desk.answers() == []


class TestRecycledNumber:
    """Case 5: a number is assigned to another person."""

    def ana_and_bo(self, desk: Desk, *, told: bool, bo_id: str) -> None:
        before = {"timestamp": str(now() - 100)}
        desk.post(value(said("hi") | before, contact={"wa_id": ANA, "user_id": "GB.AAA"}))
        if told:
            changed = {"type": "user_changed_number", "wa_id": NEW, "user_id": "GB.AAA2", "previous_user_id": "GB.AAA"}
            desk.post(value(one(type="system", system=changed) | before))
        contact: dict[str, Any] = {"wa_id": ANA, "profile": {"name": "Bo"}}
        desk.post(value(said("hi"), contact=contact | ({"user_id": bo_id} if bo_id else {})))
        desk.work()

    @pytest.mark.parametrize(("told", "bo_id"), [(True, "GB.BBB"), (False, "GB.BBB"), (True, "")])
    def test_the_next_holder_is_a_new_person_and_forgetting_them_leaves_the_other(
        self, desk: Desk, told: bool, bo_id: str
    ) -> None:
        self.ana_and_bo(desk, told=told, bo_id=bo_id)
        bo, ana = desk.contact(bo_id or ANA), desk.contact("GB.AAA")
        assert bo is not None
        assert ana is not None
        assert (bo["name"], ana["name"]) == ("Bo", "Ana")
        assert not set(bo["addresses"]) & set(ana["addresses"])
        assert len({event["contact"] for event in desk.events("message") if event["data"]["type"] == "text"}) == 2
        desk.forget(bo_id or ANA)
        assert desk.contact("GB.AAA") == ana


class TestOldMessages:
    """Case 11: Meta delivers messages days late."""

    @pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
    def test_thirty_old_ones_and_a_new_one_get_one_answer(self, desk: Desk, unit: int) -> None:
        old = [said("a table for tonight") | {"timestamp": str((now() - 3 * DAY - n) * unit)} for n in range(30)]
        desk.post(value(*old))
        desk.post(value(said("what time is breakfast")))
        desk.work()
        assert len(desk.answers()) == 1
        assert [event["data"].get("stale") for event in desk.events("message")] == [True] * 30 + [None]

    def test_an_old_one_opens_the_window_that_it_opened(self, desk: Desk) -> None:
        desk.post(value(said("hello") | {"timestamp": str(now() - 3 * DAY)}))
        found = desk.contact(ANA)
        assert found is not None
        assert not found["window_open"]

    def test_with_no_age_an_old_one_is_answered(self, open_desk: Open) -> None:
        desk = open_desk(WA_ANSWER_MAX_AGE="0")
        desk.post(value(said("what time is breakfast") | {"timestamp": str(now() - 3 * DAY)}))
        desk.work()
        assert len(desk.answers()) == 1


class TestChangedMessages:
    """Case 18: a message is deleted or edited while it waits for its answer."""

    def revoke(self, wamid: str) -> dict[str, Any]:
        return one(type="revoke", revoke={"original_message_id": wamid})

    @pytest.mark.parametrize("first", ["message", "revocation"])
    def test_what_was_deleted_is_not_answered_and_its_text_not_kept(
        self, desk: Desk, redis_client: redis.Redis, first: str
    ) -> None:
        pair = [said("4111 1111", wamid="wamid.T2"), self.revoke("wamid.T2")]
        desk.post(value(*(pair if first == "message" else reversed(pair))))
        desk.work()
        assert desk.answers() == []
        assert "4111 1111" not in repr(contents(redis_client)) or first == "revocation"
        assert "revoke" in {event["data"]["type"] for event in desk.events("message")}

    def test_what_was_corrected_is_answered_as_corrected(self, desk: Desk) -> None:
        content = {"context": {"id": "M0"}, "type": "text", "text": {"body": "what time is breakfast"}}
        edit = one(type="edit", edit={"original_message_id": "wamid.T1", "message": content})
        desk.post(value(said("xyzzy", wamid="wamid.T1"), edit))
        desk.work()
        (answer,) = desk.answers()
        assert "xyzzy" not in answer


class TestAlbum:
    """Case 21: ten pictures with a caption on the last."""

    @pytest.mark.parametrize("kind", ["image", "video"])
    def test_one_answer_to_the_caption(self, open_desk: Open, kind: str) -> None:
        desk = open_desk(WA_DEBOUNCE="0.2")
        for n in range(10):
            caption = {"caption": "what time is breakfast?"} if n == 9 else {}
            content: dict[str, Any] = {kind: {"id": str(n), "mime_type": "image/jpeg", **caption}}
            desk.post(value(one(type=kind, **content)))
        desk.work()
        (answer,) = desk.answers()
        assert "reakfast" in answer


class TestGroups:
    """Case 23: twenty texts between two group members are not for the bot."""

    def chatter(self, desk: Desk) -> None:
        for n in range(20):
            desk.post(value(said("what time is breakfast", ANA if n % 2 else NEW, group_id="120363000000000001")))
        desk.work()

    def test_the_bot_is_quiet_in_a_group(self, desk: Desk) -> None:
        self.chatter(desk)
        assert (desk.answers(), len(desk.events("message"))) == ([], 20)

    def test_the_bot_answers_in_a_group_where_it_is_to(self, open_desk: Open) -> None:
        desk = open_desk(WA_GROUPS="answer")
        self.chatter(desk)
        assert len(desk.answers("120363000000000001")) == 20


class TestForms:
    """Case 27: a Flow reply that is not an object."""

    def test_each_form_is_answered_and_none_is_a_dead_letter(self, desk: Desk) -> None:
        texts: tuple[Any, ...] = ("[]", "null", "", "{bad", None, {}, 7)
        replies: list[dict[str, Any]] = [{"name": "flow", "response_json": text} for text in texts]
        replies += [{"name": "flow", "body": "Sent"}, {"name": "address_message", "response_json": "{}"}, {}]
        for n, reply in enumerate(replies):
            form = {"type": "nfm_reply", "nfm_reply": reply}
            desk.post(value(one(f"4477009005{n:02d}", type="interactive", interactive=form)))
        desk.work()
        assert len(desk.answers()) == len(replies)
        assert desk.web.get("/v1/dead-letters").json["items"] == []
        assert [e["data"]["message"]["interactive"]["nfm_reply"] for e in desk.events("message")] == replies

    def test_an_order_without_a_price_is_answered(self, desk: Desk) -> None:
        items = [{"product_retailer_id": "sku", "quantity": 1}]
        desk.post(value(one(type="order", order={"catalog_id": "c", "product_items": items})))
        desk.work()
        assert len(desk.answers()) == 1


class TestChangedNumber:
    """Case 30: a number change in all its spellings."""

    def test_old_and_new_are_one_and_the_notice_is_not_answered(self, desk: Desk) -> None:
        spellings: tuple[Callable[[str], Any], ...] = (str, int, "+{}".format)
        for n, (kind, field, written) in enumerate(
            itertools.product(("user_changed_number", "customer_changed_number"), ("wa_id", "new_wa_id"), spellings)
        ):
            old, new = f"4477009001{n:02d}", f"4477009002{n:02d}"
            system = {"type": kind, field: written(new), "body": "Ana changed"}
            desk.post(value(said("hello", old)))
            desk.work()
            waiting = desk.answers(old)
            desk.post(value(one(old, type="system", system=system)))
            desk.post(value(said("what time is breakfast", new)))
            desk.work()
            found = desk.contact(new)
            assert found is not None, system
            assert desk.answers(new)[:-1] == waiting, system
            assert "Breakfast" in desk.answers(new)[-1], system
        assert len({event["contact"] for event in desk.events("message")}) == 12

    def answered_at(self, desk: Desk, wamid: str) -> set[str]:
        """Where a message was answered: the recipients in the bodies for Meta."""
        records, _ = desk.web.runtime.records.page(RecordFilter(), "", 50)
        bodies = [
            orjson.loads(each.body or "{}") for each in records if reference(NUMBER, wamid) in (each.origin or "")
        ]
        return {body.get("to") or body["recipient"] for body in bodies}

    def test_what_waited_is_answered_where_the_customer_is_now(self, desk: Desk) -> None:
        desk.post(value(said("hello", wamid="wamid.WAITS")))
        desk.post(value(one(type="system", system={"type": "user_changed_number", "wa_id": NEW})))
        desk.work()
        assert self.answered_at(desk, "wamid.WAITS") == {NEW}

    def test_what_waited_is_answered_to_the_user_id_that_replaced_its_own(self, desk: Desk) -> None:
        desk.post(value(said("hello", "", "wamid.WAITS", from_user_id="GB.1")))
        system = {"type": "user_changed_user_id", "user_id": "GB.2"}
        desk.post(value(one("", type="system", from_user_id="GB.1", system=system)))
        desk.work()
        assert self.answered_at(desk, "wamid.WAITS") == {"GB.2"}

    def test_what_waited_is_not_answered_to_the_number_s_next_holder(self, desk: Desk) -> None:
        desk.post(value(said("hello", wamid="wamid.WAITS", from_user_id="GB.1")))
        desk.post(value(said("hello", wamid="wamid.NEXT", from_user_id="GB.2")))
        desk.work()
        assert (self.answered_at(desk, "wamid.WAITS"), self.answered_at(desk, "wamid.NEXT")) == ({"GB.1"}, {ANA})

    def test_a_notice_of_somebody_unknown_opens_no_window_and_frees_no_place(self, open_desk: Open) -> None:
        desk = open_desk(WHATSAPP_DAILY_LIMIT="1")
        desk.post(value(one(type="system", system={"type": "user_changed_number", "wa_id": NEW})))
        assert [desk.template(to=NEW), desk.template(to="447700900999")] == [desk.template(to=NEW), 429]


class TestSameSecond:
    """Case 44: parts of one sentence within a second."""

    PIECES = ("to book", "I would like", "a room for two", "Hi", "from Friday")

    def test_one_coherent_answer(self, open_desk: Open) -> None:
        desk = open_desk(WA_DEBOUNCE="0.2")
        for piece in self.PIECES:
            desk.post(value(said(piece)))
        desk.work()
        asked = [event["data"]["message"]["text"]["body"] for event in desk.events("message")]
        assert asked == list(self.PIECES)
        (note,) = {record.origin for record in desk.web.runtime.records.page(RecordFilter(), "", 50)[0]}
        assert note

    def test_without_it_each_is_answered(self, desk: Desk) -> None:
        desk.post(value(*(said(piece) for piece in self.PIECES)))
        desk.work()
        assert len({record.origin for record in desk.web.runtime.records.page(RecordFilter(), "", 50)[0]}) == 5


class TestUserIdAsAddress:
    """Case 19: a business-scoped user id where a number is expected."""

    def test_it_is_sent_as_recipient_or_refused_with_that_word(self, desk: Desk) -> None:
        for to in ("US.13491208655302741918", "US.ENT.118x"):
            answer = desk.web.send({"to": to, "text": "hi"})
            assert answer.status_code in {200, 202} or "recipient" in repr(answer.json)
            if answer.status_code < 300:
                body = orjson.loads(desk.web.grant().body)
                assert body["recipient"] == to

    def test_a_customer_with_an_id_alone_is_answered_there(self, desk: Desk) -> None:
        desk.post(value(said("what time is breakfast", ""), contact={"user_id": "US.1", "profile": {"name": "Ana"}}))
        desk.work()
        body = orjson.loads(desk.web.grant().body)
        assert ("to" in body, body["recipient"]) == (False, "US.1")

    def test_a_status_that_names_nobody_is_applied(self, desk: Desk) -> None:
        desk.post(value(said("hi")))
        record_id = desk.sent("wamid.N1", {"to": ANA, "text": "Hello"})
        desk.post(value(statuses=[{"id": "wamid.N1", "status": "delivered", "timestamp": str(now())}]))
        assert desk.web.get(f"/v1/messages/{record_id}").json["status"] == "delivered"
