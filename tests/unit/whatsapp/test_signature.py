"""`X-Hub-Signature-256`: only bodies signed with the app secret are accepted."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Any

import pytest

from wa_service.whatsapp import SignatureVerifier, WhatsAppMetaClient

SECRET = "a-secret-of-the-app"
BODY = b'{"text":"\\u00e4\\/ raw, as it came"}'


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_body_signed_with_the_secret_is_let_in() -> None:
    assert SignatureVerifier([SECRET]).refusal(BODY, signed(BODY)) is None


def test_upper_case_hex_is_the_same_signature() -> None:
    header = "sha256=" + signed(BODY).removeprefix("sha256=").upper()
    assert SignatureVerifier([SECRET]).refusal(BODY, header) is None


def test_while_rotating_either_secret_signs() -> None:
    verifier = SignatureVerifier(["old", "new"])
    assert [verifier.refusal(BODY, signed(BODY, secret)) for secret in ("old", "new")] == [None, None]


def test_the_same_verifier_judges_many_bodies() -> None:
    verifier = SignatureVerifier([SECRET])
    assert [verifier.refusal(body, signed(body)) for body in (b"one", b"two", b"")] == [None, None, None]


def test_another_secret_is_a_mismatch() -> None:
    assert SignatureVerifier([SECRET]).refusal(BODY, signed(BODY, "theirs")) == "mismatch"


def test_one_changed_byte_is_a_mismatch() -> None:
    assert SignatureVerifier([SECRET]).refusal(BODY + b" ", signed(BODY)) == "mismatch"


@pytest.mark.parametrize("header", [None, ""])
def test_no_header_is_missing(header: Any) -> None:
    assert SignatureVerifier([SECRET]).refusal(BODY, header) == "missing"


@pytest.mark.parametrize(
    "header",
    [
        "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
        signed(BODY).removeprefix("sha256="),
        signed(BODY)[:-1],
        signed(BODY) + "0",
        signed(BODY) + "\n",
        "SHA256=" + signed(BODY).removeprefix("sha256="),
        "sha256=" + "g" * 64,
        "sha256=" + "\u0661" * 64,
        "sha256=",
    ],
)
def test_anything_but_sha256_and_64_hex_digits_is_malformed(header: Any) -> None:
    assert SignatureVerifier([SECRET]).refusal(BODY, header) == "malformed"


@pytest.mark.parametrize("secrets", [[], [""], ""])
def test_without_a_secret_there_is_no_verifier(secrets: Any) -> None:
    with pytest.raises(ValueError, match="app secret"):
        SignatureVerifier(secrets)


def test_the_verifier_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(SignatureVerifier([SECRET]))


def test_a_client_without_app_secret_trusts_no_webhook() -> None:
    client = WhatsAppMetaClient("token", "106510000000042")
    assert client.verify_webhook_signature(BODY, signed(BODY, "")) is False


def test_a_refusal_is_logged_with_reason_and_length_but_never_the_expected_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = WhatsAppMetaClient("token", "106510000000042", app_secret=SECRET)
    with caplog.at_level(logging.WARNING):
        client.verify_webhook_signature(BODY, signed(BODY, "theirs"))
    assert "mismatch" in caplog.text
    assert f"{len(BODY)} bytes" in caplog.text
    assert signed(BODY).removeprefix("sha256=") not in caplog.text
    assert SECRET not in caplog.text


def test_a_let_in_webhook_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    client = WhatsAppMetaClient("token", "106510000000042", app_secret=[SECRET, "older"])
    with caplog.at_level(logging.DEBUG):
        assert client.verify_webhook_signature(BODY, signed(BODY, "older"))
    assert caplog.text == ""
