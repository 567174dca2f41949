"""The console as one blueprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Blueprint

from wa_service.config.api_keys import ApiKey
from wa_service.service.console import ConsoleServices
from wa_service.web.console.batch_pages import BatchPages
from wa_service.web.console.conversation_pages import ConversationPages
from wa_service.web.console.dead_letter_pages import DeadLetterPages
from wa_service.web.console.guard import Guard
from wa_service.web.console.live import add_live_route
from wa_service.web.console.management_pages import ManagementPages
from wa_service.web.console.now_page import add_now_page
from wa_service.web.console.sessions import Sessions
from wa_service.web.console.shown import FILTERS, NumbersFor, display_context
from wa_service.web.console.sign_in_pages import add_sign_in_pages
from wa_service.web.console.static_files import add_static_files


def console_blueprint(
    services: ConsoleServices,
    keys: Iterable[ApiKey],
    *,
    server_secret: str,
    numbers_for: NumbersFor,
    count_failure: Callable[[], None],
    count_use: Callable[[str], None],
) -> Blueprint:
    """Return every page of the console; `server_secret` signs its sessions together with each key's digest.

    `count_failure` is called at each failed sign-in, `count_use` with the session's id at each request of a session;
    both may raise ProblemError.
    """
    pages = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    sessions = Sessions(keys, server_secret, services.ended_sessions)
    guard = Guard(sessions, services.events, count_use)
    guard.add_to(pages)
    context = display_context(numbers_for)
    pages.context_processor(lambda: dict(context()))
    for name, shown in FILTERS.items():
        pages.add_app_template_filter(shown, name)
    add_sign_in_pages(pages, sessions, count_failure)
    add_static_files(pages)
    add_now_page(pages, services.now)
    add_live_route(pages, services.live, services.conversations)
    for each in (ConversationPages, DeadLetterPages, BatchPages, ManagementPages):
        each(services, guard).add_to(pages)
    return pages
