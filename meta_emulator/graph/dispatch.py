"""Process a Graph call: version, token, planned failures, handler, headers, recorded exchange."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

import gevent
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from meta_emulator import addresses, encoding
from meta_emulator.disconnect import disconnect
from meta_emulator.errors import GraphError, bad_token, parameter, unknown_path
from meta_emulator.faults import Fault
from meta_emulator.graph import messages
from meta_emulator.graph.call import Call, JsonObject, parameters, token_of
from meta_emulator.graph.routing import endpoint_of, find_handler
from meta_emulator.graph.versions import looks_like_version, oldest_version, serving_version
from meta_emulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

_METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH"]
_STORED_BODY = 16_384
_REQUEST_BYTES = 105 * 1024 * 1024
_MASKED = {"authorization", "cookie"}
_FIXED_HEADERS = (
    ("Pragma", "no-cache"),
    ("Expires", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ("Strict-Transport-Security", "max-age=15552000; preload"),
    ("Vary", "Accept-Encoding"),
    ("x-app-usage", '{"call_count":0,"total_cputime":0,"total_time":0}'),
)


class _Request(Request):
    max_content_length = _REQUEST_BYTES


class GraphMiddleware:
    """WSGI middleware that serves paths with a version (`/v24.0/…`) without Flask, which would double the time."""

    def __init__(self, application: WSGIApplication, world: World) -> None:
        self._application = application
        self._world = world

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a Graph call; pass any other call to the application."""
        path: str = environ.get("PATH_INFO", "")
        if not looks_like_version(path[1 : path.find("/", 1)]) or environ["REQUEST_METHOD"] not in _METHODS:
            return self._application(environ, start_response)
        incoming = _Request(environ)
        with self._world.activity.in_progress():
            response = _GraphRequest(self._world, incoming, incoming.path).respond()
        return response(environ, start_response)


def graph_blueprint(world: World) -> Blueprint:
    """Return the route of the other Graph calls: every path outside the control API and the page."""
    blueprint = Blueprint("graph", __name__)

    @blueprint.route("/<path:path>", methods=_METHODS)
    def graph(path: str) -> Response:
        with world.activity.in_progress():
            return _GraphRequest(world, request, path).respond()

    return blueprint


class _GraphRequest:
    """One call from request to response."""

    def __init__(self, world: World, incoming: Request, path: str) -> None:
        self._world = world
        self._request = incoming
        self._parts = tuple(part for part in path.split("/") if part)
        self._trace = world.ids.fbtrace()
        self._version = oldest_version(world.clock.today().date())
        self._call: Call | None = None
        self._body = b""
        self._origin = f"{incoming.scheme}://{incoming.host}"
        self._sent_headers = dict(incoming.headers.items())

    def respond(self) -> Response:
        started = time.monotonic()
        note = ""
        try:
            response = self._handle()
        except GraphError as error:
            response = self._error(error)
        except RequestEntityTooLarge:
            response = self._error(parameter("The request is too large."))
        except Exception:
            logger.exception("unexpected error in a Graph call")
            response = self._error(GraphError(1, http_status=500))
        fault = self._call.fault if self._call else None
        if fault is not None:
            note = f"fault {fault.id}: {fault.kind}"
            response = self._apply_fault_after(response, fault)
        self._headers(response)
        self._record(response, started, note)
        return response

    def _handle(self) -> Response:
        self._read_version()
        multipart = self._request.mimetype == "multipart/form-data"
        self._body = b"" if multipart else self._request.get_data()
        raw = bool(self._parts) and self._parts[0].startswith("upload:")
        params = parameters(self._request, b"" if raw else self._body)
        token = token_of(self._request, params)
        if not self._parts:
            raise unknown_path("")
        call = self._call = Call(
            world=self._world,
            method=self._request.method,
            version=self._version,
            path=self._parts,
            params=params,
            files=self._request.files.to_dict() if multipart else {},
            token=token,
            url=f"{self._origin}{self._request.path}",
            headers={name.lower(): value for name, value in self._sent_headers.items()},
            body=self._body,
        )
        endpoint = endpoint_of(call)
        handler = find_handler(call)
        call.fault = self._world.faults.take(endpoint, phone=_phone_of(call), number_id=call.object_id)
        if call.fault is not None and (failed := self._apply_fault_before(call, call.fault, endpoint)):
            return failed
        self._check_token(call)
        # Media URLs must use the address that this caller used.
        self._world.media_store.base_url = self._world.config.public_url or self._origin
        if isinstance(handler, GraphError):
            raise handler
        result = handler(call)
        return result if isinstance(result, Response) else self._json(200, result)

    def _read_version(self) -> None:
        if self._parts and looks_like_version(self._parts[0]):
            asked, self._parts = self._parts[0], self._parts[1:]
            version = serving_version(asked, self._world.clock.today().date())
            if version is None:
                raise GraphError(2500, message="Invalid version", http_status=400)
            self._version = version

    def _check_token(self, call: Call) -> None:
        credentials = self._world.credentials
        if call.object_id == "oauth" or (call.object_id == "whatsapp_business"):
            return
        if not call.token:
            raise bad_token("An access token is required to request this resource.")
        if self._world.token_error is not None:
            subcode, text = self._world.token_error
            raise bad_token(text, subcode)
        good = hmac.compare_digest(call.token.encode(), credentials.access_token.encode())
        if not good and not hmac.compare_digest(call.token.encode(), credentials.app_token.encode()):
            raise bad_token("Invalid OAuth access token - Cannot parse access token")
        proof = call.params.pop("appsecret_proof", None)
        if proof is not None:
            moment = call.params.pop("appsecret_time", None)
            signed = f"{call.token}|{moment}" if moment else call.token
            wanted = hmac.new(credentials.app_secret.encode(), signed.encode(), sha256).hexdigest()
            if not hmac.compare_digest(str(proof).encode(), wanted.encode()):
                raise GraphError(
                    100,
                    message="Invalid appsecret_proof provided in the API argument",
                    kind="GraphMethodException",
                )

    def _apply_fault_before(self, call: Call, fault: Fault, endpoint: str) -> Response | None:
        """Apply a failure that precedes the handler; return its response, if any."""
        response: Response | None = None
        if fault.kind == "delay":
            gevent.sleep(fault.seconds)
        elif fault.kind == "error":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            message = fault.message or ""
            response = self._error(
                GraphError(
                    fault.code,
                    fault.details,
                    message=message,
                    http_status=fault.status,
                    subcode=fault.subcode,
                    transient=fault.status >= 500 or None,
                    headers=headers,
                )
            )
        elif fault.kind == "html":
            page = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry</h1></body></html>"
            response = Response(page, fault.status, content_type="text/html; charset=utf-8")
        elif fault.kind == "empty":
            response = Response(b"", fault.status)
        elif fault.kind == "reset":
            disconnect(self._request.environ, reset=True)
            response = Response(b"", 500)
        if response is not None and endpoint == "messages":
            messages.record_fault(call, fault, response.status_code)
        return response

    def _apply_fault_after(self, response: Response, fault: Fault) -> Response:
        """Apply a failure that follows the handler to the response."""
        content = response.get_data()
        if fault.kind == "answer_lost":
            disconnect(self._request.environ, reset=False)
        elif fault.kind == "truncated":
            response.set_data(content[: max(len(content) // 2, 1)])
        elif fault.kind == "cut":
            half = content[: len(content) // 2]
            response.response = [half]
            response.headers["Content-Length"] = str(len(content))
            response.headers["Connection"] = "close"
        elif fault.kind == "slow_body":
            response.response = _slowly(content, fault.seconds)
            response.headers["Content-Length"] = str(len(content))
        return response

    def _json(self, status: int, body: JsonObject) -> Response:
        return Response(encoding.encode(body), status, content_type="application/json; charset=UTF-8")

    def _error(self, error: GraphError) -> Response:
        response = self._json(error.http_status, error.body(self._trace))
        response.headers.update(error.headers)
        return response

    def _headers(self, response: Response) -> None:
        usage = (
            '{"%s":[{"type":"%s","call_count":1,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}]}'
        )
        response.headers.setdefault("Cache-Control", "private, no-cache, no-store, must-revalidate")
        kind = "whatsapp" if self._call and self._call.edge in ("messages", "media") else "whatsapp_business_management"
        response.headers.extend(
            (
                *_FIXED_HEADERS,
                ("facebook-api-version", self._version),
                ("x-fb-trace-id", self._trace),
                ("x-fb-request-id", self._trace),
                ("x-business-use-case-usage", usage % (self._world.config.business_account_id, kind)),
            )
        )

    def _record(self, response: Response, started: float, note: str) -> None:
        secret = self._world.credentials.access_token
        headers = {
            name: "Bearer $TOKEN" if name.lower() in _MASKED else value for name, value in self._sent_headers.items()
        }
        query = self._request.query_string.decode("utf-8", "replace")
        url = f"{self._origin}{self._request.path}{'?' if query else ''}{query}"
        textual = response.mimetype in ("application/json", "text/html", "text/plain")
        body = "" if response.is_streamed else response.get_data(as_text=True) if textual else "(binary)"
        self._world.record_exchange(
            kind="graph",
            method=self._request.method,
            url=url.replace(secret, "$TOKEN") if secret else url,
            request_headers=headers,
            request_body=self._body[:_STORED_BODY].decode("utf-8", "replace").replace(secret, "$TOKEN"),
            status=response.status_code,
            response_body=body[:_STORED_BODY],
            milliseconds=round((time.monotonic() - started) * 1000, 1),
            message_ids=tuple(self._call.message_ids) if self._call else (),
            note=note,
        )


def _phone_of(call: Call) -> str:
    """Return the wa_id of the customer that a call is about; empty for none."""
    to = call.params.get("to") or call.params.get("recipient")
    if isinstance(to, str) and (number := addresses.digits(to) or to):
        phone = call.world.find_phone(number)
        return phone.wa_id if phone else addresses.wa_id(number)
    message = call.world.messages.get(str(call.params.get("message_id", "")))
    return message.wa_id if message else ""


def _slowly(content: bytes, seconds: float, pieces: int = 10) -> Iterator[bytes]:
    size = max(len(content) // pieces, 1)
    for start in range(0, len(content), size):
        gevent.sleep(seconds * size / len(content))
        yield content[start : start + size]
