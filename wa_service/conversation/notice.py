"""How this room tells operators what they should know, without knowing how they log."""

from collections.abc import Callable

Notice = Callable[..., object]
"""Called as `notice("what_happened", fact=…)`: a structlog logger's `warning`; nothing personal in it."""


def say_nothing(event: str, **facts: object) -> None:
    """The notice of those who do not listen."""
