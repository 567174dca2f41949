"""Routes for reset, seed, clock, limits, behaviour, token and business numbers."""

from __future__ import annotations

from flask import Response, request

from meta_emulator import seed
from meta_emulator.control.http import ControlError, JsonObject, json_body, json_response, number_of, seconds_of
from meta_emulator.control.routes import Controls, route
from meta_emulator.records import BusinessNumber
from meta_emulator.world import World

# (subcode, message) of the error for an unusable token (reference 1.6).
TOKEN_STATES: dict[str, tuple[int | None, str] | None] = {
    "valid": None,
    "expired": (463, "Error validating access token: Session has expired."),
    "revoked": (460, "Error validating access token: The session has been invalidated."),
    "uninstalled": (458, "Error validating access token: The user has not authorized the application."),
    "malformed": (None, "Invalid OAuth access token - Cannot parse access token"),
}


class WorldControls(Controls):
    """``/_emulator/reset``, ``seed``, ``clock``, ``limits``, ``behaviour``, ``token``, ``numbers``."""

    @route("POST", "/reset")
    def reset(self) -> Response:
        """Reset and seed again: ``{"callback_url"?}`` → ``{"reset": true}``; by default the callback stays."""
        callback = json_body().get("callback_url")
        if callback is not None:
            self.world.callback_url = str(callback)
            self.world.account_override = ""
            self.world.subscribed = bool(callback)
        seed.reset_world(self.world)
        return json_response({"reset": True})

    @route("POST", "/seed")
    def add_seed(self) -> Response:
        """Apply a seed in YAML or JSON → ``{"added": {part: n}}``."""
        return json_response({"added": seed.apply(self.world, seed.parse(request.get_data(as_text=True)))})

    @route("GET", "/clock")
    def clock(self) -> Response:
        """Return ``{"now": unix seconds, "ahead": seconds before the machine's clock}``."""
        return json_response(_clock(self.world))

    @route("POST", "/clock")
    def advance(self) -> Response:
        """Advance the clock: ``{"advance": seconds}``; due timers run now."""
        self.world.clock.advance(seconds_of(json_body(), "advance", 0))
        self.world.timers.wake()
        return json_response(_clock(self.world))

    @route("GET", "/limits")
    def limits(self) -> Response:
        """Return ``{"throughput", "pair", "window", "test_numbers": bool, "daily": customers, 0 for none}``."""
        return json_response(self.world.limits.settings.view())

    @route("POST", "/limits")
    def switch_limits(self) -> Response:
        """Change limits by name → all of them; ``{"all": false}`` switches every one off."""
        body = json_body()
        everything = body.pop("all", None)
        if everything is not None:
            if not isinstance(everything, bool):
                raise ControlError(400, "all must be true or false")
            body = {**dict.fromkeys(("throughput", "pair", "window", "test_numbers"), everything), **body}
        self.world.limits.update(body)
        return json_response(self.world.limits.settings.view())

    @route("GET", "/behaviour")
    def behaviour(self) -> Response:
        """Return every option of ``Behaviour``."""
        return json_response(self.world.behaviour.view())

    @route("POST", "/behaviour")
    def set_behaviour(self) -> Response:
        """Change options by name → all of them."""
        self.world.behaviour = self.world.behaviour.with_changes(json_body())
        return json_response(self.world.behaviour.view())

    @route("POST", "/token")
    def token(self) -> Response:
        """Set the token's state: ``{"state": "valid" | "expired" | "revoked" | "uninstalled" | "malformed"}``."""
        state = json_body().get("state", "valid")
        if state not in TOKEN_STATES:
            raise ControlError(400, f"state must be one of {', '.join(TOKEN_STATES)}")
        self.world.token_error = TOKEN_STATES[state]
        return json_response({"state": state})

    @route("POST", "/secret")
    def change_secret(self) -> Response:
        """Change ``{"app_secret"?, "access_token"?, "verify_token"?}`` until the next reset → the names changed.

        Webhooks are signed with the new secret at once, so a rotation of the service's secrets can be rehearsed.
        """
        body = json_body()
        for name, value in body.items():
            if name not in ("app_secret", "access_token", "verify_token") or not isinstance(value, str) or not value:
                raise ControlError(400, "app_secret, access_token and verify_token can be set to a text")
        for name, value in body.items():
            setattr(self.world.credentials, name, value)
        return json_response({"changed": sorted(body)})

    @route("GET", "/numbers")
    def numbers(self) -> Response:
        """Return ``{"numbers": [{id, digits, display, verified_name, …}]}``."""
        return json_response({"numbers": [number_view(number) for number in self.world.numbers.values()]})

    @route("POST", "/numbers")
    def add_number(self) -> Response:
        """Add or change a business number: ``{"id", …properties}`` → the number."""
        return json_response(number_view(seed.change_business_number(self.world, json_body())))

    @route("PATCH", "/numbers/<number_id>")
    def change_number(self, number_id: str) -> Response:
        """Change a number: messages_per_second, test_recipients, registered, quality_rating … → the number."""
        number_of(self.world, number_id)
        return json_response(number_view(seed.change_business_number(self.world, {**json_body(), "id": number_id})))


def number_view(number: BusinessNumber) -> JsonObject:
    """Return a business number for the control API."""
    return {
        "id": number.id,
        "digits": number.digits,
        "display": number.display,
        "verified_name": number.verified_name,
        "messages_per_second": number.messages_per_second,
        "quality_rating": number.quality_rating,
        "status": number.status,
        "registered": number.registered,
        "test_recipients": sorted(number.test_recipients) if number.test_recipients is not None else None,
        "blocked": sorted(number.blocked),
        "callback_override": number.callback_override,
    }


def _clock(world: World) -> JsonObject:
    return {"now": world.clock.now(), "ahead": world.clock.ahead}
