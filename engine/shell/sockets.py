"""What a program's own kernel answers before a packet leaves: errno words, and a connect() that finds no way."""

from __future__ import annotations

from engine.shell.tool import Context

ERRNO = {
    "ECONNREFUSED": "Connection refused", "EHOSTUNREACH": "No route to host", "ENETUNREACH": "Network is unreachable",
    "ETIMEDOUT": "Connection timed out", "EACCES": "Permission denied", "EINVAL": "Invalid argument",
    "EMSGSIZE": "Message too long", "ENOPROTOOPT": "Protocol not available", "EPERM": "Operation not permitted",
    "EADDRINUSE": "Address already in use", "EADDRNOTAVAIL": "Cannot assign requested address",
    "EPIPE": "Broken pipe",
}  # fmt: skip
#: What the routing of a local sender answers for a route type (facts 10 section 1.5).
ROUTE_ERRNO = {
    "unreachable": "EHOSTUNREACH",
    "prohibit": "EACCES",
    "blackhole": "EINVAL",
    "broadcast": "EACCES",
}


def errno_text(name: str) -> str:
    """strerror(3)."""
    return ERRNO.get(name, name)


def connect_error(ctx: Context, dst: int, bound: str = "") -> str | None:
    """The errno of a connect() that routing refuses, None when there is a way. No packet is sent."""
    from engine.linux.walk import routing

    route = routing.find_route(ctx.net, ctx.ns, dst, oif=bound).route
    if route is None:
        return "ENETUNREACH"
    return ROUTE_ERRNO.get(route.type)
