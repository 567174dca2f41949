"""The public names of `wa_service.whatsapp` can be imported, and the error tree is complete."""

from __future__ import annotations

import inspect
import subprocess
import sys

import wa_service.whatsapp as room
from wa_service.whatsapp import errors

PROMISED = {
    "MediaDownloadError",
    "MediaNotFoundError",
    "WhatsAppAuthError",
    "WhatsAppError",
    "WhatsAppMediaError",
    "WhatsAppMetaClient",
    "WhatsAppRateLimitError",
    "WhatsAppTemplateError",
}


def test_what_is_promised_can_be_imported() -> None:
    assert set(room.__all__) >= PROMISED


def test_every_public_name_exists_and_explains_itself() -> None:
    for name in room.__all__:
        assert inspect.getdoc(getattr(room, name)), name


def test_every_error_is_at_the_front_door() -> None:
    tree = {
        name
        for name, member in vars(errors).items()
        if inspect.isclass(member) and issubclass(member, errors.WhatsAppError)
    }
    assert tree <= set(room.__all__)


def test_every_error_stands_in_the_drawn_tree() -> None:
    for name, member in vars(errors).items():
        if inspect.isclass(member) and issubclass(member, errors.WhatsAppError):
            assert f"{name} " in errors.__doc__


def test_every_error_class_explains_what_to_do() -> None:
    classes: list[type[errors.WhatsAppError]] = [errors.WhatsAppError, *errors.WhatsAppError.__subclasses__()]
    for member in classes:
        assert member.default_advice.endswith(".")


def test_the_room_needs_none_of_the_service_s_engines() -> None:
    foreign = ["flask", "redis", "pybreaker", "prometheus_client", "structlog", "gevent", "pydantic_settings"]
    code = f"import sys, wa_service.whatsapp; print([name for name in {foreign!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "[]"
