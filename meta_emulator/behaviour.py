"""Options for behaviour that Meta leaves open (reference 5.3, 5.11)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

Order = Literal["phone", "strict", "none"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Options of the emulated Meta.

    webhook_version: shape of webhooks; up to v23.0 statuses carry ``conversation``.
    order: ``phone`` posts one customer's updates one after the other, a retry aside; ``strict`` also waits for
        the retry; ``none`` posts everything at once.
    batch: maximum number of waiting updates of one callback in one POST (Meta: up to 1,000).
    batch_across_numbers: a batch may hold updates of several numbers, one ``change`` each.
    duplicates: how many more times every webhook is delivered, in other bytes.
    shuffle_statuses: the statuses of a message come in random order.
    send_statuses: send webhooks about the statuses of sends.
    skip_delivered: ``read`` without a preceding ``delivered`` (reference 5.7).
    statuses_before_answer: post a message's statuses before the HTTP response to its send.
    status_delay: seconds between acceptance and ``sent``, and again before ``delivered``.
    webhook_timeout: seconds after which a webhook without an answer counts as failed.
    user_ids: include business-scoped user ids, as Meta does since spring 2026 (reference 2.9).
    window_error: report 131047 ``later`` as a failed status (usual) or ``now`` in the HTTP response.
    template_review: seconds until a created template is reviewed; 0 at once, below 0 never.
    marketing_messages: the Marketing Messages API may be used; else ``STRICT`` is refused with 134102, and
        ``CLOUD_API_FALLBACK`` goes by the Cloud API.
    fetch_links: fetch media sent by link; 131053 where that fails.
    wrong_signature: sign webhooks with another secret.
    """

    webhook_version: str = "v24.0"
    order: Order = "phone"
    batch: int = 1
    batch_across_numbers: bool = False
    duplicates: int = 0
    shuffle_statuses: bool = False
    send_statuses: bool = True
    skip_delivered: bool = False
    statuses_before_answer: bool = False
    status_delay: float = 0.0
    webhook_timeout: float = 20.0
    user_ids: bool = True
    window_error: Literal["later", "now"] = "later"
    template_review: float = 2.0
    marketing_messages: bool = True
    fetch_links: bool = False
    wrong_signature: bool = False

    def with_changes(self, wanted: dict[str, Any]) -> Behaviour:
        """Return a copy with these options set; raise ValueError for an unknown option or a wrong type."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"unknown option: {name} (there are {', '.join(known)})")
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
        """Whether statuses carry ``conversation`` (reference 1.2)."""
        return float(self.webhook_version.removeprefix("v")) < 24

    def view(self) -> dict[str, Any]:
        """Return all options by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}
