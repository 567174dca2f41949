"""Submitting a send without HTTP, as REST and the CLI do: checked, queued, refused with domain errors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.web.conftest import FullMemory, Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.runtime import Runtime
from wa_service.service import wiring
from wa_service.service.refusals import (
    IdempotencyKeyReusedError,
    InvalidRequestError,
    QuotaExceededError,
    SubmitUnavailableError,
    TemplateMismatchError,
)
from wa_service.service.send import IdempotencyKey, SendService
from wa_service.store.outbox import Priority

TEXT = {"to": CUSTOMER, "text": "hello"}
TEMPLATE = {"to": CUSTOMER, "template": {"name": "welcome", "language": "en_US", "body": ["Ada"]}}


class Account:
    """A business account with one template, which has no parameters."""

    phone_number_id = NUMBER

    def list_templates(self) -> list[dict[str, Any]]:
        return [{"name": "welcome", "language": "en_US", "components": [{"type": "BODY", "text": "Welcome"}]}]


def service_of(runtime: Runtime) -> SendService:
    return wiring.build(runtime, MetricsBuffer()).send


def test_a_message_is_queued_with_its_priority(web: Web) -> None:
    submitted = service_of(web.runtime).submit(TEXT, priority=Priority.SINGLE)

    assert submitted.record is not None
    assert (submitted.record.id, submitted.record.status) == (submitted.id, "queued")


def test_a_nearly_full_store_takes_no_new_message(start_web: Start) -> None:
    web = start_web(memory=FullMemory())

    with pytest.raises(SubmitUnavailableError, match="nearly full"):
        service_of(web.runtime).submit(TEXT, priority=Priority.SINGLE)


def test_a_request_that_is_wrong_names_its_fields(web: Web) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        service_of(web.runtime).submit({**TEXT, "ttl": 0}, priority=Priority.SINGLE)

    assert [path for path, _ in refused.value.fields] == ["ttl"]


def test_a_template_that_does_not_fit_is_refused(start_web: Start) -> None:
    web = start_web(clients={NUMBER: Account()})
    service = service_of(web.runtime)
    service.templates.all()

    with pytest.raises(TemplateMismatchError) as refused:
        service.submit(TEMPLATE, priority=Priority.SINGLE)

    assert refused.value.fields


def test_a_used_up_quota_refuses_a_single_message_and_lets_a_bulk_one_wait(start_web: Start) -> None:
    web = start_web({"WHATSAPP_DAILY_LIMIT": "1", "WHATSAPP_BUSINESS_ACCOUNT_ID": ""})
    service = service_of(web.runtime)
    service.submit(TEMPLATE | {"to": "15550000001"}, priority=Priority.SINGLE)

    with pytest.raises(QuotaExceededError) as refused:
        service.submit(TEMPLATE, priority=Priority.SINGLE)
    waiting = service.submit(TEMPLATE, priority=Priority.BULK)

    assert refused.value.retry_after > 0
    assert waiting.record is not None


def test_a_repeat_under_its_key_is_a_replay_and_another_request_is_refused(web: Web) -> None:
    service, key = service_of(web.runtime), IdempotencyKey("shell", "1")
    first = service.submit(TEXT, priority=Priority.SINGLE, idempotency=key)

    again = service.submit(TEXT, priority=Priority.SINGLE, idempotency=key)
    with pytest.raises(IdempotencyKeyReusedError):
        service.submit({**TEXT, "text": "other"}, priority=Priority.SINGLE, idempotency=key)

    assert (again.id, again.is_replay) == (first.id, True)
