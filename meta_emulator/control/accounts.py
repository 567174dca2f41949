"""Routes for additional business accounts."""

from __future__ import annotations

from flask import Response

from meta_emulator import seed
from meta_emulator.accounts import AccountProperties
from meta_emulator.control.http import JsonObject, json_response
from meta_emulator.control.routes import Controls, route
from meta_emulator.world import World


class AccountControls(Controls):
    """``/_emulator/accounts``."""

    @route("GET", "/accounts")
    def accounts(self) -> Response:
        """Return ``{"accounts": [{id, app_id, phone_number_ids, callback_url}]}``; the first is the emulator's own."""
        worlds = (self.world, *self.world.accounts.values())
        return json_response({"accounts": [_view(world) for world in worlds]})

    @route("POST", "/accounts")
    def add_account(self, body: AccountProperties) -> Response:
        """Add an account with an app of its own → the account with its secrets.

        ``{"id", "phone_number_ids"?, "access_token"?, "app_secret"?, "verify_token"?, "app_id"?, "callback_url"?}``;
        values that are not given are random. Its controls are at ``/_emulator/accounts/{id}/…``.
        """
        world = seed.add_account(self.world, body)
        names = ("access_token", "app_secret", "verify_token")
        return json_response(_view(world) | {name: getattr(world.credentials, name) for name in names})


def _view(world: World) -> JsonObject:
    return {
        "id": world.config.business_account_id,
        "app_id": world.config.app_id,
        "phone_number_ids": list(world.numbers),
        "callback_url": world.callback_url if world.subscribed else "",
    }
