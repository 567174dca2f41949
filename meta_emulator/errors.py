"""Meta's error object, codes and titles (reference 1.4, 1.6 and 6)."""

from __future__ import annotations

from typing import Any

ERROR_PAGE = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"

# code: (HTTP status, title), in the order of reference 6.2 to 6.9; 400 where the reference gives no status.
_CODES: dict[int, tuple[int, str]] = {
    0: (401, "The app user could not be authenticated"),
    1: (400, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    3: (500, "Application does not have the capability to make this API call."),
    4: (400, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    15: (400, "This method must be called with an app access_token."),
    17: (400, "User request limit reached"),
    33: (400, "The business phone number was deleted"),
    100: (400, "Invalid parameter"),
    102: (401, "The session is missing or no longer valid"),
    104: (401, "An access token is required to request this resource"),
    190: (401, "Access token has expired"),
    **dict.fromkeys(range(200, 300), (403, "The permission is not granted or was removed")),
    341: (400, "Application limit reached"),
    368: (403, "Temporarily blocked for a policy violation"),
    506: (400, "Duplicate post"),
    613: (400, "Call limit reached"),
    803: (404, "Some of the requested aliases do not exist"),
    2200: (400, "Callback verification failed"),
    2500: (400, "Unknown path components"),
    80007: (400, "Rate limit issues"),
    130429: (400, "Rate limit hit"),
    131048: (400, "Spam rate limit hit"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131064: (400, "Limited because of mis-categorized templates"),
    133016: (400, "Too many registrations and deregistrations"),
    130403: (400, "Message was refused by the user"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country."),
    131005: (403, "Access denied"),
    131031: (403, "Account has been locked"),
    131037: (400, "The number needs an approved display name"),
    131042: (400, "Business eligibility payment issue"),
    131044: (400, "Payment issue"),
    131045: (500, "Incorrect certificate"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages from this business."),
    131062: (400, "Message type is not possible to a business-scoped user id"),
    131063: (400, "Marketing templates are disabled on Cloud API"),
    134011: (400, "The payments terms are not accepted"),
    131000: (500, "Something went wrong"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131014: (400, "The request for the URL failed"),
    131016: (500, "Service temporarily unavailable"),
    131020: (400, "Bad group"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131041: (400, "Group unknown"),
    131047: (400, "Re-engagement message"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131055: (400, "Method not allowed"),
    131059: (400, "Invalid cursor"),
    131060: (400, "This message is currently unavailable."),
    135000: (400, "Generic user error"),
    137000: (400, "Recipient identity key mismatch"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132008: (400, "Template parameter value is not valid"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132018: (400, "The template's parameters have an issue"),
    132068: (400, "Flow is blocked"),
    132069: (400, "Flow is throttled"),
    134100: (400, "Only marketing messages supported"),
    134101: (400, "Template is still syncing"),
    134102: (500, "Template unavailable for use"),
    1752041: (400, "Duplicate onboarding request"),
    133000: (500, "The earlier deregistration is incomplete"),
    133004: (503, "Server temporarily unavailable"),
    133005: (400, "Two step verification PIN mismatch"),
    133006: (400, "Phone number re-verification needed"),
    133008: (400, "Too many two step verification PIN guesses"),
    133009: (400, "Two step verification PIN was entered too fast"),
    133010: (400, "Account not registered"),
    133015: (400, "The phone number was just deleted; wait 5 minutes"),
    136024: (400, "Request code error"),
    136025: (400, "Verify code error"),
    2388001: (400, "The ownership of the phone number must be confirmed first"),
    2388012: (400, "The phone number is already in the account"),
    2388091: (400, "The phone number is not eligible for a code"),
    2388093: (400, "The phone number is not eligible for a code"),
    2388103: (400, "The phone number cannot be migrated"),
    2494100: (400, "The phone number is in maintenance"),
    2593079: (400, "The account cannot be transferred"),
    2593085: (400, "The account cannot be transferred"),
    2593107: (400, "The data was already synchronized"),
    2593108: (400, "The time to synchronize the data is over"),
    2593109: (400, "The business does not share its chat history"),
    4233041: (400, "The flows cannot be migrated"),
    200005: (400, "Template insights are not available"),
    200006: (400, "Template insights cannot be disabled"),
    200007: (400, "Template insights are not enabled"),
    **dict.fromkeys(range(2494164, 2494180), (400, "The sign-up message call failed")),
    138000: (400, "Calling is not enabled"),
    138001: (400, "The receiver cannot take calls"),
    138002: (400, "Too many concurrent calls"),
    138003: (400, "A call with this user is under way"),
    138004: (400, "Connection error"),
    138005: (400, "Call rate limit hit"),
    138006: (400, "There is no call permission"),
    138007: (400, "Connection time-out"),
    138009: (400, "Too many call permission requests"),
    138012: (400, "Daily limit of connected calls to this user reached"),
    138013: (400, "Limit of call permission checks reached"),
    138018: (400, "Calling cannot be enabled"),
    138024: (400, "SIP error"),
    138025: (400, "SIP error"),
    131201: (206, "The group request was partly successful"),
    131202: (400, "Duplicate participant"),
    131204: (400, "Too many participants"),
    131207: (403, "The group is suspended"),
    131208: (429, "Group operation rate limit hit"),
    131209: (400, "The group picture is not square"),
    131210: (400, "The group picture is too small"),
    131211: (400, "Too many groups"),
    131212: (400, "Not a participant"),
    131213: (400, "There is no such join request"),
    131214: (400, "Group creation is paused"),
    131215: (400, "The phone number is not eligible for groups"),
    139000: (400, "Flow is blocked by integrity"),
    139001: (400, "Flow cannot be updated"),
    139002: (400, "Flow cannot be published"),
    139003: (400, "Flow cannot be deprecated"),
    139004: (400, "Flow cannot be deleted"),
    139100: (400, "Some users could not be blocked or unblocked"),
    139101: (400, "The block list is full"),
    139102: (400, "The block list was updated at the same time"),
    139103: (400, "Internal error of the block list"),
    141002: (400, "The template is not approved"),
    141006: (400, "Payment issue"),
    141014: (400, "The account is banned"),
    **dict.fromkeys(range(147001, 147006), (400, "The username operation failed")),
}


def title_of(code: int) -> str:
    """Return the title of an error code."""
    return _CODES.get(code, (400, "Something went wrong"))[1]


def http_status_of(code: int) -> int:
    """Return the HTTP status of an error code; 400 where Meta documents none."""
    return _CODES.get(code, (400, ""))[0]


class GraphError(Exception):
    """A response with Meta's error object.

    details: ``error_data.details``. headers: added to the response. beside: what the body has besides ``error``.
    """

    def __init__(
        self,
        code: int,
        details: str = "",
        *,
        message: str = "",
        http_status: int = 0,
        kind: str = "OAuthException",
        subcode: int | None = None,
        transient: bool | None = None,
        user_title: str = "",
        user_message: str = "",
        blame: list[list[str]] | None = None,
        headers: dict[str, str] | None = None,
        beside: dict[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.details = details
        self.message = message or f"(#{code}) {title_of(code)}"
        self.http_status = http_status or http_status_of(code)
        self.kind = kind
        self.subcode = subcode
        self.transient = transient
        self.user_title = user_title
        self.user_message = user_message
        self.blame = blame
        self.headers = headers or {}
        self.beside = beside or {}
        super().__init__(self.message)

    def body(self, fbtrace_id: str) -> dict[str, Any]:
        """Return the JSON body (reference 1.4)."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        elif self.blame:
            error["error_data"] = {"blame_field_specs": self.blame}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.transient is not None:
            error["is_transient"] = self.transient
        if self.user_title:
            error["error_user_title"] = self.user_title
            error["error_user_msg"] = self.user_message
        error["fbtrace_id"] = fbtrace_id
        return {**self.beside, "error": error}


def missing(details: str) -> GraphError:
    """Return 131008: a required parameter is missing."""
    return GraphError(131008, details)


def invalid(details: str) -> GraphError:
    """Return 131009: a parameter's value is not allowed."""
    return GraphError(131009, details)


def parameter(text: str) -> GraphError:
    """Return error 100 with the message ``(#100) …``."""
    return GraphError(100, message=f"(#100) {text}")


def unsupported_request(method: str, object_id: str) -> GraphError:
    """Return error 100 with subcode 33: an unknown object, or one that the token may not see (reference 1.6)."""
    verb = method.lower()
    return GraphError(
        100,
        message=(
            f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
            "missing permissions, or does not support this operation. Please read the Graph API documentation "
            "at https://developers.facebook.com/docs/graph-api"
        ),
        kind="GraphMethodException",
        subcode=33,
    )


def unknown_path(path: str) -> GraphError:
    """Return error 2500: the edge does not exist."""
    return GraphError(2500, message=f"Unknown path components: /{path}", http_status=400)


def bad_token(text: str, subcode: int | None = None) -> GraphError:
    """Return error 190: the token is missing, malformed, expired or revoked."""
    challenge = f'OAuth "Facebook Platform" "invalid_token" "{text}"'
    return GraphError(190, message=text, http_status=401, subcode=subcode, headers={"WWW-Authenticate": challenge})
