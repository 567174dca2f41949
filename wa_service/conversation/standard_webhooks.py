"""Signing what we POST to a tool, the way of standardwebhooks.com: three headers over id, time and body."""

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"


class WebhookSigner:
    """Signs with a secret as the standard writes it: `whsec_` and base64 of 24 to 64 random bytes.

    Raises ValueError for anything else: a short or readable secret would be signed with all the same.
    """

    def __init__(self, secret: str) -> None:
        try:
            self._key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            self._key = b""
        if not 24 <= len(self._key) <= 64:
            raise ValueError("the secret must be whsec_ and base64 of 24 to 64 random bytes")

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """`webhook-id`, `webhook-timestamp` (unix seconds) and `webhook-signature` of this body."""
        signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
