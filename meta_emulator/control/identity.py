"""Routes for customers that change their number or user id."""

from __future__ import annotations

from flask import Response

from meta_emulator import addresses, identity_changes
from meta_emulator.control.http import ControlError, find_phone, json_body, json_response, number_of
from meta_emulator.control.routes import Controls, route

_ANNOUNCEMENTS = ("system", "legacy", "user_id_update", "none")


class IdentityControls(Controls):
    """``/_emulator/phones/{wa_id}/number`` and ``/user_id``."""

    @route("POST", "/phones/<wa_id>/number")
    def change_number(self, wa_id: str) -> Response:
        """Change the number: ``{"wa_id", "user_id"?, "announce"?, "include_from"?, "phone_number_id"?}`` → the phone.

        ``announce``: ``system`` (default), ``legacy`` or ``none``. ``include_from: false`` leaves ``from`` out. The
        phone gets a new user id, the system message names the previous one; the old number is free.
        """
        body = json_body()
        phone = find_phone(self.world, wa_id)
        digits = addresses.digits(str(body.get("wa_id", "")))
        if digits is None:
            raise ControlError(400, "wa_id must be 5 to 20 digits")
        identity_changes.change_number(
            self.world,
            number_of(self.world, body.get("phone_number_id")),
            phone,
            digits,
            user_id=str(body.get("user_id", "")),
            announce=_announcement(body.get("announce", "system")),
            include_from=bool(body.get("include_from", True)),
        )
        return json_response(phone.view())

    @route("POST", "/phones/<wa_id>/user_id")
    def change_user_id(self, wa_id: str) -> Response:
        """Change the user id: ``{"user_id"?, "parent_user_id"?, "announce"?, "phone_number_id"?}`` → the phone.

        ``announce``: ``system`` (default), ``user_id_update`` (a field of its own) or ``none``.
        """
        body = json_body()
        phone = find_phone(self.world, wa_id)
        identity_changes.change_user_id(
            self.world,
            number_of(self.world, body.get("phone_number_id")),
            phone,
            str(body.get("user_id", "")),
            parent_user_id=str(body.get("parent_user_id", "")),
            announce=_announcement(body.get("announce", "system")),
        )
        return json_response(phone.view())


def _announcement(value: object) -> identity_changes.Announcement:
    if value not in _ANNOUNCEMENTS:
        raise ControlError(400, f"announce must be one of {', '.join(_ANNOUNCEMENTS)}")
    return value  # type: ignore[return-value]  # Checked above.
