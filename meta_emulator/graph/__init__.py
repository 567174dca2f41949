"""The Graph face: what graph.facebook.com answers."""

from meta_emulator.graph.dispatch import graph_blueprint

__all__ = ["graph_blueprint"]
