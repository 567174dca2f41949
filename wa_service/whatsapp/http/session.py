"""`requests` sessions for calls to Meta: no redirects, no cookies, no environment."""

from __future__ import annotations

from typing import Final

import requests
from requests import Response
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import Retry

REPEATABLE: Final = frozenset({"GET", "DELETE"})
"""Methods that may be retried."""


class _Session(requests.Session):
    """A session that ignores redirects: even resolving one can fail or read a whole body."""

    def get_redirect_target(self, resp: Response) -> str | None:
        del resp
        return None


class _NoCookies(RequestsCookieJar):
    """Ignores cookies."""

    def extract_cookies(self, *_: object) -> None:
        """Do nothing."""


def new_session(adapter: BaseAdapter) -> requests.Session:
    """Return a session without state between calls and without the environment, which uses `adapter` for every URL."""
    session = _Session()
    session.trust_env = False
    session.cookies = _NoCookies()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def retries(pause: float) -> Retry:
    """Return the retry policy of GET and DELETE: two retries, with backoff and jitter around `pause` seconds."""
    return Retry(
        total=2,
        redirect=0,
        allowed_methods=REPEATABLE,
        status_forcelist=(500, 502, 503, 504),
        backoff_factor=pause,
        backoff_jitter=pause,
        backoff_max=2.0,
        retry_after_max=2,
        raise_on_status=False,
    )
