"""Media: types and sizes, the URL's token and lifetime, expiry."""

from __future__ import annotations

import hashlib
import io

import pytest

from tests.unit.emulator.emulated import ANA, APP, NUMBER, OTHER_NUMBER, SECRET, Emulator, error

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
OGG_OPUS = b"OggS" + b"\0" * 24 + b"OpusHead" + b"\0" * 40


def uploaded(meta: Emulator, content: bytes = PNG, mime_type: str = "image/png") -> str:
    answer = meta.upload(content, mime_type)
    assert answer.status_code == 200, answer.text
    return str(answer.json["id"])


def url_of(meta: Emulator, media_id: str) -> str:
    return str(meta.get(media_id).json["url"])


def test_an_upload_resolves_to_its_type_size_and_hex_digest(meta: Emulator) -> None:
    media_id = uploaded(meta)
    found = meta.get(media_id).json
    assert (found["mime_type"], found["file_size"], found["id"]) == ("image/png", len(PNG), media_id)
    assert found["sha256"] == hashlib.sha256(PNG).hexdigest()


def test_the_url_gives_the_bytes_to_who_has_the_token(meta: Emulator) -> None:
    answer = meta.get(url_of(meta, uploaded(meta)))
    assert (answer.status_code, answer.data, answer.mimetype) == (200, PNG, "image/png")


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("EAAother", 404)])
def test_the_url_gives_nothing_to_anybody_else(meta: Emulator, token: str | None, status: int) -> None:
    assert meta.get(url_of(meta, uploaded(meta)), token=token).status_code == status


def test_the_url_gives_nothing_to_a_client_without_a_name(meta: Emulator) -> None:
    answer = meta.get(url_of(meta, uploaded(meta)), headers={"User-Agent": ""})
    assert (answer.status_code, answer.mimetype) == (403, "text/html")


def test_the_url_leads_back_the_way_the_caller_came(meta: Emulator) -> None:
    media_id = uploaded(meta)
    assert (
        meta.get(media_id, headers={"Host": "emulator.localhost:8090"})
        .json["url"]
        .startswith("http://emulator.localhost:8090/")
    )


def test_a_stranger_cannot_bend_the_urls(meta: Emulator) -> None:
    meta.get(NUMBER, token="other", headers={"Host": "evil.example"})
    assert "evil.example" not in meta.world.media_store.base_url


def test_a_url_dies_after_five_minutes(meta: Emulator) -> None:
    url = url_of(meta, uploaded(meta))
    meta.do("clock", {"advance": 301})
    assert meta.get(url).status_code == 404


def test_a_new_url_is_valid_again(meta: Emulator) -> None:
    media_id = uploaded(meta)
    meta.do("clock", {"advance": 301})
    assert meta.get(url_of(meta, media_id)).status_code == 200


def test_a_url_cannot_be_made_up(meta: Emulator) -> None:
    url = url_of(meta, uploaded(meta))
    assert meta.get(url[:-4] + "0000").status_code == 404


def test_an_upload_lives_thirty_days(meta: Emulator) -> None:
    media_id = uploaded(meta)
    meta.do("clock", {"advance": 30 * 86400 + 1})
    assert error(meta.get(media_id))["error_subcode"] == 33


def test_what_a_phone_sends_lives_seven_days(meta: Emulator) -> None:
    written = meta.client.post(f"/_emulator/phones/{ANA}/files", data={"file": (io.BytesIO(PNG), "a.png", "image/png")})
    media_id = written.json["message"]["media_id"]
    before = meta.get(media_id).status_code
    meta.do("clock", {"advance": 7 * 86400 + 1})
    assert (before, meta.get(media_id).status_code) == (200, 400)


def test_a_deleted_media_is_unknown(meta: Emulator) -> None:
    media_id = uploaded(meta)
    assert meta.graph("DELETE", media_id).json == {"success": True}
    assert error(meta.get(media_id))["error_subcode"] == 33


def test_a_media_is_not_found_under_another_number(meta: Emulator) -> None:
    media_id = uploaded(meta)
    assert meta.get(f"{media_id}?phone_number_id={NUMBER}").status_code == 200
    assert meta.get(f"{media_id}?phone_number_id={OTHER_NUMBER}").status_code == 400


def test_a_strange_type_is_refused_with_the_list(meta: Emulator) -> None:
    found = error(meta.upload(b"MZ", "application/x-msdownload"))
    assert found["code"] == 100
    assert "must be a file with one of the following types: audio/aac" in found["message"]


def test_the_type_field_counts_where_the_part_has_no_type(meta: Emulator) -> None:
    answer = meta.upload(PNG, "application/octet-stream", type="image/png")
    assert meta.get(answer.json["id"]).json["mime_type"] == "image/png"


def test_ogg_is_taken_with_opus_inside(meta: Emulator) -> None:
    media_id = uploaded(meta, OGG_OPUS, "audio/ogg")
    assert meta.get(media_id).json["mime_type"] == "audio/ogg; codecs=opus"


def test_ogg_without_opus_is_refused(meta: Emulator) -> None:
    assert error(meta.upload(b"OggS" + b"\0" * 60, "audio/ogg"))["code"] == 100


@pytest.mark.parametrize(
    ("mime_type", "size"), [("image/png", 5 * 1024 * 1024), ("image/webp", 100 * 1024), ("audio/aac", 16 * 1024**2)]
)
def test_a_file_past_its_size_is_refused(meta: Emulator, mime_type: str, size: int) -> None:
    assert meta.upload(b"x" * size, mime_type).status_code == 200
    assert error(meta.upload(b"x" * (size + 1), mime_type))["code"] == 131053


@pytest.mark.parametrize(("kind", "status"), [("sticker", 200), ("image", 400)])
def test_a_webp_file_is_sent_as_a_sticker_only(meta: Emulator, kind: str, status: int) -> None:
    uploaded = meta.upload(b"RIFF....WEBP", "image/webp").json["id"]
    assert meta.send({"type": kind, kind: {"id": uploaded}}).status_code == status


def test_an_animated_sticker_may_be_larger(meta: Emulator) -> None:
    assert meta.upload(b"RIFF....WEBPVP8XANIM" + b"x" * 200 * 1024, "image/webp").status_code == 200


def test_an_upload_without_file_is_error_100(meta: Emulator) -> None:
    form = {"messaging_product": "whatsapp"}
    answer = meta.graph("POST", f"{NUMBER}/media", data=form, content_type="multipart/form-data")
    assert error(answer)["message"] == "(#100) The parameter file is required."


def test_an_uploaded_image_can_be_sent(meta: Emulator) -> None:
    media_id = uploaded(meta)
    meta.sent({"type": "image", "image": {"id": media_id, "caption": "look"}})
    assert meta.last()["media_id"] == media_id


def test_an_image_cannot_be_sent_as_audio(meta: Emulator) -> None:
    assert error(meta.send({"type": "audio", "audio": {"id": uploaded(meta)}}))["code"] == 131009


def test_a_resumable_upload_ends_in_a_handle(meta: Emulator) -> None:
    session = meta.post(f"{APP}/uploads?file_name=a.png&file_length=10&file_type=image/png").json["id"]
    half = meta.graph("POST", session, data=b"12345", headers={"file_offset": "0"})
    resumed = meta.get(session)
    whole = meta.graph("POST", session, data=b"67890", headers={"file_offset": "5"})
    assert (half.json["file_offset"], resumed.json["file_offset"]) == (5, 5)
    assert whole.json["h"].startswith("4::")


def test_the_app_token_is_given_for_the_secret(meta: Emulator) -> None:
    query = f"grant_type=client_credentials&client_id={APP}&client_secret={SECRET}"
    answer = meta.get(f"oauth/access_token?{query}", token=None)
    assert answer.json == {"access_token": f"{APP}|{SECRET}", "token_type": "bearer"}
