"""All kinds of change. Import from here, so that every handler is registered."""

from engine.linux.ops.base import Op, apply

__all__ = ["Op", "apply"]
