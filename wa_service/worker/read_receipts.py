"""Read marks and typing indicators: best effort, once, only while a fifth of the throughput is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gevent

from wa_service.observability import log
from wa_service.store.flusher import StoreAwayError
from wa_service.store.outbox import Outbox
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.webhooks.events import InboundMessage

# Meta shows typing for 25 s, or until we send (reference 2.8).
TYPING_EVERY = 20.0
# An indicator that arrived after the reply would stand there for 25 s, so the reply waits for it, a moment.
MOST_WAIT = 1.0


class ReadMarks:
    """Marks messages as read, with typing while work lasts. `enabled` is WA_MARK_READ."""

    def __init__(self, clients: Mapping[str, WhatsAppMetaClient], outbox: Outbox, *, enabled: bool) -> None:
        self._clients = clients
        self._outbox = outbox
        self._enabled = enabled
        self._log = log.get_logger()

    def attend(self, event: InboundMessage) -> Callable[[bool], None]:
        """Marks the message as read and shows typing, at once and again while it lasts.

        Call the result when done, with whether it was answered: what was put off at once shows nothing.
        """
        if not self._enabled or event.group_id:
            return lambda _answered: None
        done, typing_began = gevent.event.Event(), gevent.event.Event()
        typing = gevent.spawn(self._keep_typing, event, done, typing_began)

        def attended(answered: bool) -> None:
            done.set()
            if typing_began.is_set():
                typing.join(timeout=MOST_WAIT)
            elif not answered:
                typing.kill(block=False)

        return attended

    def _keep_typing(self, event: InboundMessage, done: gevent.event.Event, typing_began: gevent.event.Event) -> None:
        if done.is_set():  # answered before this greenlet's first turn: read, but there is nothing to wait for
            self._mark(event, typing=False)
            return
        typing_began.set()
        while not done.is_set():
            self._mark(event, typing=True)
            done.wait(TYPING_EVERY)

    def _mark(self, event: InboundMessage, *, typing: bool) -> None:
        try:
            if self._outbox.may_mark(event.phone_number_id):
                self._clients[event.phone_number_id].mark_as_read(event.id, typing=typing)
        except (WhatsAppError, StoreAwayError, KeyError) as error:
            self._log.debug("whatsapp.message.mark_read_failed", reason=type(error).__name__)
