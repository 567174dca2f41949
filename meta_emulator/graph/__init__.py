"""The Graph API."""

from __future__ import annotations

from meta_emulator.graph.dispatch import GraphMiddleware, graph_blueprint

__all__ = ["GraphMiddleware", "graph_blueprint"]
