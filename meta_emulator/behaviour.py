"""How the emulated Meta behaves where the real one is allowed to vary (reference 5.3, 5.11)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

Order = Literal["phone", "strict", "none"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The knobs; each is one sentence.

    webhook_version: shape of webhooks; up to v23.0 statuses carry ``conversation``.
    order: ``phone`` sends one customer's updates one after the other (a retry does not hold the next),
        ``strict`` also holds them back until the retry got through, ``none`` sends all at once.
    batch: up to so many waiting updates of one callback in one POST (Meta: up to 1,000).
    batch_across_numbers: a batch may hold updates of several numbers, one ``change`` each.
    duplicates: every webhook is delivered so many times more, in other bytes.
    shuffle_statuses: the statuses of a message come in random order.
    skip_delivered: a phone that reads at once sends no ``delivered`` (reference 5.7).
    statuses_before_answer: the webhook of a send arrives before its HTTP answer does.
    status_delay: seconds between acceptance and ``sent``, and again before ``delivered``.
    webhook_timeout: seconds after which a webhook without an answer counts as failed.
    user_ids: the fields for business-scoped user ids are there, as since spring 2026 (reference 2.9).
    window_error: 131047 comes ``later`` as a failed status (usual) or ``now`` as the HTTP answer.
    template_review: seconds until a created template is judged; 0 judges at once, below 0 never.
    fetch_links: media sent by link are fetched, and fail with 131053 where that is not possible.
    wrong_signature: webhooks are signed with another secret.
    """

    webhook_version: str = "v24.0"
    order: Order = "phone"
    batch: int = 1
    batch_across_numbers: bool = False
    duplicates: int = 0
    shuffle_statuses: bool = False
    skip_delivered: bool = False
    statuses_before_answer: bool = False
    status_delay: float = 0.0
    webhook_timeout: float = 20.0
    user_ids: bool = True
    window_error: Literal["later", "now"] = "later"
    template_review: float = 2.0
    fetch_links: bool = False
    wrong_signature: bool = False

    def with_changes(self, wanted: dict[str, Any]) -> Behaviour:
        """A copy with ``wanted`` set; ValueError names a knob that is unknown or has the wrong type."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"no such knob: {name} (there are {', '.join(known)})")
            expected = type(known[name])
            if expected is float and isinstance(value, int) and not isinstance(value, bool):
                continue
            if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
                raise ValueError(f"{name} must be {expected.__name__}")
        if wanted.get("order", "phone") not in {"phone", "strict", "none"}:
            raise ValueError("order must be phone, strict or none")
        if wanted.get("window_error", "later") not in {"later", "now"}:
            raise ValueError("window_error must be later or now")
        if not 1 <= wanted.get("batch", 1) <= 1000:
            raise ValueError("batch must be 1 to 1000")
        return replace(self, **wanted)

    @property
    def has_conversation(self) -> bool:
        """True where statuses still carry ``conversation`` (reference 1.2)."""
        return float(self.webhook_version.removeprefix("v")) < 24

    def view(self) -> dict[str, Any]:
        """All knobs by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}
