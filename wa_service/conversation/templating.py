"""Sandboxed Jinja2 with bounded time and memory.

Jinja2's own sandbox restricts attributes, not time or memory (`'a' * 10**9`). So a template may use the constructs of
`_ALLOWED` only: no loops, no macros, no calls but a few harmless methods. Each step then runs once, and no input or
output of a filter or operator may exceed `MAX_VALUE` characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import Template as DollarTemplate
from typing import Any, Literal

from jinja2 import ChainableUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import TemplateError, UndefinedError
from jinja2.filters import FILTERS, do_round
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

VARIABLES = frozenset({"text", "name", "intent", "contact", "message", "messages", "only_language"})
MAX_SOURCE = 8_192
"""Most characters of one template."""
MAX_VALUE = 16_384
"""Most characters of any intermediate string, and most items of any list."""

_MAX_NUMBER = 10**15
_MAX_PRECISION = 15
_MAX_NODES = 1_000
_MAX_LINES = 100

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
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Name, nodes.Const, nodes.List, nodes.Tuple,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Keyword, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Call, nodes.Concat, nodes.Add, nodes.Sub,
    nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
)  # fmt: skip


class TemplateTooLongError(TemplateError):
    """A value in a template, or its output, is too long for a reply."""


class TextTemplate:
    """One text with placeholders, checked when it is created and bounded when it is rendered.

    Raises jinja2.TemplateSyntaxError (with `lineno` inside the text) for a text that is invalid, or uses an unknown
    variable or a construct that is not allowed.
    """

    __slots__ = ("_constant", "_template", "source")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"the text is longer than {MAX_SOURCE} characters", 1)
        self.source = source
        try:
            tree = _ENVIRONMENT.parse(source)
            _check(tree)
            code = _ENVIRONMENT.compile(_FieldsFirst().visit(tree))
        except (SyntaxError, RecursionError, ValueError):
            raise TemplateSyntaxError("it is nested too deeply", 1) from None
        self._template = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))
        # Most texts of a message object have no placeholder: Jinja2 takes 20 µs to return such a one.
        self._constant = None if _has_placeholders(tree) else self._template.render()

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text with its placeholders filled, at most MAX_VALUE characters.

        Raises jinja2.TemplateError when something in it fails or grows too long.
        """
        if self._constant is not None:
            return self._constant
        try:
            return str(_capped(self._template.render(variables)))
        except UndefinedError as error:  # its text quotes a key, which may be what the customer wrote
            raise TemplateError("a part of the message that the template compares or computes is missing") from error
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise TemplateError(f"{type(error).__name__} in the template") from error


class _FieldsFirst(NodeTransformer):
    """Read `a.b` as `a["b"]`, unless it is called: a form may have a field `values` or `items`, as a mapping has."""

    def visit_Call(self, node: nodes.Call) -> nodes.Call:  # noqa: N802 - named by Jinja2
        method = node.node
        self.generic_visit(node)
        node.node = method
        return node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Getitem:  # noqa: N802 - named by Jinja2
        self.generic_visit(node)
        return nodes.Getitem(
            node.node, nodes.Const(node.attr), node.ctx, lineno=node.lineno, environment=node.environment
        )


def _has_placeholders(tree: nodes.Template) -> bool:
    plain = (nodes.Output, nodes.TemplateData)
    return not all(isinstance(node, plain) for node in tree.find_all(nodes.Node))


def _check(tree: nodes.Template) -> None:
    """Raise jinja2.TemplateSyntaxError for constructs that are not allowed."""
    for count, node in enumerate(tree.find_all(nodes.Node)):
        if not isinstance(node, _ALLOWED):
            raise TemplateSyntaxError(f"'{type(node).__name__.lower()}' is not allowed", node.lineno)
        if count > _MAX_NODES:
            raise TemplateSyntaxError("it is too long", node.lineno)
        if isinstance(node, (nodes.List, nodes.Tuple)) and any(not isinstance(i, nodes.Const) for i in node.items):
            raise TemplateSyntaxError("a list in a template holds words and numbers only", node.lineno)
        if isinstance(node, nodes.Call):
            method = isinstance(node.node, nodes.Getattr) and node.node.attr in _METHODS
            if not method or node.dyn_args or node.dyn_kwargs:
                name = getattr(node.node, "name", None) or getattr(node.node, "attr", "this")
                raise TemplateSyntaxError(f"{name}() may not be called", node.lineno)
        # In a condition, Jinja2 itself reports an unknown filter or test only when that branch is rendered.
        if isinstance(node, nodes.Filter) and node.name not in _ENVIRONMENT.filters:
            raise TemplateSyntaxError(f"No filter named '{node.name}'.", node.lineno)
        if isinstance(node, nodes.Test) and node.name not in _ENVIRONMENT.tests:
            raise TemplateSyntaxError(f"No test named '{node.name}'.", node.lineno)
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            known = ", ".join(sorted(VARIABLES))
            raise TemplateSyntaxError(f"unknown variable '{node.name}' (known: {known})", node.lineno)


def _capped(value: Any) -> Any:
    """Return the value; raise TemplateTooLongError if it is too large."""
    if isinstance(value, (str, bytes, list, tuple, dict)):
        if len(value) > MAX_VALUE:
            raise TemplateTooLongError("a value in the template grew too long")
    elif isinstance(value, (int, float)) and abs(value) > _MAX_NUMBER:
        raise TemplateTooLongError("a number in the template grew too big")
    return value


def _printable(value: Any) -> str:
    """Return the output of `{{ … }}`: texts and numbers only, because a list or mapping may be huge."""
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, (str, int, float)):
        return str(_capped(value))
    raise TemplateError(f"a {type(value).__name__} cannot be printed: name the part of it that is wanted")


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter with its input and output capped."""

    def bounded(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _capped(value)
        result = function(*args, **kwargs)
        # `reverse` and `unique` return generators, whose length is unknown.
        return _capped(list(result) if isinstance(result, Iterator) else result)

    # By this attribute a filter asks Jinja2 for the environment or context.
    if hasattr(function, "jinja_pass_arg"):
        bounded.jinja_pass_arg = function.jinja_pass_arg  # type: ignore[attr-defined]  # as jinja2's own decorators do
    bounded.__name__ = f"bounded_{name}"
    return bounded


def _join(values: Any, separator: str = "") -> str:
    """Join words; raise before the result exceeds the limit, which Jinja2's `join` does not check."""
    parts = [_printable(value) for value in values]
    if sum(map(len, parts)) + len(parts) * len(str(separator)) > MAX_VALUE:
        raise TemplateTooLongError("a value in the template grew too long")
    return str(separator).join(parts)


def _replace(text: Any, old: str, new: str) -> str:
    """Replace; raise before the result exceeds the limit."""
    whole = _printable(text)
    if len(whole) + whole.count(old) * max(0, len(new) - len(old)) > MAX_VALUE:
        raise TemplateTooLongError("a value in the template grew too long")
    return whole.replace(old, new)


def _round(value: Any, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    """Round; refuse a precision beyond that of a number, since Jinja2 computes 10 to its power."""
    if abs(precision) > _MAX_PRECISION:
        raise TemplateTooLongError("a number in the template has too many digits")
    return do_round(value, precision, method)


def _lines(items: Any, form: str) -> str:
    """Return a line for each item of a list, in the given form: `"$quantity × $name"`."""
    if not isinstance(items, list):
        return ""
    template = DollarTemplate(form)
    lines = [
        template.safe_substitute({key: _printable(value) for key, value in item.items() if isinstance(value, _PLAIN)})
        for item in items[:_MAX_LINES]
        if isinstance(item, Mapping)
    ]
    return _join(lines, "\n")


_PLAIN = (str, int, float)


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox with values capped."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        # Not optimized: constant folding would run filters at load, before the checks.
        super().__init__(undefined=ChainableUndefined, optimized=False, finalize=_printable, autoescape=False)
        own: dict[str, Callable[..., Any]] = {"join": _join, "replace": _replace, "round": _round, "lines": _lines}
        self.filters = {name: _bounded(name, own.get(name) or FILTERS[name]) for name in (*_FILTERS, "lines")}
        self.tests = {name: self.tests[name] for name in _TESTS}
        self.globals = {}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _capped(left + right)
        if not all(isinstance(value, (int, float)) for value in (left, right)):
            raise TemplateError(f"'{operator}' is for numbers (and '+' for two texts)")
        return _capped(super().call_binop(context, operator, _capped(left), _capped(right)))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        for value in (getattr(obj, "__self__", None), *args, *kwargs.values()):
            _capped(value)
        return _capped(super().call(context, obj, *args, **kwargs))


_ENVIRONMENT = _Environment()
