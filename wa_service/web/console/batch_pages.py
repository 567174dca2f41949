"""The console's batches: the list with progress, and one batch with its failed items."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from wa_service.service.console import ConsoleServices
from wa_service.service.message_story import failure_reason
from wa_service.store.batches import Batch
from wa_service.store.records import RANKS, Record, RecordFilter
from wa_service.web.auth import allow
from wa_service.web.batch_routes import may_change, require_own
from wa_service.web.console.guard import Guard, current_session, not_found, see

_GONE: Final = "There is no such batch, or it is no longer stored."
_PAGE: Final = 50
_FAILURES: Final = 25
_LOOKED_AT: Final = 1_000
"""Items that one page searches for failed ones."""
_BATCH_CURSOR: Final = re.compile(r"[0-9]{1,9}")
_ITEM_CURSOR: Final = re.compile(r"[0-9]{1,9}-[0-9a-f]{1,64}")


class BatchPages:
    """The pages of batches."""

    def __init__(self, services: ConsoleServices, guard: Guard) -> None:
        self._services = services
        self._guard = guard

    def add_to(self, pages: Blueprint) -> None:
        """Add the pages."""
        pages.get("/batches")(self.batches_page)
        pages.get("/batches/<name>")(self.batch_page)
        pages.post("/batches/<name>/<action>")(self.change_batch)

    @allow("session: read")
    def batches_page(self) -> Response:
        """List batches with their progress, newest first."""
        batches, following = self._services.batches.page(_cursor(_BATCH_CURSOR), _PAGE)
        page = render_template("console/batches.html", batches=batches, following=following, is_ours=_is_ours)
        return make_response(page)

    @allow("session: read")
    def batch_page(self, name: str) -> Response:
        """Show a batch's progress by status and reason, and its failed items, the last first."""
        batch = self._services.batches.get(name[:128])
        if batch is None:
            not_found(_GONE)
        failed: list[Record] = []
        following = None
        if batch.counts.get("failed"):
            wanted = RecordFilter(batch=batch.id, status="failed")
            failed, following = self._services.records.page(wanted, _cursor(_ITEM_CURSOR), _FAILURES, most=_LOOKED_AT)
        page = render_template(
            "console/batch.html",
            batch=batch,
            is_ours=_is_ours,
            counts=sorted(batch.counts.items(), key=lambda each: RANKS.get(each[0], len(RANKS))),
            reasons=sorted(batch.reasons.items(), key=lambda each: -each[1]),
            failed=[(record, failure_reason(record.error or {})) for record in failed],
            following=following,
        )
        return make_response(page)

    @allow("session: send")
    def change_batch(self, name: str, action: str) -> Response:
        """Pause, resume or cancel a batch."""
        service = self._services.batches
        changes = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}
        change, batch = changes.get(action), service.get(name[:128])
        if change is None or batch is None:
            not_found(_GONE)
        require_own(batch, current_session().key)
        changed = change(batch.id)
        if changed is None:
            not_found(_GONE)
        self._guard.changed(f"batch {action}", batch=changed.id)
        return see(f"/console/batches/{changed.id}")


def _is_ours(batch: Batch) -> bool:
    return may_change(batch, current_session().key)


def _cursor(form: re.Pattern[str]) -> str:
    after = request.args.get("after", "")
    return after if form.fullmatch(after) else ""
