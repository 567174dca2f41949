"""Options for behaviour that Meta leaves open (reference 5.3, 5.11)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from meta_emulator.property_check import Between, Properties, Seconds, check

Order = Literal["phone", "strict", "none"]


class Behaviour(Properties, frozen=True):
    """Options of the emulated Meta.

    webhook_version: shape of webhooks; up to v23.0 statuses carry ``conversation``.
    order: ``phone`` posts one customer's updates one after the other, without waiting for retries; ``strict``
            also waits for retries; ``none`` posts everything at once.
    batch: maximum number of waiting updates of one callback in one POST (Meta: up to 1,000).
    batch_across_numbers: a batch may hold updates of several numbers, one ``change`` each.
    duplicates: how many more times every webhook is delivered, with different bytes.
    shuffle_statuses: send the statuses of a message in random order.
    send_statuses: send webhooks with the statuses of sends.
    skip_delivered: ``read`` without a preceding ``delivered`` (reference 5.7).
    statuses_before_answer: post a message's statuses before the HTTP response to its send.
    status_delay: seconds between acceptance and ``sent``, and again before ``delivered``.
    webhook_timeout: seconds after which a webhook without an answer counts as failed.
    user_ids: include business-scoped user ids, as Meta does since spring 2026 (reference 2.9).
    window_error: report 131047 ``later`` as a failed status (usual) or ``now`` in the HTTP response.
    template_review: seconds until a created template is reviewed; 0 at once, below 0 never.
    marketing_messages: the Marketing Messages API is available; else ``STRICT`` is refused with 134102, and
        ``CLOUD_API_FALLBACK`` uses the Cloud API.
    fetch_links: fetch media sent by link; 131053 if that fails.
    wrong_signature: sign webhooks with another secret.
    """

    webhook_version: Annotated[str, Field(pattern=r"^v[0-9]{1,2}\.[0-9]$")] = "v24.0"
    order: Order = "phone"
    batch: Annotated[int, Between(1, 1000)] = 1
    batch_across_numbers: bool = False
    duplicates: Annotated[int, Between(0, 100)] = 0
    shuffle_statuses: bool = False
    send_statuses: bool = True
    skip_delivered: bool = False
    statuses_before_answer: bool = False
    status_delay: Seconds = 0.0
    webhook_timeout: Annotated[float, Field(gt=0, le=3600)] = 20.0
    user_ids: bool = True
    window_error: Literal["later", "now"] = "later"
    template_review: Annotated[float, Field(ge=-1e9, le=1e9)] = 2.0
    marketing_messages: bool = True
    fetch_links: bool = False
    wrong_signature: bool = False

    def with_changes(self, wanted: dict[str, Any]) -> Behaviour:
        """Return a copy with these options set; raise WrongPropertyError for an unknown option or a wrong value."""
        return check(_BEHAVIOUR, {**self.view(), **wanted})

    @property
    def has_conversation(self) -> bool:
        """Whether statuses carry ``conversation`` (reference 1.2)."""
        return float(self.webhook_version.removeprefix("v")) < 24

    def view(self) -> dict[str, Any]:
        """Return all options by name."""
        return self.model_dump()


_BEHAVIOUR = TypeAdapter(Behaviour)
