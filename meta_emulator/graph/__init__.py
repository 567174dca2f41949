"""The Graph API."""

from __future__ import annotations

from meta_emulator.graph.dispatch import graph_blueprint

__all__ = ["graph_blueprint"]
