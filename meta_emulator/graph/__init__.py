"""The Graph API."""

from meta_emulator.graph.dispatch import graph_blueprint

__all__ = ["graph_blueprint"]
