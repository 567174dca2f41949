"""Sandboxed Jinja2 that cannot hang the hub.

Jinja2's own sandbox guards attributes, not time or memory (`'a' * 10**9`, nested loops, `'%999999999d' % 1`).
So what a template may do is checked when it is read, and counted when it is rendered:

* only the constructs of `_ALLOWED` may be used: no macros, imports, blocks, powers, no calls but a few
  harmless methods; lists written in a template hold constants, so nothing can be nested by doubling;
* every loop turn, filter, operator and call takes from a budget of steps and looks at the clock, and no value
  on the way may grow past `MAX_VALUE` characters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from jinja2 import ChainableUndefined, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.exceptions import TemplateError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

VARIABLES = frozenset({"text", "name", "intent", "contact", "message"})
MAX_SOURCE = 8_192
"""Characters of one template."""
MAX_VALUE = 16_384
"""Characters of any string on the way, and items of any list."""
MAX_STEPS = 2_000
MAX_SECONDS = 0.25

_MAX_NUMBER = 10**15
_MAX_NODES = 1_000

_FILTERS = (
    "abs", "capitalize", "default", "d", "first", "float", "int", "join", "last", "length", "count",
    "list", "lower", "replace", "reverse", "round", "sort", "title", "trim", "truncate", "unique", "upper",
    "urlencode",
)  # fmt: skip
_TESTS = (
    "defined", "undefined", "none", "string", "number", "mapping", "sequence", "boolean", "true", "false",
    "odd", "even", "divisibleby", "in", "eq", "ne", "lt", "le", "gt", "ge", "lower", "upper",
)  # fmt: skip
_METHODS = frozenset(
    {"upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split"}
    | {"get", "items", "keys", "values"}
)
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name,
    nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test,
    nodes.Keyword, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Call,
    nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
)  # fmt: skip


class TemplateTooCostlyError(TemplateError):
    """A rendering took more steps, time or room than a reply may."""


class Budget:
    """What one rendering may still spend."""

    def __init__(self, steps: int = MAX_STEPS, seconds: float = MAX_SECONDS) -> None:
        self._steps = steps
        self._end = time.monotonic() + seconds

    def step(self) -> None:
        """Take one step. Raises TemplateTooCostlyError when steps or time are used up."""
        self._steps -= 1
        if self._steps < 0:
            raise TemplateTooCostlyError("the template takes too many steps")
        if time.monotonic() > self._end:
            raise TemplateTooCostlyError("the template takes too long")


# A context variable, not an attribute of the environment: greenlets and threads render side by side.
_budget: ContextVar[Budget] = ContextVar("template budget")


def _checked(value: Any) -> Any:
    """Refuse a value that is too big to be worked on."""
    if isinstance(value, (str, bytes, list, tuple, dict)):
        if len(value) > MAX_VALUE:
            raise TemplateTooCostlyError("a value in the template grew too long")
    elif isinstance(value, (int, float)) and abs(value) > _MAX_NUMBER:
        raise TemplateTooCostlyError("a number in the template grew too big")
    return value


def _printable(value: Any) -> str:
    """What `{{ … }}` prints: words and numbers; a whole list or mapping is unreadable and may be huge."""
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, (str, int, float)):
        return str(_checked(value))
    raise TemplateTooCostlyError(f"a {type(value).__name__} cannot be printed: name the part of it that is wanted")


def _counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, with its input and output checked against the budget."""

    def counted(*args: Any, **kwargs: Any) -> Any:
        _budget.get().step()
        for value in (*args, *kwargs.values()):
            _checked(value)
        result = function(*args, **kwargs)
        # `reverse` and `unique` answer with generators; a list can be measured and used twice.
        return _checked(list(result) if isinstance(result, Iterator) else result)

    # Jinja2 passes the environment or context to filters that ask for it by this mark.
    if hasattr(function, "jinja_pass_arg"):
        counted.jinja_pass_arg = function.jinja_pass_arg  # type: ignore[attr-defined]  # as jinja2's own decorators do
    counted.__name__ = f"counted_{name}"
    return counted


def _join(values: Iterable[Any], separator: str = "") -> str:
    """Jinja2's `join` would print whole lists and mappings inside the list."""
    return str(separator).join(_printable(value) for value in values)


def _replace(text: Any, old: str, new: str) -> str:
    """Jinja2's `replace`, refused before the result would outgrow the limit."""
    whole = _printable(text)
    if len(whole) + whole.count(old) * max(0, len(new) - len(old)) > MAX_VALUE:
        raise TemplateTooCostlyError("a value in the template grew too long")
    return whole.replace(old, new)


def _concat(values: list[Any]) -> str:
    return "".join(_printable(value) for value in values)


def _turns(values: Any) -> Iterator[Any]:
    """A loop's items, each turn paid for."""
    for value in _checked(values):
        _budget.get().step()
        yield value


def _range(*numbers: int) -> range:
    wanted = range(*numbers)
    if len(wanted) > MAX_STEPS:
        raise TemplateTooCostlyError("the range in the template is too long")
    return wanted


class _Confined(NodeTransformer):
    """Refuses what is not allowed, and puts the budget into what is."""

    def __init__(self) -> None:
        self._seen = 0

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        self._seen += 1
        if not isinstance(node, _ALLOWED) or self._seen > _MAX_NODES:
            what = "it is too long" if isinstance(node, _ALLOWED) else f"'{type(node).__name__.lower()}' is not allowed"
            raise TemplateSyntaxError(what, node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # the name Jinja2's visitor looks for
        if node.recursive:
            raise TemplateSyntaxError("a recursive loop is not allowed", node.lineno)
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "loop turns", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "concat", [], [], None, None, lineno=node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        return self._constants(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        return self.generic_visit(node) if node.ctx == "store" else self._constants(node)

    def _constants(self, node: nodes.List | nodes.Tuple) -> nodes.Node:
        if any(not isinstance(item, nodes.Const) for item in node.items):
            raise TemplateSyntaxError("a list in a template holds words and numbers only", node.lineno)
        return self.generic_visit(node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        called = node.node
        named = isinstance(called, nodes.Name) and called.name == "range"
        method = isinstance(called, nodes.Getattr) and called.attr in _METHODS
        if not (named or method) or node.dyn_args or node.dyn_kwargs:
            name = getattr(called, "name", None) or getattr(called, "attr", "this")
            raise TemplateSyntaxError(f"{name}() may not be called", node.lineno)
        return self.generic_visit(node)


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox with everything countable counted."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        # Not optimized: constant folding would run filters at load, before any budget exists.
        super().__init__(undefined=ChainableUndefined, optimized=False, finalize=_printable, autoescape=False)
        own = {"join": _join, "replace": _replace}
        self.filters = {name: _counted(name, own.get(name, FILTERS[name])) for name in _FILTERS}
        self.filters |= {"loop turns": _turns, "concat": _counted("concat", _concat)}
        self.tests = {name: self.tests[name] for name in _TESTS}
        self.globals = {"range": _range}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _budget.get().step()
        both = (left, right)
        if operator == "+" and all(isinstance(value, str) for value in both):
            return _checked(left + right)
        if not all(isinstance(value, (int, float)) for value in both):
            raise TemplateError(f"'{operator}' is for numbers (and '+' for two texts)")
        return _checked(super().call_binop(context, operator, *map(_checked, both)))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        _budget.get().step()
        for value in (getattr(obj, "__self__", None), *args, *kwargs.values()):
            _checked(value)
        result = super().call(context, obj, *args, **kwargs)
        return result if isinstance(result, range) else _checked(result)


class TextTemplate:
    """One text with placeholders, checked when it is made and bounded when it is rendered.

    Raises jinja2.TemplateSyntaxError (with `lineno` inside the text) when made from a text that is broken,
    uses an unknown variable or does what is not allowed.
    """

    __slots__ = ("_constant", "_template")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"the text is longer than {MAX_SOURCE} characters", 1)
        self._constant = None if "{{" in source or "{%" in source or "{#" in source else source
        if self._constant is not None:
            return
        try:
            tree = _ENVIRONMENT.parse(source)
        except RecursionError:
            raise TemplateSyntaxError("it is nested too deeply", 1) from None
        _Confined().visit(tree)
        unknown = meta.find_undeclared_variables(tree) - VARIABLES - {"range"}
        if unknown:
            known = ", ".join(sorted(VARIABLES))
            raise TemplateSyntaxError(
                f"unknown variable '{min(unknown)}' (known: {known})", _line_of(tree, min(unknown))
            )
        try:
            code = _ENVIRONMENT.compile(tree)
        except (SyntaxError, RecursionError, ValueError):
            raise TemplateSyntaxError("it is nested too deeply", 1) from None
        self._template = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))

    def render(self, variables: Mapping[str, Any], budget: Budget) -> str:
        """The text with its placeholders filled, at most MAX_VALUE characters.

        Raises jinja2.TemplateError when something in it fails or costs too much.
        """
        if self._constant is not None:
            return self._constant
        token = _budget.set(budget)
        try:
            pieces: list[str] = []
            room = MAX_VALUE
            for piece in self._template.generate(variables):
                budget.step()
                room -= len(piece)
                if room < 0:
                    raise TemplateTooCostlyError("the reply grew too long")
                pieces.append(piece)
            return "".join(pieces)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise TemplateError(f"{type(error).__name__} in the template") from error
        finally:
            _budget.reset(token)


def _line_of(tree: nodes.Template, name: str) -> int:
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)


_ENVIRONMENT = _Environment()
