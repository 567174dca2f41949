"""Build the services of one process from its runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from wa_service.conversation.script import HOTEL_DESK
from wa_service.observability import log
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.runtime import Runtime
from wa_service.service.account_events import AccountEvents
from wa_service.service.batches import BatchService
from wa_service.service.console import SESSION_SECONDS, ConsoleServices
from wa_service.service.conversation_view import ConversationView
from wa_service.service.costs import CostService, charged_volume
from wa_service.service.intake import Intake
from wa_service.service.live_feed import LiveFeed
from wa_service.service.marketing_consent import MarketingConsent
from wa_service.service.meta_facts import MetaFacts, ask_meta
from wa_service.service.now import NowView
from wa_service.service.rate_card import RateCard, RateCardError
from wa_service.service.replay import ReplayService
from wa_service.service.script_trial import ScriptTrial
from wa_service.service.search import Search
from wa_service.service.send import SendService
from wa_service.service.subscriptions import SubscriptionService
from wa_service.service.template_cache import Definitions, TemplateCache
from wa_service.store.console_sessions import EndedSessions
from wa_service.store.costs import Costs
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.script_trials import ScriptTrials
from wa_service.store.template_categories import TemplateCategories
from wa_service.store.template_pauses import TemplatePauses
from wa_service.whatsapp.stop_words import StopWords


@dataclass(frozen=True, slots=True)
class Services:
    """The services of REST, the webhook and the command line."""

    send: SendService
    batches: BatchService
    costs: CostService
    templates: TemplateCache
    intake: Intake
    replay: ReplayService
    subscriptions: SubscriptionService
    conversations: ConversationView
    console: ConsoleServices


def build(runtime: Runtime, metrics_buffer: MetricsBuffer) -> Services:
    """Build the services; nothing is connected or started."""
    settings = runtime.settings
    categories = TemplateCategories(runtime.store, runtime.outbox.limits_of(runtime.numbers[0]).waba)
    pauses = TemplatePauses(runtime.store, categories.waba, runtime.numbers)
    templates = TemplateCache(
        _fetch_templates(runtime),
        on_fetched=partial(_note_templates, categories, pauses),
        on_repeated=partial(_note_categories, categories),
    )
    account = AccountEvents(
        runtime.events,
        runtime.inbox,
        runtime.numbers,
        batches=runtime.batches,
        waba_id=settings.business_account_id,
        limits_of=runtime.outbox.limits_of(runtime.numbers[0]).waba,
        categories=categories,
        pauses=pauses,
    )
    runtime.store.on_connect(account.store_display_numbers_again)
    intake = Intake(
        store=runtime.store,
        inbox=runtime.inbox,
        outbox=runtime.outbox,
        events=runtime.events,
        dead_letters=runtime.dead_letters,
        memory=runtime.memory,
        account=account,
        consent=MarketingConsent(runtime.stops, StopWords.of(settings.stop_words, settings.start_words)),
        numbers=runtime.numbers,
        metrics_buffer=metrics_buffer,
        debug=settings.log_level == "debug",
    )
    send = SendService(
        outbox=runtime.outbox,
        records=runtime.records,
        waiters=runtime.result_waiters,
        memory=runtime.memory,
        templates=templates,
        numbers=runtime.numbers,
        longest_ttl=settings.send_ttl,
        schedule_days=settings.schedule_days,
    )
    batches = BatchService(
        batches=runtime.batches,
        memory=runtime.memory,
        templates=templates,
        numbers=runtime.numbers,
        longest_ttl=settings.send_ttl,
        schedule_days=settings.schedule_days,
    )
    conversations = ConversationView(runtime.threads, runtime.contacts)
    replay = ReplayService(runtime.dead_letters, intake)
    subscriptions = SubscriptionService(
        runtime.subscriptions,
        runtime.events,
        runtime.push_policy,
        runtime.pusher,
        runtime.numbers,
        ca_bundle=settings.ca_bundle,
    )
    console = ConsoleServices(
        conversations=conversations,
        search=Search(runtime.threads, runtime.contacts, runtime.names, runtime.records, runtime.numbers),
        contacts=runtime.contacts,
        dead_letters=runtime.dead_letters,
        replay=replay,
        send=send,
        send_wait=settings.send_wait,
        templates=templates,
        subscriptions=subscriptions,
        subscribers=runtime.subscriptions,
        events=runtime.events,
        now=NowView(runtime.observer, runtime.minute_counts, _meta_facts(runtime)),
        live=LiveFeed(runtime.events),
        script=ScriptTrial(settings.script_file or HOTEL_DESK, settings.intents, ScriptTrials(runtime.store)),
        ended_sessions=EndedSessions(runtime.store, SESSION_SECONDS),
        numbers=runtime.numbers,
        stops=runtime.stops,
        batches=batches,
        records=runtime.records,
        open_media=lambda number, media_id: runtime.clients[number].open_media(media_id),
    )
    return Services(
        send=send,
        batches=batches,
        costs=cost_service(runtime),
        templates=templates,
        intake=intake,
        replay=replay,
        conversations=conversations,
        console=console,
        subscriptions=subscriptions,
    )


def cost_service(runtime: Runtime) -> CostService:
    """Build the cost service, which the worker needs alone."""
    settings = runtime.settings
    card = None
    if settings.rate_card is not None:
        try:
            card = RateCard.read(settings.rate_card)
        except RateCardError as error:
            log.get_logger().error("whatsapp.costs.rate_card_unusable", reason=str(error))
    return CostService(Costs(runtime.store), card, _charged_by_meta(runtime))


def _charged_by_meta(runtime: Runtime) -> Callable[[int, int], int] | None:
    account = runtime.settings.business_account_id
    if account is None:
        return None
    client = runtime.clients[runtime.numbers[0]]

    def ask(begin: int, end: int) -> int:
        wanted = f'pricing_analytics.start({begin}).end({end}).granularity(DAILY).dimensions(["PRICING_TYPE"])'
        return charged_volume(client.graph("GET", f"/{account}", params={"fields": wanted}))

    return ask


def _note_categories(categories: TemplateCategories, definitions: Definitions, asked_at: int) -> None:
    with suppress(StoreUnavailableError):  # the next fetch notes it again
        categories.note(definitions, at=asked_at)


def _note_templates(
    categories: TemplateCategories, pauses: TemplatePauses, definitions: Definitions, asked_at: int
) -> None:
    with suppress(StoreUnavailableError):  # the next fetch notes it again
        categories.note(definitions, at=asked_at)
        if released := pauses.note(definitions, at=asked_at):
            log.get_logger().info("whatsapp.template.released", messages=released)


def _meta_facts(runtime: Runtime) -> MetaFacts:
    token = runtime.settings.access_token.get_secret_value()
    return MetaFacts(lambda: ask_meta(runtime.clients, token))


def _fetch_templates(runtime: Runtime) -> Callable[[], Sequence[dict[str, Any]]] | None:
    if runtime.settings.business_account_id is None:
        return None
    client = runtime.clients[runtime.numbers[0]]
    return lambda: list(client.list_templates())
