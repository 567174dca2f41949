"""Route decorator and base class of the control API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Response

from meta_emulator.world import World

_View = TypeVar("_View", bound=Callable[..., Response])
_MARK = "_emulator_routes"


@dataclass(frozen=True, slots=True)
class Route:
    """One route: method, path below ``/_emulator`` (Flask's syntax), and the function that answers it."""

    method: str
    path: str
    name: str
    group: str
    view: Callable[..., Response]


def route(method: str, path: str) -> Callable[[_View], _View]:
    """Register a method of ``Controls`` for ``method /_emulator{path}``."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, (*getattr(view, _MARK, ()), (method, path)))
        return view

    return mark


class Controls:
    """A group of control routes for one world; ``routes`` are those of all groups."""

    routes: tuple[Route, ...] = ()

    def __init__(self, world: World) -> None:
        self.world = world

    @classmethod
    def own_routes(cls) -> Iterator[Route]:
        """Yield the routes of this group."""
        for name in dir(cls):
            view: Any = getattr(cls, name)
            for method, path in getattr(view, _MARK, ()):
                yield Route(method, path, name, cls.__name__.removesuffix("Controls").lower(), view)

    def register(self, blueprint: Blueprint) -> None:
        """Add every decorated method to the blueprint."""
        for each in self.own_routes():
            endpoint = f"{type(self).__name__}_{each.name}_{each.method}_{len(each.path)}"
            blueprint.add_url_rule(each.path, endpoint, getattr(self, each.name), methods=[each.method])
