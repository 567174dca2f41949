"""Errors for refused requests. REST maps each to a problem, the command line prints its sentence."""

from __future__ import annotations

from collections.abc import Iterable

from wa_service.store.flusher import StoreUnavailableError

FieldProblems = Iterable[tuple[str, str]]
"""(path such as `template.name`, sentence) of each invalid field."""


class RefusedError(Exception):
    """A request is refused; the text is one sentence, `fields` are the invalid fields."""

    def __init__(self, sentence: str, fields: FieldProblems = ()) -> None:
        super().__init__(sentence)
        self.fields = tuple(fields)


class InvalidRequestError(RefusedError):
    """The request is not valid."""


class TemplateMismatchError(RefusedError):
    """The message does not match the definition of its template."""


class IdempotencyKeyReusedError(RefusedError):
    """The idempotency key was used for another request, whose record is `record_id`."""

    def __init__(self, record_id: str) -> None:
        super().__init__("Use a new key for another request.")
        self.record_id = record_id


class BatchKeyReusedError(RefusedError):
    """The idempotency key was used for another batch, `batch_id`."""

    def __init__(self, batch_id: str) -> None:
        super().__init__("Use a new key for another request.")
        self.batch_id = batch_id


class RequestInProgressError(RefusedError):
    """The first request with this idempotency key is still in progress; its record is `record_id`."""

    def __init__(self, record_id: str) -> None:
        super().__init__("The first request with this key is still in progress.")
        self.record_id = record_id


class NotOwnerError(RefusedError):
    """Another application owns the thread; `"take": true` sends anyway."""

    def __init__(self) -> None:
        super().__init__('Another application owns this thread: send a template, or set "take": true.')


class ScheduledTooFarError(RefusedError):
    """The scheduled time is too far ahead."""

    def __init__(self, most_days: int) -> None:
        super().__init__(f"A message may be scheduled at most {most_days} days ahead.")


class AlreadySentError(RefusedError):
    """The message was sent or has ended, so it cannot be canceled; its record is `record_id`."""

    def __init__(self, record_id: str, status: str) -> None:
        super().__init__(f"The message is {status}.")
        self.record_id = record_id


class CustomerStoppedError(RefusedError):
    """The customer wants no marketing."""

    def __init__(self) -> None:
        super().__init__("The customer wants no marketing: send none until they ask for it again.")


class MarketingLimitError(RefusedError):
    """The customer has had a week's marketing; `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"The customer has had a week's marketing; one more may go in {retry_after:.0f} s.")
        self.retry_after = retry_after


class QuotaExceededError(RefusedError):
    """The template quota is used up; `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"The template quota is used up; there is room in {retry_after:.0f} s.")
        self.retry_after = retry_after


class UnsentBytesError(RefusedError):
    """Too many bytes of this API key's messages wait to be sent."""

    def __init__(self) -> None:
        super().__init__("Too many bytes of this API key's messages wait to be sent.")


class LaneFullError(RefusedError):
    """Too many messages wait for the customer."""

    def __init__(self) -> None:
        super().__init__("Too many messages wait for this customer.")


class SubmitUnavailableError(StoreUnavailableError):
    """The store is unavailable; the sentence says whether the message or batch may be sent."""
