"""The Graph face: what graph.facebook.com answers."""

from .face import graph_blueprint

__all__ = ["graph_blueprint"]
