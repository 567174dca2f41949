"""Which weights may be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from wa_service.speech.weights import SHA256, WeightsError, model_directory, verify


def test_a_directory_that_is_named_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"anything")

    assert model_directory(tmp_path) == tmp_path


def test_a_named_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no model"):
        model_directory(tmp_path)


def test_a_file_that_differs_from_the_original_is_refused(tmp_path: Path) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes(b"something else")

    with pytest.raises(WeightsError, match="is not the file of Systran/faster-whisper-tiny"):
        verify(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        verify(tmp_path)
