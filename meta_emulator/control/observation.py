"""Routes for state, recorded sends and HTTP exchanges, and waiting until nothing is pending."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Iterable

import gevent
from flask import Response

from meta_emulator import addresses
from meta_emulator.control.bodies import Settling
from meta_emulator.control.http import ControlError, JsonObject, json_response
from meta_emulator.control.queries import ExchangesQuery, SeenQuery, SettlingQuery
from meta_emulator.control.routes import Controls, route
from meta_emulator.control.world import number_view
from meta_emulator.records import Exchange, SendAttempt
from meta_emulator.world import World

_LONGEST_WAIT = 120.0


class ObservationControls(Controls):
    """``/_emulator/state``, ``seen``, ``exchanges``, ``settle``."""

    @route("GET", "/")
    @route("GET", "/state")
    def state(self) -> Response:
        """Return the whole state; ``cursor`` is the id to start the event stream after."""
        return json_response(
            {
                "account_id": self.world.config.business_account_id,
                "app_id": self.world.config.app_id,
                "numbers": [number_view(number) for number in self.world.numbers.values()],
                "phones": [phone.view() for phone in tuple(self.world.phones.values())],
                "callback_url": self.world.callback_url,
                "subscribed": self.world.subscribed,
                "webhooks": _webhooks(self.world),
                "limits": self.world.limits.settings.view(),
                "behaviour": self.world.behaviour.view(),
                "faults": [fault.view() for fault in self.world.faults.all()],
                "clock": {"now": self.world.clock.now(), "ahead": self.world.clock.ahead},
                "cursor": self.world.hub.last_id,
            }
        )

    @route("GET", "/seen")
    def seen(self, query: SeenQuery) -> Response:
        """Return every POST to ``/messages`` in order, with counts and rates.

        Query: ``wa_id``, ``after`` (running number), ``limit`` (default 1,000), ``outcome``. → ``{"sends": [{n, at,
        number_id, to, wa_id, type, content, outcome, http_status, code, wamid, opaque, fault, digest}], "total",
        "outcomes": {outcome: n}, "accepted": {wa_id: n}, "busiest_second": {number_id: n}, "webhooks": {…}}``.
        ``accepted`` includes accepted messages whose response was lost. The query filters only ``sends``.
        """
        chosen = _chosen(self.world.attempts, query)
        return json_response(
            {
                "sends": [attempt.view() for attempt in chosen],
                "total": self.world.attempt_count,
                "outcomes": dict(self.world.attempts_by_outcome),
                "accepted": dict(self.world.accepted_by_customer),
                "busiest_second": _busiest_second(self.world.attempts),
                "webhooks": _webhooks(self.world),
            }
        )

    @route("GET", "/exchanges")
    def exchanges(self, query: ExchangesQuery) -> Response:
        """Return HTTP exchanges, newest last → ``{"exchanges"}``; ``?message=<wamid>``, ``?kind=``, ``?full=1``."""
        found = [
            exchange.view() if query.full == "1" else exchange.summary()
            for exchange in tuple(self.world.exchanges)
            if (not query.message or query.message in exchange.message_ids)
            and (not query.kind or exchange.kind == query.kind)
        ]
        return json_response({"exchanges": found})

    @route("GET", "/exchanges/<int:exchange_id>")
    def exchange(self, exchange_id: int) -> Response:
        """Return one HTTP exchange with headers, bodies and ``curl``."""
        for found in tuple(self.world.exchanges):
            if found.id == exchange_id:
                return json_response({**found.view(), "curl": as_curl(found)})
        raise ControlError(404, "unknown exchange")

    @route("GET", "/settle")
    @route("POST", "/settle")
    def settle(self, body: Settling, query: SettlingQuery) -> Response:
        """Wait until no webhook, timer or Graph call is pending, and ``quiet`` seconds after the last of them.

        ``{"timeout"?: 10, "quiet"?: 0}`` (body or query) → ``{"settled", "waited", "pending", "timers"}``. Always 200.
        """
        timeout = min(body.timeout if query.timeout is None else query.timeout, _LONGEST_WAIT)
        quiet = body.quiet if query.quiet is None else query.quiet
        started = time.monotonic()
        while not (settled := _is_settled(self.world, quiet)) and time.monotonic() - started < timeout:
            gevent.sleep(0.01)
        return json_response(
            {
                "settled": settled,
                "waited": round(time.monotonic() - started, 3),
                "pending": self.world.webhooks.pending,
                "timers": len(self.world.timers),
            }
        )


def as_curl(exchange: Exchange) -> str:
    """Return the exchange as a curl command; the token is ``$TOKEN``."""
    words = ["curl", "-X", exchange.method, shlex.quote(exchange.url)]
    for name, value in exchange.request_headers.items():
        if name.lower() in ("host", "content-length", "connection", "accept-encoding"):
            continue
        header = f"{name}: {value}"
        words += ["-H", f'"{header}"' if "$TOKEN" in value else shlex.quote(header)]
    if exchange.request_body:
        words += ["--data-raw", shlex.quote(exchange.request_body)]
    return " ".join(words)


def _is_settled(world: World, quiet: float) -> bool:
    return world.activity.quiet_for(quiet) and world.webhooks.pending == 0 and not len(world.timers)


def _webhooks(world: World) -> JsonObject:
    return {
        "pending": world.webhooks.pending,
        "held": world.webhooks.held,
        "timers": len(world.timers),
        **world.webhooks.counts,
    }


def _chosen(attempts: deque[SendAttempt], query: SeenQuery) -> list[SendAttempt]:
    wa_id = query.wa_id
    if wa_id and (digits := addresses.digits(wa_id)):
        wa_id = addresses.wa_id(digits)
    found = [
        attempt
        for attempt in tuple(attempts)
        if attempt.n > query.after
        and (not wa_id or attempt.wa_id == wa_id)
        and (not query.outcome or attempt.outcome == query.outcome)
    ]
    return found[: query.limit]


def _busiest_second(attempts: Iterable[SendAttempt]) -> dict[str, int]:
    """Return each number's maximum of accepted messages within a second."""
    worst: dict[str, int] = {}
    windows: dict[str, deque[float]] = {}
    for attempt in tuple(attempts):
        if attempt.wamid is None:
            continue
        window = windows.setdefault(attempt.number_id, deque())
        window.append(attempt.at)
        while window[0] <= attempt.at - 1.0:
            window.popleft()
        worst[attempt.number_id] = max(worst.get(attempt.number_id, 0), len(window))
    return worst
