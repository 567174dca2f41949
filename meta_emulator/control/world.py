"""Routes for reset, seed, clock, limits, behaviour, token and business numbers."""

from __future__ import annotations

from flask import Response, request

from meta_emulator import seed
from meta_emulator.behaviour import Behaviour
from meta_emulator.control.bodies import Advance, LimitChanges, Reset, Secrets, TokenState
from meta_emulator.control.http import JsonObject, json_body, json_response, number_of
from meta_emulator.control.routes import Controls, route
from meta_emulator.records import BusinessNumber
from meta_emulator.seed import NewNumber, NumberProperties
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
    def reset(self, body: Reset) -> Response:
        """Reset and seed again: ``{"callback_url"?}`` → ``{"reset": true}``; by default the callback stays."""
        if body.callback_url is not None:
            self.world.callback_url = body.callback_url
            self.world.account_override = ""
            self.world.subscribed = bool(body.callback_url)
        seed.reset_world(self.world)
        return json_response({"reset": True})

    @route("POST", "/seed", described_by=seed.Seed)
    def add_seed(self) -> Response:
        """Apply a seed in YAML or JSON → ``{"added": {part: n}}``."""
        return json_response({"added": seed.apply(self.world, seed.parse(request.get_data(as_text=True)))})

    @route("GET", "/clock")
    def clock(self) -> Response:
        """Return ``{"now": unix seconds, "ahead": seconds ahead of the machine's clock}``."""
        return json_response(_clock(self.world))

    @route("POST", "/clock")
    def advance(self, body: Advance) -> Response:
        """Advance the clock: ``{"advance"?: seconds}``; due timers run now."""
        self.world.clock.advance(body.advance)
        self.world.timers.wake()
        now = _clock(self.world)
        self.world.hub.publish("clock", now)
        return json_response(now)

    @route("GET", "/limits")
    def limits(self) -> Response:
        """Return ``{"throughput", "pair", "window", "test_numbers": bool, "daily": customers, 0 for none}``."""
        return json_response(self.world.limits.settings.view())

    @route("POST", "/limits")
    def switch_limits(self, body: LimitChanges) -> Response:
        """Change limits by name → all of them; ``{"all": false}`` disables every one."""
        wanted = body.given()
        everything = wanted.pop("all", None)
        if everything is not None:
            wanted = {**dict.fromkeys(("throughput", "pair", "window", "test_numbers"), everything), **wanted}
        self.world.limits.update(wanted)
        return json_response(self.world.limits.settings.view())

    @route("GET", "/behaviour")
    def behaviour(self) -> Response:
        """Return every option of ``Behaviour``."""
        return json_response(self.world.behaviour.view())

    @route("POST", "/behaviour", described_by=Behaviour)
    def set_behaviour(self) -> Response:
        """Change options by name → all of them."""
        self.world.behaviour = self.world.behaviour.with_changes(json_body())
        return json_response(self.world.behaviour.view())

    @route("POST", "/token")
    def token(self, body: TokenState) -> Response:
        """Set the token's state: ``{"state": "valid" | "expired" | "revoked" | "uninstalled" | "malformed"}``."""
        self.world.token_error = TOKEN_STATES[body.state]
        return json_response({"state": body.state})

    @route("POST", "/secret")
    def change_secret(self, body: Secrets) -> Response:
        """Change ``{"app_secret"?, "access_token"?, "verify_token"?}`` until the next reset → the names changed.

        Webhooks are signed with the new secret at once, so that a rotation of the service's secrets can be tested.
        """
        wanted = body.given()
        for name, value in wanted.items():
            setattr(self.world.credentials, name, value)
        return json_response({"changed": sorted(wanted)})

    @route("GET", "/numbers")
    def numbers(self) -> Response:
        """Return ``{"numbers": [{id, digits, display, verified_name, …}]}``."""
        return json_response({"numbers": [number_view(number) for number in self.world.numbers.values()]})

    @route("POST", "/numbers")
    def add_number(self, body: NewNumber) -> Response:
        """Add or change a business number: ``{"id", …properties}`` → the number."""
        return json_response(number_view(seed.change_business_number(self.world, body.id, body)))

    @route("PATCH", "/numbers/<number_id>")
    def change_number(self, number_id: str, body: NumberProperties) -> Response:
        """Change a number: messages_per_second, test_recipients, registered, quality_rating … → the number."""
        number_of(self.world, number_id)
        return json_response(number_view(seed.change_business_number(self.world, number_id, body)))


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
        "identity_check": number.identity_check,
    }


def _clock(world: World) -> JsonObject:
    return {"now": world.clock.now(), "ahead": world.clock.ahead}
