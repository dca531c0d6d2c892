"""Values of `docker run` options, read as the docker command reads them, with its own words for what is wrong.

Source: docker/go-connections nat (ParsePortSpec), docker/cli opts. A range of ports is real, but not modelled.
"""

from __future__ import annotations

import re

from engine.docker.records import Publish
from engine.errors import EngineError, InputError, NotModelled
from engine.linux.addr import ip4, mac
from engine.say import Phrase, plain

ONE_PORT = Phrase(en="Publish the ports one by one.", ko="포트를 하나씩 공개하십시오.")


class BadOption(EngineError):
    """An option's value cannot be. `tool_text` is what the docker command prints."""

    def __init__(self, tool_text: str) -> None:
        super().__init__(plain(tool_text))
        self.tool_text = tool_text


def parse_publish(text: str) -> Publish:
    """`[IP:][HOST]:PORT[/PROTO]` or `PORT[/PROTO]`. Raises BadOption, NotModelled (IPv6, ranges, sctp)."""
    if text.startswith("["):
        raise NotModelled(f"--publish {text} (IPv6)")
    body, slash, proto = text.partition("/")
    proto = (proto if slash else "tcp").lower()
    if proto not in ("tcp", "udp", "sctp"):
        raise BadOption(f"invalid proto: {proto}")
    parts = body.rsplit(":", 2)
    if len(parts) == 3 and ":" in parts[0]:
        raise BadOption(f"invalid IP address: {parts[0]}")
    ip, host, port = ["", "", *parts][-3:]
    if ip:
        try:
            ip4(ip)
        except InputError:
            raise BadOption(f"invalid IP address: {ip}") from None
    if not port:
        raise BadOption("no port specified: " + text)
    for name, value in (("containerPort", port), ("hostPort", host)):
        if re.fullmatch(r"\d+-\d+", value):
            raise NotModelled(f"--publish {text}", ONE_PORT())
        if value and not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
            raise BadOption(f"invalid {name}: {value}")
    if proto == "sctp":
        raise NotModelled(f"--publish {text}")
    return Publish(
        port=int(port), host_port=int(host) if host else 0, host_ip=ip4(ip) if ip else 0, proto=proto
    )


def parse_env(text: str) -> tuple[str, str]:
    """`NAME=VALUE`; a bare NAME takes the caller's value, which in the lab is empty. Raises BadOption."""
    name, _, value = text.partition("=")
    if not name:
        raise BadOption(f"invalid environment variable: {text}")
    return name, value


def parse_add_host(text: str) -> tuple[str, str]:
    """`NAME:IP` or `NAME=IP`; the address may be host-gateway. Raises BadOption."""
    name, sep, ip = text.partition("=") if "=" in text else text.partition(":")
    if not sep or not name:
        raise BadOption(f'bad format for add-host: "{text}"')
    if ip != "host-gateway":
        try:
            ip4(ip)
        except InputError:
            raise BadOption(f'invalid IP address in add-host: "{ip}"') from None
    return name, ip


def parse_mac(text: str) -> int:
    """Raises BadOption."""
    try:
        return mac(text)
    except InputError:
        raise BadOption(f"invalid MAC address: {text}") from None


def parse_restart(text: str) -> str:
    """no, always, unless-stopped, on-failure[:N]. Raises BadOption."""
    policy, colon, count = text.partition(":")
    if policy not in ("no", "always", "unless-stopped", "on-failure"):
        raise BadOption(
            f"invalid restart policy: unknown policy '{policy}'; use one of 'no', 'always', 'on-failure', or "
            "'unless-stopped'"
        )
    if colon and not count.isdigit():
        raise BadOption("invalid restart policy format: maximum retry count must be an integer")
    if colon and policy != "on-failure":
        raise BadOption("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    return text
