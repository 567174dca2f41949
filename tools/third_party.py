"""Write THIRD_PARTY.md: the packages of the base lock and their licences. `make lock` runs it."""

from __future__ import annotations

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# Third-party software

What `requirements.txt` installs, from the packages' own metadata. `make lock` writes this file.
The choices behind the direct ones: [docs/supply-chain.md](docs/supply-chain.md).

| package | version | licence |
|---|---|---|
"""


def locked(lock: Path) -> list[tuple[str, str]]:
    """Return names and versions that a lock pins, in its order; both versions if two Pythons need different ones."""
    pin = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
    return list(dict.fromkeys(pin.findall(lock.read_text(encoding="utf-8"))))


def licence_of(name: str, before: str) -> str:
    """Return a package's licence from its metadata; if it is not installed (another system's), the one in `before`."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        known = re.search(rf"^\| {re.escape(name)} \| [^|]+ \| ([^|]+) \|", before, re.MULTILINE)
        return known[1] if known else "not installed on the system this was written on"
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or [] if c.startswith("License")]
    own_words = (_field(about, "License") or "see its files").strip().splitlines()[0]
    return _field(about, "License-Expression") or ", ".join(classifiers) or own_words


def _field(about: PackageMetadata, name: str) -> str:
    return about[name] if name in about else ""  # noqa: SIM401 - the type of `about` has no `get`


def main() -> None:
    """Write the file."""
    target = ROOT / "THIRD_PARTY.md"
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    pins = locked(ROOT / "requirements.txt")
    rows = [f"| {name} | {version} | {licence_of(name, before)} |" for name, version in pins]
    target.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
