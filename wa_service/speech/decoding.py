"""Decode recordings to samples, with PyAV. Runs in the speech process only.

FFmpeg guesses a file's format, and some formats refer to other files: a "voice note" that is an ffconcat script would
make it open a local file. So only the demuxer of the detected container and the decoders of `_CODECS` are allowed.
"""

from __future__ import annotations

import io
from typing import Any

import av
import av.error
import numpy as np

from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError

RATE = 16_000
"""Samples a second, mono, float32, as whisper needs them."""
_CODECS = (
    "opus,libopus,vorbis,mp3,mp3float,aac,aac_fixed,aac_latm,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,"
    "flac,alac,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s32le,pcm_u8,pcm_f32le,pcm_f64le,pcm_alaw,pcm_mulaw,gsm"
)


def decode(content: bytes, container: AudioContainer, max_seconds: float) -> Any:
    """Return the samples of a recording: float32, mono, 16 kHz.

    A truncated file gives the samples before the end. Raises RecordingTooLongError and RecordingUnreadableError.
    """
    pieces: list[Any] = []
    try:
        _decode(content, container, int(max_seconds * RATE), pieces)
    except (av.error.FFmpegError, ValueError, LookupError, TypeError, OSError, EOFError) as error:
        if not pieces:
            raise RecordingUnreadableError(type(error).__name__) from error
    if not pieces:
        raise RecordingUnreadableError("no sound")
    return np.concatenate(pieces)


def _decode(content: bytes, container: AudioContainer, max_samples: int, pieces: list[Any]) -> None:
    options = {"format_whitelist": str(container), "codec_whitelist": _CODECS}
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    count = 0
    with av.open(io.BytesIO(content), format=str(container), options=options, metadata_errors="ignore") as file:
        if not file.streams.audio:
            raise RecordingUnreadableError("no sound")
        # The whitelist applies to what FFmpeg probes, not to the decoder that PyAV opens.
        decoder = file.streams.audio[0].codec_context  # None for a codec that FFmpeg does not know
        if decoder is None or decoder.name not in _CODECS.split(","):
            raise RecordingUnreadableError("codec")
        for frame in file.decode(audio=0):
            for resampled in resampler.resample(frame):
                samples = resampled.to_ndarray()[0]
                count += samples.size
                if count > max_samples:
                    raise RecordingTooLongError("too long")
                pieces.append(samples)
