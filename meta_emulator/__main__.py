"""``python -m meta_emulator``."""

from __future__ import annotations

from meta_emulator.cli import main

if __name__ == "__main__":
    main()
