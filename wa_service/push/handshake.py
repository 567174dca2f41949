"""Meta's webhook handshake, asked of a subscriber as Meta asks it of us (reference 5.1)."""

from __future__ import annotations

import secrets

import requests

from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.guarded_adapter import GuardedAdapter

_SECONDS = (3.0, 10.0)
_LONGEST_ANSWER = 1_024


class HandshakeFailedError(Exception):
    """The subscriber did not answer the challenge; the text is a sentence."""


def handshake(url: str, verify_token: str, policy: DestinationPolicy) -> None:
    """Send the GET of Meta's handshake and compare the answer with the challenge.

    Raises:
        HandshakeFailedError: another answer came, or none.
    """
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, GuardedAdapter(policy, pool_size=1))
        try:
            with session.get(url, params=query, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
                body: bytes = answer.raw.read(_LONGEST_ANSWER, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, OSError, ValueError) as error:
            raise HandshakeFailedError(f"The handshake failed: {type(error).__name__}.") from None
    if status != 200:
        raise HandshakeFailedError(f"The handshake was answered with HTTP {status}, not 200.")
    if body.strip() != challenge.encode():
        raise HandshakeFailedError("The handshake was not answered with the challenge.")
