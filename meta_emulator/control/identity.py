"""Routes for customers that change their number or user id."""

from __future__ import annotations

from flask import Response

from meta_emulator import identity_changes
from meta_emulator.control.bodies import NumberChange, UserIdChange
from meta_emulator.control.http import find_phone, json_response, number_of
from meta_emulator.control.routes import Controls, route


class IdentityControls(Controls):
    """``/_emulator/phones/{wa_id}/number`` and ``/user_id``."""

    @route("POST", "/phones/<wa_id>/number")
    def change_number(self, wa_id: str, body: NumberChange) -> Response:
        """Change the number: ``{"wa_id", "user_id"?, "announce"?, "include_from"?, "phone_number_id"?}`` → the phone.

        ``announce``: ``system`` (default), ``legacy`` or ``none``. ``include_from: false`` leaves ``from`` out. The
        phone gets a new user id, the system message names the previous one; the old number is free.
        """
        phone = find_phone(self.world, wa_id)
        identity_changes.change_number(
            self.world,
            number_of(self.world, body.phone_number_id),
            phone,
            body.wa_id,
            user_id=body.user_id,
            announce=body.announce,
            include_from=body.include_from,
        )
        return json_response(phone.view())

    @route("POST", "/phones/<wa_id>/user_id")
    def change_user_id(self, wa_id: str, body: UserIdChange) -> Response:
        """Change the user id: ``{"user_id"?, "parent_user_id"?, "announce"?, "phone_number_id"?}`` → the phone.

        ``announce``: ``system`` (default), ``user_id_update`` (a field of its own) or ``none``.
        """
        phone = find_phone(self.world, wa_id)
        identity_changes.change_user_id(
            self.world,
            number_of(self.world, body.phone_number_id),
            phone,
            body.user_id,
            parent_user_id=body.parent_user_id,
            announce=body.announce,
        )
        return json_response(phone.view())
