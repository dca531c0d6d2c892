"""Changes as values: every change to a Net, whoever makes it, is a frozen Op given to `apply(net, op)`.

Rules. An op either happens whole or raises OpError and changes nothing. The error's `tool_text` is what the
real tool prints. An op can say the real command that does the same (`to_command`), which is how a lab is built
in the real kernel. New kinds register their handler with `@handles(Kind)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from engine.linux.net import Net
from engine.linux.trail import Trail
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """Base of all changes."""


O = TypeVar("O", bound=Op)  # noqa: E741
_HANDLERS: dict[type[Op], Callable[[Net, Any], None]] = {}


def handles(kind: type[O]) -> Callable[[Callable[[Net, O], None]], Callable[[Net, O], None]]:
    """Register the function that carries out one kind of op."""

    def register(function: Callable[[Net, O], None]) -> Callable[[Net, O], None]:
        if kind in _HANDLERS:
            raise ValueError(f"two handlers for {kind.__name__}")
        _HANDLERS[kind] = function
        return function

    return register


def apply(net: Net, op: Op) -> None:
    """Carry out one change. Raises OpError, and then nothing has changed."""
    handler = _HANDLERS.get(type(op))
    if handler is None:
        raise TypeError(f"no handler for {type(op).__name__}")
    handler(net, op)


class Changes:
    """Carries out ops on one Net and keeps their log. Controllers and commands get one of these."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.log: Trail[Op] = Trail()

    def do(self, op: Op) -> None:
        """Apply and log. Raises OpError."""
        apply(self.net, op)
        self.log.append(op)
