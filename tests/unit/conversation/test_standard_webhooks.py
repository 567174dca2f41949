"""The three headers of Standard Webhooks, computed here by hand."""

import base64
import hashlib
import hmac

import pytest

from wa_service.conversation.standard_webhooks import WebhookSigner

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def test_id_time_and_body_are_signed() -> None:
    headers = WebhookSigner(SECRET).headers("msg_1", 1_750_000_000, b'{"a":1}')

    by_hand = hmac.new(KEY, b'msg_1.1750000000.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1750000000",
        "webhook-signature": "v1," + base64.b64encode(by_hand).decode(),
    }


def test_the_prefix_may_be_left_out() -> None:
    bare = SECRET.removeprefix("whsec_")

    assert WebhookSigner(bare).headers("a", 1, b"") == WebhookSigner(SECRET).headers("a", 1, b"")


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_" + "A" * 100])
def test_a_secret_that_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as caught:
        WebhookSigner(secret)

    assert not secret or secret not in str(caught.value)
