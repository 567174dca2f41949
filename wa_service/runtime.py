"""Build every long-lived object from the settings, once per process.

Nothing here connects or starts anything; the objects connect on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_network

from gevent.threadpool import ThreadPool
from limits import parse
from redis import Redis
from structlog.typing import FilteringBoundLogger

from wa_service.config.settings import Settings
from wa_service.delivery.breakers import MetaBreaker
from wa_service.delivery.management_guard import ManagementGuard
from wa_service.delivery.send_ledger import SendLedger
from wa_service.delivery.sender import Sender
from wa_service.observability import log, metrics
from wa_service.observability.recent_counts import RECENT
from wa_service.push.pusher import Pusher
from wa_service.resilience.deadline import GreenletDeadline
from wa_service.resilience.destinations import DestinationPolicy, SharedLookUp, look_up_in
from wa_service.resilience.http import HttpCaller
from wa_service.store.batches import Batches
from wa_service.store.client import Replication, Store, connect
from wa_service.store.contacts import Contacts
from wa_service.store.count_writer import CountWriter
from wa_service.store.customer_names import CustomerNames
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.embedded_valkey import embedded_url
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Inbox, ReplyLimit
from wa_service.store.memory import MemoryWatch
from wa_service.store.minute_counts import MinuteCounts
from wa_service.store.outbox import Limits, Outbox
from wa_service.store.overview import Observer
from wa_service.store.records import Records
from wa_service.store.result_waiters import ResultWaiters
from wa_service.store.stop_digests import StopDigests
from wa_service.store.stops import Stops
from wa_service.store.subscriptions import Subscriptions
from wa_service.store.threads import Threads
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.http.transport import CallGuard, CallObserver, CallOutcome
from wa_service.whatsapp.stop_words import StopWords
from wa_service.whatsapp.webhooks.signature import SignatureVerifier

COEXISTENCE_PER_SECOND = 20
PUSH_ANSWER_BYTES = 65_536
# Enough pooled connections for two subscriptions at one address, each with its maximum of concurrent deliveries.
PUSH_CONNECTIONS = 128
# Threads that resolve the names of subscribers.
PUSH_LOOK_UPS = 4
# The client's name for the first of a download's two calls, and for a deletion.
_MEDIA_CALL = "media"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The long-lived objects of one process. `clients` are for management and media calls, by phone number id."""

    settings: Settings
    numbers: tuple[str, ...]
    retention_seconds: int
    store: Store
    inbox: Inbox
    outbox: Outbox
    batches: Batches
    records: Records
    contacts: Contacts
    threads: Threads
    names: CustomerNames
    stops: Stops
    minute_counts: MinuteCounts
    count_writer: CountWriter
    events: Events
    dead_letters: DeadLetters
    result_waiters: ResultWaiters
    observer: Observer
    memory: MemoryWatch
    verifier: SignatureVerifier
    clients: Mapping[str, WhatsAppMetaClient]
    senders: Mapping[str, Sender]
    subscriptions: Subscriptions
    push_policy: DestinationPolicy
    pusher: Pusher

    def close(self) -> None:
        """Write pending counts and close the store's connections."""
        self.count_writer.stop()
        self.store.close()


def redis_url(settings: Settings) -> str:
    """Where the store is: REDIS_URL, else the embedded Valkey of this directory.

    Raises:
        EmbeddedValkeyError: no embedded Valkey answers; its text is one sentence.
    """
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return embedded_url(settings.var_dir, wait=settings.redis_wait)


def build(settings: Settings, ledger: SendLedger | None = None) -> Runtime:
    """Build the objects of one process. `ledger`: that of a worker process that sends.

    Raises:
        EmbeddedValkeyError: no REDIS_URL is set and no embedded Valkey answers.
    """
    store = Store(_connect(settings), settings.store_tag, replication=_replication(settings))
    retention = settings.retention_days * 86_400
    numbers = settings.phone_number_ids
    digests = StopDigests(store, settings.stop_key.get_secret_value().encode() if settings.stop_key else None)
    outbox = Outbox(
        store,
        retention,
        {number: _limits(settings, number) for number in numbers},
        settle_seconds=settings.settle_seconds,
        resend_unknown=settings.resend_unknown,
        digests=digests,
        marketing_per_week=settings.marketing_per_week,
    )
    management = ManagementGuard(partial(_management_opened, log.get_logger()))
    breakers = {number: MetaBreaker(partial(_pause, outbox, number)) for number in numbers}
    senders = {
        number: _sender(settings, number, _client(settings, number, breakers[number].guard, _observe), outbox, ledger)
        for number in numbers
    }
    events = Events(store, retention_seconds=retention, schedule_days=settings.schedule_days)
    minute_counts = MinuteCounts(store)
    networks = [ip_network(network) for network in settings.push_allow]
    push_policy = DestinationPolicy(
        networks, look_up=SharedLookUp(look_up_in(ThreadPool(PUSH_LOOK_UPS, idle_task_timeout=10)))
    )
    return Runtime(
        settings=settings,
        numbers=numbers,
        retention_seconds=retention,
        store=store,
        inbox=Inbox(
            store,
            retention_seconds=retention,
            answer_max_age=settings.answer_max_age,
            staff_pause=settings.staff_pause,
            debounce=settings.debounce,
            debounce_most=settings.debounce_most,
            stop_words=StopWords.of(settings.stop_words, settings.start_words),
            reply_limit=_reply_limit(settings),
        ),
        outbox=outbox,
        batches=Batches(outbox, ttl_seconds=settings.send_ttl, schedule_days=settings.schedule_days),
        records=Records(store),
        contacts=Contacts(store, numbers, retention_seconds=retention, digests=digests),
        stops=Stops(store, digests, numbers, retention),
        threads=Threads(store),
        names=CustomerNames(store, retention_seconds=retention),
        minute_counts=minute_counts,
        count_writer=CountWriter(RECENT, minute_counts),
        events=events,
        dead_letters=DeadLetters(store, retention_seconds=retention),
        result_waiters=ResultWaiters(store),
        observer=Observer(store, outbox, numbers),
        memory=MemoryWatch(store),
        verifier=SignatureVerifier([secret.get_secret_value() for secret in settings.app_secrets]),
        clients={
            number: _client(settings, number, management.guard, partial(_observe_management, management))
            for number in numbers
        },
        senders=senders,
        subscriptions=Subscriptions(store, retention),
        push_policy=push_policy,
        pusher=Pusher(
            HttpCaller(
                max_answer=PUSH_ANSWER_BYTES,
                deadline=GreenletDeadline,
                policy=push_policy,
                pool_size=PUSH_CONNECTIONS,
                ca_bundle=settings.ca_bundle,
            ).notify,
            display_numbers=partial(events.display_numbers, numbers),
            waba_id=settings.business_account_id or "",
        ),
    )


def _connect(settings: Settings) -> Redis:
    password = settings.sentinel_password
    return connect(
        redis_url(settings),
        tag=settings.store_tag,
        sentinel_password=password.get_secret_value() if password else "",
    )


def _replication(settings: Settings) -> Replication:
    return Replication(
        replicas=settings.redis_replicas,
        fsync=settings.redis_fsync,
        failover_pause=settings.failover_pause,
        on_failover=partial(_failed_over, settings.failover_pause),
    )


def _failed_over(pause: float) -> None:
    metrics.store_failed_over()
    log.get_logger().warning("whatsapp.store.failed_over", seconds=pause)


def _sender(
    settings: Settings, number: str, client: WhatsAppMetaClient, outbox: Outbox, ledger: SendLedger | None
) -> Sender:
    return Sender(
        number,
        client.send,
        outbox,
        wait_for_store=outbox.store.availability.wait_until_back,
        ledger=ledger,
        post_marketing=client.send_marketing,
        marketing_road=settings.marketing_road,
    )


def _limits(settings: Settings, number: str) -> Limits:
    throughput = settings.messages_per_second
    if number in settings.coexistence_numbers:
        throughput = min(throughput, COEXISTENCE_PER_SECOND)
    return Limits(throughput, settings.daily_limit, settings.business_account_id or "-")


def _reply_limit(settings: Settings) -> ReplyLimit:
    if settings.reply_limit == "0":
        return ReplyLimit()
    rate = parse(settings.reply_limit)
    return ReplyLimit(rate.amount, rate.get_expiry())


def _client(settings: Settings, number: str, guard: CallGuard, observe: CallObserver) -> WhatsAppMetaClient:
    return WhatsAppMetaClient(
        access_token=settings.access_token.get_secret_value(),
        phone_number_id=number,
        app_secret=settings.app_secrets[0].get_secret_value(),
        api_version=settings.api_version,
        base_url=settings.api_base_url,
        business_account_id=settings.business_account_id or "",
        guard=guard,
        observe=observe,
        proxies=_proxies(settings),
        ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        user_agent=f"wa_service/{_version()}",
        deadline=GreenletDeadline,
    )


def _proxies(settings: Settings) -> Mapping[str, str] | None:
    if settings.https_proxy is None:
        return None
    return {"https": settings.https_proxy.get_secret_value(), "no_proxy": settings.no_proxy}


def _observe(call: str, outcome: CallOutcome, seconds: float) -> None:
    code: int | str | None = outcome.code
    if outcome.error is not None and code is None:
        code = type(outcome.error).__name__
    metrics.api_called(call, seconds, code)
    if call == _MEDIA_CALL:
        if outcome.method == "DELETE":
            event = "whatsapp.media.deleted" if outcome.error is None else "whatsapp.media.delete_failed"
        else:
            event = "whatsapp.media.resolved" if outcome.error is None else "whatsapp.media.resolve_failed"
        log.get_logger().debug(event, code=code, ms=round(seconds * 1000))


def _observe_management(management: ManagementGuard, call: str, outcome: CallOutcome, seconds: float) -> None:
    management.observe(outcome)
    _observe(call, outcome, seconds)


def _pause(outbox: Outbox, number: str) -> None:
    """Pause a number in all processes, because its breaker opened."""
    logger = log.get_logger(number=number)
    try:
        seconds = outbox.pause(number, "meta_unwell")
    except StoreUnavailableError:
        logger.warning("whatsapp.number.pause_not_stored")
        return
    if seconds:
        logger.warning("whatsapp.number.paused", reason="meta_unwell", seconds=seconds)


def _management_opened(logger: FilteringBoundLogger) -> None:
    logger.warning("whatsapp.management.breaker_opened")


def _version() -> str:
    try:
        return version("wa-service")
    except PackageNotFoundError:
        return "0.1.0"
