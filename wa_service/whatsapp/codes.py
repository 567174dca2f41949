"""Meta's error codes as data: the cause, whether waiting helps, and what to do.

Source: reference sections 6.2 to 6.10. `errors.py` turns a row into an exception class, so a new code needs only one
line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, Literal, NamedTuple, TypeAlias

ErrorFamily: TypeAlias = Literal["server", "rate", "auth", "request", "recipient", "media", "template"]
"""The branch of the error tree that a code belongs to."""

Group: TypeAlias = Literal[
    "transient",  # retry with backoff, as long as the message may wait
    "few",  # retry only a few times: the request may be the cause
    "maintenance",  # the number is being moved: pause it for `wait` seconds
    "throttled",  # the whole number or account is too fast: slow it down
    "pair",  # too many messages from this number to this customer: only this conversation waits
    "account",  # the number or account may not send: pause it, page a person, keep the messages
    "recipient",  # this customer cannot get this message: fail it
    "request",  # the request is invalid: fail it
    "template",  # the template, or its values: hold it if waiting helps, else fail it
    "media",  # the file: fail it
    "unknown",  # it was sent, and the outcome is unknown: never repeat it blindly
]
"""The field that delivery decides by (reference 6.10)."""


class CodeRow(NamedTuple):
    """One code; `wait`: seconds before the first retry that Meta advises, 0 if it advises none."""

    code: int
    family: ErrorFamily
    group: Group
    retryable: bool
    wait: float
    advice: str


_NOT_ALLOWED: Final = (
    "Add the recipient to the test number's allowed list, in Meta's spelling: Argentina with and without 9 after 54, "
    "Mexico with and without 1 after 52, Brazil with and without 9 after the area code."
)
_NOT_UPLOADED: Final = (
    "Upload the file and send its id, or fix the link: it must answer Meta at once with the file, the right type "
    "and size, without redirects or a login."
)
_HOUR: Final = 3600.0
_DAY: Final = 86400.0


def _rows(
    family: ErrorFamily, group: Group, codes: Iterable[tuple[int, str]], *, retryable: bool = False, wait: float = 0.0
) -> Iterator[CodeRow]:
    return (CodeRow(code, family, group, retryable, wait, advice) for code, advice in codes)


def _graph() -> Iterator[CodeRow]:
    """General Graph codes and authorisation (6.2)."""
    yield from _rows(
        "auth",
        "account",
        [
            (0, "Create a new access token: this one expired or was invalidated."),
            (3, "Give the app the missing capability or permission, then check the token with debug_token."),
            (10, "Grant the permission that the call names, and check that the app may use this feature."),
            (15, "Use an app token (APP_ID|APP_SECRET) for this call."),
            (102, "Send a valid access token: the session is gone."),
            (104, "Send an access token, and an appsecret_proof if the app requires one."),
            (190, "Create a new access token and restart the queue: this one is expired, revoked or malformed."),
            (368, "Read the policy violation in WhatsApp Manager: the account is restricted."),
        ],
    )
    yield from _rows(
        "auth",
        "account",
        [(c, "Grant the app the permission for this account: it is missing or was removed.") for c in range(200, 300)],
    )
    yield from _rows(
        "server",
        "few",
        [
            (1, "Try again a few times; if it persists, check the request and Meta's status page."),
            (2, "Wait and try again: Meta is down or overloaded for a moment."),
        ],
        retryable=True,
        wait=1.0,
    )
    yield from _rows(
        "request",
        "request",
        [
            (33, "Check the id: the number was deleted."),
            (100, "Correct the parameter that the details name."),
            (506, "Do not send the same post again: Meta has it already."),
            (803, "Check the id: no such object."),
            (2200, "Fix the webhook's URL: Meta's test call to it failed."),
            (2500, "Correct the path or the API version of the call."),
            (1609005, "Check the link: Meta could not read the page behind it."),
        ],
    )


def _throttling() -> Iterator[CodeRow]:
    """Rate limits (6.3)."""
    yield from _rows(
        "rate",
        "throttled",
        [
            (4, "Spread the calls: the app's limit is used up."),
            (17, "Spread the calls: the user's limit is used up."),
            (341, "Wait: the app's limit is lowered for a while."),
            (613, "Wait: the limit on this kind of call is reached."),
            (80007, "Wait until the account's management calls recover, as the usage header says."),
        ],
        retryable=True,
        wait=60.0,
    )
    yield CodeRow(130429, "rate", "throttled", True, 1.0, "Send slower from this number.")
    yield CodeRow(
        131048, "rate", "account", True, _DAY, "Stop campaigns and look at the number's quality: it is limited as spam."
    )
    yield CodeRow(
        131056, "rate", "pair", True, 1.0, "Wait before writing to this customer again; others are not affected."
    )
    yield CodeRow(131057, "server", "maintenance", True, 60.0, "Wait about a minute: Meta is working on this number.")
    yield CodeRow(
        131064, "rate", "account", True, _HOUR, "Put the templates into their right categories: sending is limited."
    )
    yield CodeRow(133016, "rate", "throttled", True, 72 * _HOUR, "Wait 72 hours before registering this number again.")


def _integrity() -> Iterator[CodeRow]:
    """The account, the number and the recipient (6.4)."""
    yield from _rows(
        "auth",
        "account",
        [
            (131005, "Grant the app its permission for this number again."),
            (131031, "Look into WhatsApp Manager: the account is locked, or the PIN did not match."),
            (131037, "Get the number's display name approved before it sends."),
            (131042, "Fix the payment method of the account; the messages are kept until then."),
            (131045, "Register the number again: its certificate is not valid."),
            (133010, "Register the number: it is not registered with the Cloud API."),
            (141006, "Fix the payment method of the account: its health status says blocked."),
            (141014, "Appeal in WhatsApp Manager: the account is banned."),
        ],
    )
    yield from _rows(
        "recipient",
        "recipient",
        [
            (130403, "Do not write to this customer: they blocked the business or refuse its messages."),
            (130472, "Nothing to do: the customer is in an experiment of Meta's and gets no marketing."),
            (130497, "Do not write to customers in this country from this business."),
            (131020, "Choose a group with more than one member."),
            (131021, "Send to another number than the one you send from."),
            (131026, "Check the number: it may not be on WhatsApp, have an old client, or have blocked the business."),
            (131030, _NOT_ALLOWED),
            (131041, "Check the group id: Meta does not know it."),
            (131047, "Send a template: the customer wrote last more than 24 hours ago."),
            (131050, "Send no marketing to this customer: they stopped it."),
            (131060, "Ask the customer to send it again: Meta could not deliver this message."),
            (131062, "Use the phone number: this message cannot go to a business-scoped user id."),
            (137000, "Fetch the customer's new identity hash: it changed."),
        ],
    )
    yield CodeRow(131044, "auth", "request", False, 0.0, "Fix the payment method of the account: calls need one.")
    yield CodeRow(
        131049,
        "recipient",
        "recipient",
        True,
        _DAY,
        "Wait 24 hours, then send less often: Meta limits marketing to this customer.",
    )


def _messages() -> Iterator[CodeRow]:
    """Content and delivery of a message (6.5)."""
    yield CodeRow(131000, "server", "few", True, 1.0, "Try again a few times: something went wrong at Meta.")
    yield CodeRow(131016, "server", "transient", True, 1.0, "Wait and try again: Meta's service is overloaded.")
    yield from _rows(
        "request",
        "request",
        [
            (131008, "Add the parameter that the details name."),
            (131009, "Correct the value that the details name."),
            (131051, "Use a message type that the Cloud API knows."),
            (131055, "Send only marketing templates through the Marketing Messages API."),
            (131059, "Read the list from its start: the cursor is no longer valid."),
            (134011, "Accept the WhatsApp Payments terms before sending orders."),
            (131063, "Use the Marketing Messages API: this account's marketing is switched off on the Cloud API."),
            (135000, "Check the parameters: Meta does not say which one is wrong."),
        ],
    )
    yield from _rows(
        "media",
        "media",
        [
            (131014, "Check the media link: Meta got an error from its server."),
            (131052, "Ask the customer to send the file again or another way: it cannot be fetched."),
            (131053, _NOT_UPLOADED),
        ],
    )


def _templates() -> Iterator[CodeRow]:
    """Sending templates (6.6) and their insights (6.8)."""
    yield from _rows(
        "template",
        "template",
        [
            (132000, "Pass as many parameters as the template has."),
            (132001, "Check name and language: no such approved translation; a new one may need some minutes."),
            (132005, "Shorten the parameters: the filled text is too long."),
            (132007, "Change the parameters: the text breaks a character policy."),
            (132008, "Correct the parameter's value."),
            (132012, "Pass parameters of the kind that the template was created with."),
            (132016, "Use another template: this one was disabled for its quality."),
            (132018, "Check the parameters against the template's definition."),
            (132068, "Fix the Flow of this template: it is blocked."),
            (134100, "Use a marketing template for the Marketing Messages API."),
            (134102, "Use another template: this one is not available to the Marketing Messages API."),
            (141002, "Get the template approved, or edit and appeal it."),
            (200005, "Template insights are not available for this account."),
            (200006, "Template insights cannot be disabled."),
            (200007, "Enable template insights first."),
        ],
    )
    yield CodeRow(132015, "template", "template", True, 3 * _HOUR, "Wait, or improve the template: it is paused.")
    yield CodeRow(132069, "template", "template", True, _HOUR, "Wait an hour: the Flow of this template is throttled.")
    yield CodeRow(
        134101, "template", "template", True, 600.0, "Wait ten minutes: the template is still being synchronised."
    )
    yield CodeRow(1752041, "request", "request", False, 0.0, "Nothing to do: the onboarding is already in progress.")


def _registration() -> Iterator[CodeRow]:
    """Registration, PIN, migration and onboarding (6.8)."""
    yield CodeRow(133004, "server", "transient", True, 1.0, "Wait and try again: the server is unavailable.")
    yield from _rows(
        "rate",
        "throttled",
        [
            (133008, "Wait as long as the details say: too many wrong PINs."),
            (133009, "Wait before entering the PIN again."),
            (133015, "Wait five minutes: the number was deleted a moment ago."),
            (136024, "Wait before asking for a new code."),
        ],
        retryable=True,
        wait=300.0,
    )
    yield CodeRow(2494100, "server", "maintenance", True, 60.0, "Wait some minutes: Meta is working on this number.")
    yield from _rows(
        "request",
        "request",
        [
            (133000, "Deregister the number again, then register it: the last deregistration did not finish."),
            (133005, "Enter the correct two-step PIN."),
            (133006, "Verify the number first."),
            (136025, "Enter the correct code."),
            (2388001, "Confirm that you own the number, or turn off its two-step verification."),
            (2388012, "Nothing to do: the number is already in your list."),
            (2388091, "Start the migration first: the number may not get a code."),
            (2388093, "Start the migration first, then enter the correct code."),
            (2388103, "Read the details: the number cannot be migrated yet."),
            (2494191, "Leave the conversation to its owner: it cannot be taken now."),
            (2593079, "Read the details: the old transfer cannot continue."),
            (2593085, "Read the details: the old transfer cannot continue."),
            (2593107, "Nothing to do: synchronisation may be requested only once."),
            (2593108, "Onboard the number again: synchronisation must start within 24 hours."),
            (2593109, "Nothing to do: the user declined to share the history."),
            (4233041, "Read the details: the Flow cannot be migrated."),
            *((code, "Correct the sign-up message that the details name.") for code in range(2494164, 2494180)),
        ],
    )


def _surfaces() -> Iterator[CodeRow]:
    """Calls, groups, Flows, block lists and usernames (6.9)."""
    yield from _rows(
        "request",
        "request",
        [
            (138000, "Enable calling for this number."),
            (138001, "The recipient cannot take calls: send a message instead."),
            (138003, "Wait for the call with this user to end."),
            (138004, "Check the session description (SDP) of the call."),
            (138006, "Ask the user for permission to call."),
            (138007, "Try the call again: connecting took too long."),
            (138018, "Meet the conditions for calling first."),
            (138038, "Call from the application that owns the conversation: this one does not."),
            (138024, "Check the SIP settings of the number."),
            (138025, "Check the SIP settings of the number."),
            (131201, "Read which parts of the group request failed."),
            (131202, "Remove the duplicate participant."),
            (131204, "Remove participants: the group is over its limit."),
            (131207, "Use another group: this one is suspended."),
            (131209, "Use a square image."),
            (131210, "Use an image of at least 192 pixels."),
            (131211, "Delete groups: the number has reached its limit."),
            (131212, "Choose a member of the group."),
            (131213, "Check the join request: there is none."),
            (131214, "Creating groups is paused: too much marketing."),
            (131215, "This number may not use groups."),
            (139000, "Change the Flow: Meta's integrity check blocked it."),
            (139001, "Create a new version: a published Flow cannot be changed."),
            (139002, "Correct the Flow's validation errors, endpoint and keys before publishing."),
            (139003, "Only a published Flow can be deprecated."),
            (139004, "Only a draft Flow can be deleted."),
            (139100, "Read which users could not be blocked or unblocked."),
            (139200, "Send an approved template: Direct Send is blocked for this message or account."),
            (139101, "Unblock users: the block list is full."),
            *((code, "Choose another username, as the details say.") for code in range(147001, 147006)),
        ],
    )
    yield from _rows(
        "rate",
        "throttled",
        [
            (131208, "Wait: too many operations on groups."),
            (138002, "Wait for a call to end: 1,000 are active."),
            (138005, "Call less often."),
            (138013, "Check call permissions less often."),
        ],
        retryable=True,
        wait=60.0,
    )
    yield from _rows(
        "recipient",
        "recipient",
        [
            (138009, "Ask this user for permission later: once in 24 hours and twice in 7 days are allowed."),
            (138012, "Wait until tomorrow: this user has reached the day's limit of calls."),
        ],
        retryable=True,
        wait=_DAY,
    )
    yield from _rows(
        "server",
        "few",
        [(139102, "Try again: the block list was being changed."), (139103, "Try again: internal error at Meta.")],
        retryable=True,
        wait=1.0,
    )


def _subcodes() -> Iterator[CodeRow]:
    """Template management: subcodes of code 100 (6.7)."""
    yield from _rows(
        "template",
        "template",
        [
            (2388019, "Delete templates: the account has reached its limit."),
            (2388023, "Use another name: this one is blocked for about 30 days after its deletion."),
            (2388024, "Edit the template: this name already exists in this language."),
            (2388039, "Wait for another status: the template cannot be edited in the current one."),
            (2388040, "Shorten the field: it is over its limit."),
            (2388043, "Add the missing field, such as a button's example."),
            (2388046, "Use only lower-case letters, digits and underscores in the name."),
            (2388047, "Correct the format of the header."),
            (2388060, "Correct the definition of the buttons."),
            (2388072, "Correct the format of the body."),
            (2388073, "Correct the format of the footer."),
            (2388155, "Use another name: a sample template of Meta's has it."),
            (2388293, "Use fewer variables or more text."),
            (2388318, "Leave this template as it is: Meta created it from a direct send, it cannot be edited."),
            (2388330, "Leave this template as it is: Meta created it from a direct send, it cannot be deleted."),
            (2388299, "Put text before the first and after the last variable."),
        ],
    )


SECTIONS: Final[Mapping[str, tuple[CodeRow, ...]]] = {
    "graph": tuple(_graph()),
    "throttling": tuple(_throttling()),
    "integrity": tuple(_integrity()),
    "messages": tuple(_messages()),
    "templates": tuple(_templates()),
    "registration": tuple(_registration()),
    "surfaces": tuple(_surfaces()),
    "subcodes": tuple(_subcodes()),
}
"""The rows by section, as `docs/error-codes.md` shows them."""

ROWS: Final[tuple[CodeRow, ...]] = tuple(chain(*(rows for name, rows in SECTIONS.items() if name != "subcodes")))
"""One row per `code`."""

SUBCODE_ROWS: Final[tuple[CodeRow, ...]] = SECTIONS["subcodes"]
"""One row per `error_subcode` of code 100."""
