"""Meta's error object, codes and titles (reference 1.4, 1.6 and 6)."""

from __future__ import annotations

from typing import Any

ERROR_PAGE = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"

# code: (HTTP status, title); 400 where the reference gives no status.
_CODES: dict[int, tuple[int, str]] = {
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    3: (500, "Application does not have the capability to make this API call."),
    4: (400, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    80007: (400, "Rate limit issues"),
    100: (400, "Invalid parameter"),
    130403: (400, "Message was refused by the user"),
    130429: (400, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country."),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (500, "Service temporarily unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Account has been locked"),
    131042: (400, "Business eligibility payment issue"),
    131045: (500, "Incorrect certificate"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages from this business."),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131055: (400, "Method not allowed"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131059: (400, "Invalid cursor"),
    131062: (400, "Message type is not possible to a business-scoped user id"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    133005: (400, "Two step verification PIN mismatch"),
    133006: (400, "Phone number re-verification needed"),
    133010: (400, "Account not registered"),
    134100: (400, "Only marketing messages supported"),
    134102: (500, "Template unavailable for use"),
    135000: (400, "Generic user error"),
    136025: (400, "Verify code error"),
    137000: (400, "Recipient identity key mismatch"),
}


def title_of(code: int) -> str:
    """Return the title of an error code."""
    return _CODES.get(code, (400, "Something went wrong"))[1]


def http_status_of(code: int) -> int:
    """Return the HTTP status of an error code; 400 where Meta documents none."""
    return _CODES.get(code, (400, ""))[0]


class GraphError(Exception):
    """A response with Meta's error object.

    details: ``error_data.details``. headers: added to the response.
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
        return {"error": error}


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
