"""Route decorator and base class of the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response

from meta_emulator.world import World

_View = TypeVar("_View", bound=Callable[..., Response])
_MARK = "_emulator_routes"


def route(method: str, path: str) -> Callable[[_View], _View]:
    """Register a method of ``Controls`` for ``method /_emulator{path}``."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, (*getattr(view, _MARK, ()), (method, path)))
        return view

    return mark


class Controls:
    """A group of control routes for one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def register(self, blueprint: Blueprint) -> None:
        """Add every decorated method to the blueprint."""
        for name in dir(type(self)):
            for method, path in getattr(getattr(type(self), name), _MARK, ()):
                view: Any = getattr(self, name)
                endpoint = f"{type(self).__name__}_{name}_{method}_{len(path)}"
                blueprint.add_url_rule(path, endpoint, view, methods=[method])
