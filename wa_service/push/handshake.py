"""Verify a subscriber by Meta's webhook handshake (reference 5.1)."""

from __future__ import annotations

import secrets
from contextlib import closing
from pathlib import Path

from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.http import HttpCaller, HttpCallError

_SECONDS = 10.0
_LONGEST_ANSWER = 1_024


class HandshakeFailedError(Exception):
    """The subscriber did not answer the challenge; the text is a sentence."""


def handshake(url: str, verify_token: str, policy: DestinationPolicy, ca_bundle: Path | None = None) -> None:
    """Send the GET of Meta's handshake and compare the answer with the challenge.

    Raises:
        HandshakeFailedError: there was no answer, or a wrong one.
    """
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
    with closing(HttpCaller(max_answer=_LONGEST_ANSWER, policy=policy, pool_size=1, ca_bundle=ca_bundle)) as caller:
        try:
            answer = caller.get(url, seconds=_SECONDS, params=query)
        except HttpCallError as error:
            raise HandshakeFailedError(f"The handshake failed: {str(error).rstrip('.')}.") from None
    if answer.status != 200:
        raise HandshakeFailedError(f"The handshake was answered with HTTP {answer.status}, not 200.")
    if answer.body.strip() != challenge.encode():
        raise HandshakeFailedError("The handshake was not answered with the challenge.")
