"""`/console/live`: server-sent events that tell a page that its content changed; one connection per open page.

A stream ends after twenty seconds and the browser reconnects, so that a stopping web process need not wait for it, and
an expired session is noticed. A heartbeat each second detects closed connections. The REST API's long polls have a
limit of their own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from flask import Blueprint, Response, request

from wa_service.service.conversation_view import ConversationView
from wa_service.service.live_feed import LiveFeed, TooManyWatchersError, Watcher
from wa_service.web.auth import allow
from wa_service.web.console.guard import current_session, not_found
from wa_service.web.problems import TOO_MANY_CALLS, ProblemError

_CURSOR: Final = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")
STREAM_SECONDS: Final = 20.0
RETRY_MS: Final = 1_000
_LOOK_SECONDS: Final = 0.5
_ALL_EVERY_SECONDS: Final = 5.0
_ALIVE_EVERY_SECONDS: Final = 1.0


def add_live_route(
    pages: Blueprint,
    feed: LiveFeed,
    conversations: ConversationView,
    *,
    seconds: float = STREAM_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Add the route."""

    @pages.get("/live")
    @allow("session: read")
    def live() -> Response:
        """Stream changes of a conversation; without one, of anything, and one event every few seconds in any case."""
        place = request.args.get("place", "")
        conversation = conversations.conversation_of(place) if place else None
        if place and conversation is None:
            not_found("This conversation is unknown, or no longer stored.")
        stack = ExitStack()
        try:
            page = request.args.get("page", "")[:64]
            since = request.headers.get("Last-Event-ID") or request.args.get("since", "")
            since = since if _CURSOR.fullmatch(since) else ""
            watcher = stack.enter_context(feed.watch(conversation, current_session().id, page, since=since))
        except TooManyWatchersError:
            raise ProblemError(TOO_MANY_CALLS, "Too many pages are open.", retry_after=10.0) from None
        response = Response(_stream(feed, watcher, seconds, pause), content_type="text/event-stream; charset=utf-8")
        response.call_on_close(stack.close)
        response.headers["X-Accel-Buffering"] = "no"
        return response


def _stream(feed: LiveFeed, watcher: Watcher, seconds: float, pause: Callable[[float], None]) -> Iterator[str]:
    # The browser sends the cursor back when it reconnects, so that it misses nothing.
    yield f"retry: {RETRY_MS}\nid: {feed.cursor}\n\n"
    until = time.monotonic() + seconds
    again_at = time.monotonic() + _ALL_EVERY_SECONDS
    sent_at = time.monotonic()
    while time.monotonic() < until and not watcher.is_replaced:
        feed.poll()
        if watcher.conversation is None and time.monotonic() >= again_at:
            watcher.changed, again_at = True, time.monotonic() + _ALL_EVERY_SECONDS
        if watcher.changed:
            watcher.changed = False
            sent_at = time.monotonic()
            yield f"event: changed\nid: {feed.cursor}\ndata:\n\n"
        elif time.monotonic() - sent_at >= _ALIVE_EVERY_SECONDS:
            sent_at = time.monotonic()
            yield f"id: {feed.cursor}\n\n"
        pause(_LOOK_SECONDS)
    yield f"event: changed\nid: {feed.cursor}\ndata:\n\n" if watcher.changed else f"id: {feed.cursor}\n\n"
