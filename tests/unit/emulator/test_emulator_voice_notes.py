"""Recorded voice notes: a browser's WebM is converted to Ogg/Opus, packet by packet."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from meta_emulator import ogg_opus, voice_note
from meta_emulator.webm import WebmError, opus_track
from tests.unit.emulator.ebml_writer import element, opus_head, simple_block, track_entry, webm

RECORDINGS = Path(__file__).parents[2] / "voice"
# 20 ms of mono speech each: configuration 9 (SILK wideband, 20 ms), one frame.
PACKETS = [bytes([9 << 3]) + bytes([number]) * 40 for number in range(100)]


def read_ogg(content: bytes) -> tuple[list[bytes], list[tuple[int, int, int]]]:
    """Return the packets, and (flags, granule, sequence) of each page; fail if a checksum is wrong."""
    packets: list[bytes] = []
    pages: list[tuple[int, int, int]] = []
    position, open_packet = 0, b""
    while position < len(content):
        magic, _, flags, granule, _, sequence, checksum, count = struct.unpack_from("<4sBBqIIIB", content, position)
        assert magic == b"OggS"
        table = content[position + 27 : position + 27 + count]
        start = position + 27 + count
        end = start + sum(table)
        page = content[position:end]
        assert ogg_checksum(page[:22] + b"\0\0\0\0" + page[26:]) == checksum
        for length in table:
            open_packet += content[start : start + length]
            start += length
            if length < 255:
                packets.append(open_packet)
                open_packet = b""
        pages.append((flags, granule, sequence))
        position = end
    return packets, pages


def ogg_checksum(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value


def test_a_recording_moves_to_ogg_packet_for_packet() -> None:
    content, mime_type = voice_note.convert_recording(webm(PACKETS), "audio/webm;codecs=opus")
    packets, _ = read_ogg(content)
    assert mime_type == "audio/ogg; codecs=opus"
    assert packets[0] == opus_head()
    assert packets[1].startswith(b"OpusTags")
    assert packets[2:] == PACKETS


def test_the_pages_count_samples_and_the_last_one_ends_the_stream() -> None:
    _, pages = read_ogg(voice_note.convert_recording(webm(PACKETS), "audio/webm")[0])
    assert [page[2] for page in pages] == list(range(len(pages)))
    assert pages[0] == (2, 0, 0)
    assert pages[-1][:2] == (4, 100 * 960)


@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.ogg"))[:3], ids=lambda path: path.stem)
def test_a_real_voice_note_survives_the_way_through_webm(recording: Path) -> None:
    original, pages = read_ogg(recording.read_bytes())
    tracks = track_entry(1, b"A_OPUS", original[0])
    content, _ = voice_note.convert_recording(webm(original[2:], tracks=tracks), "audio/webm")
    packets, new_pages = read_ogg(content)
    assert packets[2:] == original[2:]
    # The encoder may have trimmed the last frame.
    assert abs(new_pages[-1][1] - pages[-1][1]) <= 960


def test_a_recording_that_was_cut_off_keeps_what_is_whole() -> None:
    packets = opus_track(webm(PACKETS)[:-20]).packets
    assert packets == PACKETS[:-1]


def test_other_tracks_are_left_out() -> None:
    tracks = track_entry(1, b"V_VP8") + track_entry(2, b"A_OPUS", opus_head())
    blocks = simple_block(b"video", 1) + simple_block(PACKETS[0], 2)
    assert opus_track(webm([], tracks=tracks, blocks=blocks)).packets == PACKETS[:1]


def test_blocks_in_groups_are_found() -> None:
    block = element("A1", b"\x81\0\0\0" + PACKETS[0])
    assert opus_track(webm([], blocks=element("A0", block))).packets == PACKETS[:1]


@pytest.mark.parametrize(
    "content",
    [
        b"no webm",
        webm([]),
        webm(PACKETS, tracks=track_entry(1, b"A_VORBIS", b"x")),
        webm([], blocks=simple_block(PACKETS[0], flags=0x82)),
        b"\x1a\x45\xdf\xa3\x00",
    ],
    ids=["magic", "empty", "vorbis", "laced", "damaged"],
)
def test_what_holds_no_opus_is_told_apart(content: bytes) -> None:
    with pytest.raises(WebmError):
        opus_track(content)


def test_a_webm_without_opus_stays_as_it_is() -> None:
    content = webm(PACKETS, tracks=track_entry(1, b"V_VP8"))
    assert voice_note.convert_recording(content, "video/webm") == (content, "video/webm")


@pytest.mark.parametrize(
    ("first", "second", "samples"),
    [(9 << 3, 0, 960), (16 << 3, 0, 120), (0, 0, 480), (9 << 3 | 1, 0, 1920), (31 << 3 | 3, 4, 3840)],
)
def test_a_packets_length_is_read_from_its_first_bytes(first: int, second: int, samples: int) -> None:
    assert ogg_opus.packet_samples(bytes([first, second])) == samples


def test_long_packets_are_laced_over_segments() -> None:
    packets = [bytes([9 << 3]) * 255, bytes([9 << 3]) * 700]
    assert read_ogg(ogg_opus.mux(opus_head(), packets))[0][2:] == packets
