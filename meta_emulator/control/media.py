"""Routes for files that phones send and that the page, which has no token, shows."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from werkzeug.datastructures import FileStorage

from meta_emulator import phone_actions, voice_note
from meta_emulator.control.http import ControlError, ensure_phone, json_response, number_of
from meta_emulator.control.queries import FileForm, UploadForm
from meta_emulator.control.routes import Controls, route
from meta_emulator.records import Media
from meta_emulator.world import World

# Types that a browser may display from this origin; all others are downloads.
_SHOWN = ("image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/", "application/pdf")


class MediaControls(Controls):
    """``/_emulator/media…`` and ``/_emulator/phones/{wa_id}/files``."""

    @route("POST", "/media")
    def upload(self, form: UploadForm) -> Response:
        """Store a file (multipart ``file``; ``phone_number_id``).

        → ``{"id", "mime_type", "size", "sha256", "filename"}``.
        """
        media = _store_file(self.world, form.phone_number_id)
        return json_response(_view(media))

    @route("GET", "/media/<media_id>")
    def show(self, media_id: str) -> Response:
        """Return the bytes, for the page."""
        media = self.world.media_store.get(media_id)
        if media is None:
            raise ControlError(404, "unknown or expired media")
        response = Response(media.content, content_type=media.mime_type)
        inline = media.mime_type.startswith(_SHOWN)
        response.headers["Content-Disposition"] = "inline" if inline else "attachment"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.make_conditional(request.environ, accept_ranges=True, complete_length=len(media.content))
        return response

    @route("POST", "/phones/<wa_id>/files")
    def send(self, wa_id: str, form: FileForm) -> Response:
        """Send a file from the phone (multipart ``file``; ``type``, ``caption``, ``voice``, ``context``,
        ``phone_number_id``).

        → ``{"id", "message"}``. A recorded voice note in WebM becomes ogg/opus.
        """
        media = _store_file(self.world, form.phone_number_id)
        kind = form.type or message_type_of(media.mime_type)
        content: dict[str, Any] = {"id": media.id}
        if form.caption:
            content["caption"] = form.caption
        if kind == "audio":
            content["voice"] = form.voice == "true"
        if kind == "document":
            content["filename"] = media.filename
        body: dict[str, Any] = {"type": kind, kind: content}
        if form.context:
            body["context"] = {"id": form.context}
        number = number_of(self.world, form.phone_number_id)
        message = phone_actions.write(self.world, ensure_phone(self.world, wa_id), number, body)
        return json_response({"id": message.id, "message": message.view()})


def message_type_of(mime_type: str) -> phone_actions.MediaType:
    """Return the message type for a file of this MIME type."""
    if mime_type == "image/webp":
        return "sticker"
    kinds: tuple[phone_actions.MediaType, ...] = ("image", "audio", "video")
    for kind in kinds:
        if mime_type.startswith(f"{kind}/"):
            return kind
    return "document"


def _store_file(world: World, number_id: str | None) -> Media:
    file: FileStorage | None = request.files.get("file")
    if file is None:
        raise ControlError(400, "file is required (multipart)")
    content, mime_type = file.stream.read(), file.content_type or "application/octet-stream"
    if not content:
        raise ControlError(400, "the file is empty")
    content, mime_type = voice_note.convert_recording(content, mime_type)
    return world.media_store.add(number_of(world, number_id), content, mime_type, file.filename or "", inbound=True)


def _view(media: Media) -> dict[str, Any]:
    return {
        "id": media.id,
        "mime_type": media.mime_type,
        "size": len(media.content),
        "sha256": media.sha256,
        "filename": media.filename,
    }
