"""Meta's rate limits and windows (reference 7.1, 7.2, 7.4, 7.5); each can be disabled."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Annotated, Any

from pydantic import TypeAdapter

from meta_emulator.clock import Clock
from meta_emulator.property_check import Between, Properties, check

PAIR_INTERVAL = 6.0
PAIR_BURST = 45
SERVICE_WINDOW = 24 * 3600.0
_DAY = 24 * 3600.0
_PAIRS_KEPT = 100_000


class LimitSettings(Properties, frozen=True):
    """Which limits are enforced; ``daily`` is the template quota in customers, 0: unlimited."""

    throughput: bool = True
    pair: bool = True
    window: bool = True
    test_numbers: bool = True
    daily: Annotated[int, Between(0)] = 0

    def view(self) -> dict[str, Any]:
        """Return all settings by name."""
        return self.model_dump()


_SETTINGS = TypeAdapter(LimitSettings)


class Limits:
    """Counters per number, per pair and per account."""

    def __init__(self, clock: Clock, daily: int) -> None:
        self._clock = clock
        self._initial = LimitSettings(daily=daily)
        self.reset()

    def reset(self) -> None:
        """Clear every counter and restore the initial settings."""
        self.settings = self._initial
        self._stamps: dict[str, deque[float]] = {}
        self._pairs: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._reached: OrderedDict[str, float] = OrderedDict()

    def update(self, wanted: dict[str, Any]) -> None:
        """Change settings by name; raise WrongPropertyError for an unknown one or a wrong value."""
        self.settings = check(_SETTINGS, {**self.settings.view(), **wanted})

    def received(self, number_id: str) -> None:
        """Count an inbound message in the number's throughput; it is never refused."""
        self._stamps.setdefault(number_id, deque(maxlen=2000)).append(self._clock.now())

    def take_throughput(self, number_id: str, allowed: int) -> bool:
        """Count one send; return False if ``allowed`` messages were sent in the last second."""
        if not self.settings.throughput:
            return True
        now = self._clock.now()
        stamps = self._stamps.setdefault(number_id, deque(maxlen=2000))
        while stamps and stamps[0] <= now - 1.0:
            stamps.popleft()
        if len(stamps) >= allowed:
            return False
        stamps.append(now)
        return True

    def take_pair(self, number_id: str, wa_id: str) -> bool:
        """Count one send to this customer; return False above one per 6 s with a burst of 45 (GCRA)."""
        if not self.settings.pair:
            return True
        now = self._clock.now()
        pair = (number_id, wa_id)
        spent_until = max(self._pairs.get(pair, now), now)
        if spent_until - now > (PAIR_BURST - 1) * PAIR_INTERVAL + 1e-6:
            return False
        self._pairs[pair] = spent_until + PAIR_INTERVAL
        self._pairs.move_to_end(pair)
        if len(self._pairs) > _PAIRS_KEPT:
            self._pairs.popitem(last=False)
        return True

    def take_daily(self, wa_id: str) -> bool:
        """Count a customer opened by template; return False if the template quota is used up."""
        now = self._clock.now()
        while self._reached and next(iter(self._reached.values())) <= now - _DAY:
            self._reached.popitem(last=False)
        if wa_id in self._reached:
            return True
        if self.settings.daily and len(self._reached) >= self.settings.daily:
            return False
        self._reached[wa_id] = now
        return True

    def window_open(self, opened: float | None) -> bool:
        """Return whether the service window is open, or windows are not enforced."""
        if not self.settings.window:
            return True
        return opened is not None and self._clock.now() - opened < SERVICE_WINDOW
