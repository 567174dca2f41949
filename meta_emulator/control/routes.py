"""Route decorator and base class of the control API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from flask import Blueprint, Response, request
from pydantic import TypeAdapter

from meta_emulator.control.http import json_body
from meta_emulator.property_check import check
from meta_emulator.world import World

_View = TypeVar("_View", bound=Callable[..., Response])
_MARK = "_emulator_routes"


@dataclass(frozen=True, slots=True)
class Route:
    """One route: method, path below ``/_emulator`` (Flask's syntax), and its view.

    body, query, form: the types of its JSON body, query and form, None if it reads none.
    """

    method: str
    path: str
    name: str
    group: str
    view: Callable[..., Response]
    body: TypeAdapter[Any] | None
    query: TypeAdapter[Any] | None
    form: TypeAdapter[Any] | None


def route(method: str, path: str, described_by: Any = None) -> Callable[[_View], _View]:
    """Register a method of ``Controls`` for ``method /_emulator{path}``.

    A method with an argument ``body``, ``query`` or ``form`` gets that part of the request, validated against the
    argument's type.
    described_by: the type of a body that the method reads itself.
    """

    def mark(view: _View) -> _View:
        setattr(view, _MARK, (*getattr(view, _MARK, ()), (method, path, described_by)))
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
            for method, path, described_by in getattr(view, _MARK, ()):
                hints = get_type_hints(view)
                parts = (described_by or hints.get("body"), hints.get("query"), hints.get("form"))
                types = (None if kind is None else TypeAdapter(kind) for kind in parts)
                yield Route(method, path, name, cls.__name__.removesuffix("Controls").lower(), view, *types)

    def register(self, blueprint: Blueprint) -> None:
        """Add every decorated method to the blueprint."""
        for each in self.own_routes():
            endpoint = f"{type(self).__name__}_{each.name}_{each.method}_{len(each.path)}"
            view = _with_arguments(getattr(self, each.name), each)
            blueprint.add_url_rule(each.path, endpoint, view, methods=[each.method], provide_automatic_options=False)


def _with_arguments(view: Callable[..., Response], found: Route) -> Callable[..., Response]:
    named = get_type_hints(view)

    @wraps(view)
    def checked(**arguments: Any) -> Response:
        if found.query is not None:
            arguments["query"] = check(found.query, request.args.to_dict())
        if found.form is not None:
            arguments["form"] = check(found.form, request.form.to_dict())
        if found.body is not None and "body" in named:
            arguments["body"] = check(found.body, json_body())
        return view(**arguments)

    return checked
