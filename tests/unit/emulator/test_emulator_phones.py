"""The phone's side: what a customer sends, does and sees."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, NUMBER, OTHER_NUMBER, Emulator

TEXT = {"type": "text", "text": {"body": "hello"}}


def test_the_world_starts_with_two_phones(fresh: Emulator) -> None:
    phones = fresh.control("GET", "phones").json["phones"]
    assert [phone["name"] for phone in phones] == ["Ana", "Ben"]


def test_writing_adds_a_phone_that_was_not_there(fresh: Emulator) -> None:
    fresh.write(wa_id="4915112345678")
    assert fresh.control("GET", "phones/4915112345678").status_code == 200


def test_what_the_phone_writes_goes_out(fresh: Emulator) -> None:
    wamid = fresh.write("good morning")
    message = fresh.last()
    assert (message["id"], message["direction"], message["text"]) == (wamid, "out", {"body": "good morning"})


def test_what_the_business_sends_comes_in(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    assert (meta.last()["id"], meta.last()["direction"]) == (wamid, "in")


def test_a_phone_writes_to_the_number_it_names(fresh: Emulator) -> None:
    fresh.write(phone_number_id=OTHER_NUMBER)
    assert fresh.last()["number_id"] == OTHER_NUMBER


@pytest.mark.parametrize(("wa_id", "status"), [("abc", 400), ("12", 400), ("4477-00900 123", 200)])
def test_a_phone_is_a_number(fresh: Emulator, wa_id: str, status: int) -> None:
    assert fresh.control("POST", f"phones/{wa_id}/messages", TEXT).status_code == status


def test_a_phone_that_is_not_there_has_no_messages(fresh: Emulator) -> None:
    assert fresh.control("GET", "phones/99999999/messages").status_code == 404


def test_traits_are_changed_one_by_one(fresh: Emulator) -> None:
    fresh.control("PATCH", f"phones/{ANA}", {"auto_read": True})
    phone = fresh.control("GET", f"phones/{ANA}").json
    assert (phone["auto_read"], phone["name"]) == (True, "Ana")


@pytest.mark.parametrize("traits", [{"colour": "red"}, {"auto_read": "yes"}])
def test_a_trait_that_is_none_is_refused(fresh: Emulator, traits: dict[str, Any]) -> None:
    assert fresh.control("PATCH", f"phones/{ANA}", traits).status_code == 400


def test_writing_opens_the_window_for_a_day(fresh: Emulator) -> None:
    fresh.write()
    ends = fresh.control("GET", f"phones/{ANA}").json["windows"][NUMBER]
    assert ends == pytest.approx(fresh.world.clock.now() + 86400, abs=5)


def test_looking_is_not_reading(meta: Emulator) -> None:
    meta.sent(TEXT)
    meta.shown()
    assert meta.last()["status"] == "delivered"


def test_reading_reads_everything(meta: Emulator) -> None:
    meta.sent(TEXT)
    meta.sent(TEXT)
    assert meta.do(f"phones/{ANA}/read") == {"read": 2}
    assert [item["status"] for item in meta.shown()[1:]] == ["read", "read"]


def test_reading_reads_what_is_named(meta: Emulator) -> None:
    first, _ = meta.sent(TEXT), meta.sent(TEXT)
    meta.do(f"phones/{ANA}/read", {"message_ids": [first]})
    assert [item["status"] for item in meta.shown()[1:]] == ["read", "delivered"]


def test_a_phone_without_receipts_does_not_tell_that_it_read(meta: Emulator) -> None:
    meta.do("phones", {"wa_id": ANA, "read_receipts": False})
    meta.sent(TEXT)
    meta.do(f"phones/{ANA}/read")
    assert meta.last()["status"] == "delivered"


def test_reading_can_skip_delivered(meta: Emulator) -> None:
    meta.do("behaviour", {"skip_delivered": True})
    meta.do("phones", {"wa_id": ANA, "auto_read": True})
    meta.sent(TEXT)
    assert set(meta.last()["status_times"]) == {"accepted", "sent", "read"}


def test_a_reaction_sits_on_the_message_until_it_is_taken_back(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    meta.do(f"phones/{ANA}/react", {"message_id": wamid, "emoji": "👍"})
    before = next(item for item in meta.shown() if item["id"] == wamid)
    meta.do(f"phones/{ANA}/react", {"message_id": wamid, "emoji": ""})
    after = next(item for item in meta.shown() if item["id"] == wamid)
    assert (before["reactions"], "reactions" in after) == ({ANA: "👍"}, False)


def test_a_phone_is_found_by_the_user_id_it_was_given(fresh: Emulator) -> None:
    assert fresh.control("PATCH", f"phones/{ANA}", {"user_id": "GB.77"}).json["user_id"] == "GB.77"
    assert fresh.control("GET", "phones/GB.77").json["wa_id"] == ANA


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "phones/15550102030", {}),
        ("POST", "phones", {"wa_id": "15550102030"}),
        ("POST", "phones", {"wa_id": "447700900199"}),
        ("POST", "phones/15550102030/user_id", {}),
        ("POST", "phones/15550102030/number", {"wa_id": "447700900198"}),
    ],
)
def test_a_user_id_belongs_to_one_phone(fresh: Emulator, method: str, path: str, body: dict[str, Any]) -> None:
    user_id = fresh.control("GET", f"phones/{ANA}").json["user_id"]
    answer = fresh.control(method, path, {**body, "user_id": user_id})
    assert (answer.status_code, answer.json) == (409, {"error": f"{user_id} belongs to another phone"})
    assert fresh.control("GET", f"phones/{user_id}").json["wa_id"] == ANA


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "phones/15550102030", {}),
        ("POST", "phones", {"wa_id": "447700900199"}),
        ("POST", "phones/15550102030/user_id", {}),
    ],
)
def test_a_parent_user_id_belongs_to_one_phone(fresh: Emulator, method: str, path: str, body: dict[str, Any]) -> None:
    fresh.control("PATCH", f"phones/{ANA}", {"parent_user_id": "GB.ENT.9"})
    answer = fresh.control(method, path, {**body, "parent_user_id": "GB.ENT.9"})
    assert (answer.status_code, answer.json) == (409, {"error": "GB.ENT.9 belongs to another phone"})


def test_an_edit_without_a_message_changes_nothing(fresh: Emulator) -> None:
    wamid = fresh.write("hello")
    edit = {"original_message_id": wamid, "message": "hi"}
    fresh.do(f"phones/{ANA}/messages", {"type": "edit", "edit": edit})
    assert fresh.shown()[0]["text"] == {"body": "hello"}


def test_a_type_cannot_be_the_name_of_a_property(fresh: Emulator) -> None:
    answer = fresh.control("POST", f"phones/{ANA}/messages", {"type": "status", "status": {}})
    assert answer.status_code == 400


def test_a_phone_without_a_name_is_in_the_address_book(fresh: Emulator) -> None:
    fresh.do("phones", {"wa_id": ANA, "name": " "})
    assert fresh.do("business_app/contacts", {"wa_ids": [ANA]}) == {"contacts": 1}


def test_a_voice_note_is_played(meta: Emulator) -> None:
    audio = {"link": "https://a.example/a.ogg", "voice": True}
    wamid = meta.sent({"type": "audio", "audio": audio})
    meta.do(f"phones/{ANA}/play", {"message_id": wamid})
    assert meta.last()["status"] == "played"


def test_a_text_is_not_played(meta: Emulator) -> None:
    answer = meta.control("POST", f"phones/{ANA}/play", {"message_id": meta.sent(TEXT)})
    assert answer.status_code == 409


def test_an_edit_changes_the_message(meta: Emulator) -> None:
    wamid = meta.write("helo")
    edit = {"original_message_id": wamid, "message": {"type": "text", "text": {"body": "hello"}}}
    meta.do(f"phones/{ANA}/messages", {"type": "edit", "edit": edit})
    message = next(item for item in meta.shown() if item["id"] == wamid)
    assert (message["text"]["body"], message["edited"]) == ("hello", True)


def test_a_revocation_marks_the_message(meta: Emulator) -> None:
    wamid = meta.write()
    meta.do(f"phones/{ANA}/messages", {"type": "revoke", "revoke": {"original_message_id": wamid}})
    assert next(item for item in meta.shown() if item["id"] == wamid)["revoked"] is True


def test_one_status_can_be_made_to_happen(meta: Emulator) -> None:
    meta.do("phones", {"wa_id": ANA, "auto_deliver": False})
    wamid = meta.sent(TEXT)
    meta.do(f"phones/{ANA}/statuses", {"message_id": wamid, "status": "read"})
    meta.do(f"phones/{ANA}/statuses", {"message_id": wamid, "status": "delivered"})
    assert meta.last()["status"] == "read"
    assert "delivered" in meta.last()["status_times"]


def test_somebody_elses_message_cannot_be_pressed(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    answer = meta.control("POST", "phones/15550102030/press", {"message_id": wamid, "button": 0})
    assert answer.status_code == 404


def send_file(meta: Emulator, content: bytes, mime_type: str, **fields: str) -> dict[str, Any]:
    data: dict[str, Any] = {"file": (io.BytesIO(content), "note.bin", mime_type), **fields}
    answer = meta.client.post(f"/_emulator/phones/{ANA}/files", data=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["message"]
    return found


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("image/jpeg", "image"),
        ("image/webp", "sticker"),
        ("video/mp4", "video"),
        ("audio/mpeg", "audio"),
        ("application/pdf", "document"),
        ("application/zip", "document"),
    ],
)
def test_a_file_is_sent_as_what_it_is(meta: Emulator, mime_type: str, kind: str) -> None:
    message = send_file(meta, b"content", mime_type)
    assert (message["type"], message[kind]["mime_type"]) == (kind, mime_type)


def test_a_document_keeps_its_name_and_caption(meta: Emulator) -> None:
    message = send_file(meta, b"%PDF", "application/pdf", caption="the bill")
    assert (message["document"]["filename"], message["document"]["caption"]) == ("note.bin", "the bill")


def test_a_file_carries_a_base64_digest_and_a_url(meta: Emulator) -> None:
    message = send_file(meta, b"content", "image/jpeg")
    assert message["image"]["sha256"] == base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    assert "source=webhook" in message["image"]["url"]


def test_a_file_sent_by_the_phone_is_downloaded_as_any_media(meta: Emulator) -> None:
    message = send_file(meta, b"content", "image/jpeg")
    assert meta.get(message["image"]["url"]).data == b"content"
    assert meta.get(message["image"]["id"]).json["file_size"] == 7


def test_the_page_gets_media_without_a_token(meta: Emulator) -> None:
    message = send_file(meta, b"content", "image/jpeg")
    answer = meta.client.get(f"/_emulator/media/{message['media_id']}")
    assert (answer.data, answer.mimetype) == (b"content", "image/jpeg")
    assert answer.headers["Content-Disposition"] == "inline"


def test_the_page_gets_html_as_a_download_only(meta: Emulator) -> None:
    message = send_file(meta, b"<script>", "text/html")
    answer = meta.client.get(f"/_emulator/media/{message['media_id']}")
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_the_page_gets_a_part_of_a_media_for_seeking(meta: Emulator) -> None:
    message = send_file(meta, b"0123456789", "audio/mpeg")
    answer = meta.client.get(f"/_emulator/media/{message['media_id']}", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.data) == (206, b"234")


def test_a_recording_is_a_voice_note_where_it_says_so(meta: Emulator) -> None:
    ogg = b"OggS" + b"\0" * 24 + b"OpusHead" + b"\0" * 20
    message = send_file(meta, ogg, "audio/ogg", voice="true")
    assert (message["audio"]["voice"], message["audio"]["mime_type"]) == (True, "audio/ogg; codecs=opus")


def test_a_file_may_quote_a_message(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    assert send_file(meta, b"content", "image/jpeg", context=wamid)["context"]["id"] == wamid


def test_a_file_is_needed(meta: Emulator) -> None:
    assert meta.client.post(f"/_emulator/phones/{ANA}/files", data={}).status_code == 400


def test_webhooks_stay_in_order_over_a_changed_number(meta: Emulator) -> None:
    before = meta.world.phones[ANA].lane
    meta.do(f"phones/{ANA}/number", {"wa_id": "447700900456"})
    assert meta.world.phones["447700900456"].lane == before
