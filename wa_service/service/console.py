"""The services behind the console's pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wa_service.service.batches import BatchService
from wa_service.service.conversation_view import ConversationView
from wa_service.service.live_feed import LiveFeed
from wa_service.service.now import NowView
from wa_service.service.replay import ReplayService
from wa_service.service.script_trial import ScriptTrial
from wa_service.service.search import Search
from wa_service.service.send import SendService
from wa_service.service.subscriptions import SubscriptionService
from wa_service.service.template_cache import TemplateCache
from wa_service.store.console_sessions import EndedSessions
from wa_service.store.contacts import Contacts
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.records import Records
from wa_service.store.stops import Stops
from wa_service.store.subscriptions import Subscriptions
from wa_service.whatsapp.media.download import MediaStream

SESSION_SECONDS: Final = 8 * 3_600
"""The lifetime of a session."""


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """The services behind the console's pages; `numbers` are our phone number ids.

    `send_wait`: seconds for which a form that sends a message waits for Meta's answer, to show it on the next page.
    `open_media` opens a file at Meta by phone number id and media id; raises WhatsAppError.
    """

    conversations: ConversationView
    search: Search
    contacts: Contacts
    dead_letters: DeadLetters
    replay: ReplayService
    send: SendService
    send_wait: float
    templates: TemplateCache
    subscriptions: SubscriptionService
    subscribers: Subscriptions
    events: Events
    now: NowView
    live: LiveFeed
    script: ScriptTrial
    ended_sessions: EndedSessions
    numbers: Sequence[str]
    stops: Stops
    batches: BatchService
    records: Records
    open_media: Callable[[str, str], MediaStream]
