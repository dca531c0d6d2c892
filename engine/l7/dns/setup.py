"""Directives -> servers: every plugin's settings, read as CoreDNS reads them, with its own errors.

Theory. CoreDNS sets its plugins up in the order of plugin.cfg over all server blocks, and that is also their order in
the chain. Server blocks with the same port share a listener; a question goes to the block whose zone is the longest
suffix of its name.

Rules. A property that CoreDNS knows and this model lacks is NotModelled by name; one that it does not know is its own
error (`unknown property 'x'`). Files (resolv.conf, hosts) are read here, once, as the program does at its start.
Source: coredns core/dnsserver/register.go and each plugin's setup.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.errors import InputError, NotModelled
from engine.l7.behaviour import SIMPLER
from engine.l7.dns.cache import Cache
from engine.l7.dns.chain import Plugin
from engine.l7.dns.corefile import DIRECTIVES, Block, CorefileError, Directive, Row, parse
from engine.l7.dns.forward import Forward, Upstream
from engine.l7.dns.hosts import Hosts, read_hosts
from engine.l7.dns.kubernetes import Kubernetes
from engine.l7.dns.loop import Loop
from engine.l7.dns.observe import Errors, LoadBalance, Log
from engine.l7.dns.rewrite import RULES, NameRule, Rewrite, TypeRule
from engine.l7.dns.template import Template
from engine.linux.addr import ip4
from engine.record import dataclass

Read = Callable[[str], "str | None"]
SILENT = ("metadata",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One zone of a server block. `bind` are the addresses that it listens on, () = any."""

    zone: str
    port: int
    plugins: tuple[Plugin, ...]
    bind: tuple[int, ...] = ()
    block: int = 0

    def find(self, kind: type[Any]) -> Any:
        """The plugin of a kind in this block, None when it has none."""
        return next((p for p in self.plugins if isinstance(p, kind)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole running configuration. `health`, `ready`, `metrics` are ports, 0 = off, `health_at` the address of the
    first (0 = any); `reload` seconds, 0 = off."""

    servers: tuple[Server, ...]
    text: str
    health: int = 0
    health_at: int = 0
    lameduck: float = 0.0
    ready: int = 0
    metrics: int = 0
    reload: float = 0.0

    def listens(self) -> tuple[tuple[str, int, int], ...]:
        """(proto, port, address; 0 = any) of every socket."""
        out: dict[tuple[str, int, int], None] = {}
        for server in self.servers:
            for address in server.bind or (0,):
                out[("udp", server.port, address)] = None
                out[("tcp", server.port, address)] = None
        for port, address in ((self.health, self.health_at), (self.ready, 0), (self.metrics, 0)):
            if port:
                out[("tcp", port, address)] = None
        return tuple(out)


def fqdn(name: str) -> str:
    return name.lower().rstrip(".") + "."


def split_key(key: str) -> tuple[list[str], int]:
    """(zones, port) of a server block's key: `.:53`, `cluster.local`, `dns://.:1053`, `10.0.0.0/24`."""
    rest = key.partition("://")[2] or key
    if "://" in key and not key.startswith("dns://"):
        raise NotModelled(f"CoreDNS: {key}", SIMPLER())
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit():
        host, port = rest, "53"
    return zones_of(host or "."), int(port)


def zones_of(host: str) -> list[str]:
    """A zone's name, or the reverse zones of a prefix (plugin.Host.NormalizeExact)."""
    address, slash, length = host.partition("/")
    if slash and re.fullmatch(r"[\d.]+", address) and length.isdigit():
        try:
            number = ip4(address)
        except InputError:
            return [fqdn(host)]
        bits = int(length)
        whole = -(-bits // 8) * 8
        count = 1 << (whole - bits) if bits else 1
        labels = whole // 8
        out = []
        for i in range(count):
            base = number + (i << (32 - whole))
            parts = [str(base >> shift & 255) for shift in (24, 16, 8, 0)][:labels]
            out.append(".".join([*reversed(parts), "in-addr.arpa"]) + ".")
        return out
    return [fqdn(host)]


def load(text: str, file: str, read: Read) -> Config:
    """The running configuration of a Corefile. CorefileError with CoreDNS's words, NotModelled."""
    blocks = parse(text, file, read)
    setup = _Setup(file, read)
    zones: dict[tuple[str, int], None] = {}
    keyed: list[list[tuple[str, int]]] = []
    for block in blocks:
        rows = [(zone, port) for key in block.keys for names, port in [split_key(key)] for zone in names]
        keyed.append(rows)
    chains: dict[int, list[Plugin]] = {n: [] for n in range(len(blocks))}
    binds: dict[int, tuple[int, ...]] = {}
    for name in DIRECTIVES:
        for number, block in enumerate(blocks):
            found = [d for d in block.directives if d.name == name]
            if found:
                origins = tuple(zone for zone, _ in keyed[number])
                chains[number] += setup.plugin(name, found, origins, block)
                binds[number] = setup.bind or binds.get(number, ())
                setup.bind = ()
    servers = []
    for number in range(len(blocks)):
        for zone, port in keyed[number]:
            if (zone, port) in zones:
                raise CorefileError(f"cannot serve dns://{zone}:{port} - it is already defined")
            zones[zone, port] = None
            servers.append(
                Server(
                    zone=zone,
                    port=port,
                    plugins=tuple(chains[number]),
                    bind=binds.get(number, ()),
                    block=number,
                )
            )
    return Config(
        servers=tuple(servers), text=text, health=setup.health, health_at=setup.health_at, lameduck=setup.lameduck,
        ready=setup.ready, metrics=setup.metrics, reload=setup.reload,
    )  # fmt: skip


class _Setup:
    """One start of the program: sets up plugin after plugin."""

    def __init__(self, file: str, read: Read) -> None:
        self.file, self.read = file, read
        self.health = self.health_at = self.ready = self.metrics = 0
        self.lameduck = 0.0
        self.reload = 0.0
        self.bind: tuple[int, ...] = ()

    # ---- errors

    def parsing(self, line: int, text: str) -> str:
        return f"{self.file}:{line} - Error during parsing: {text}"

    def args_error(self, line: int, word: str) -> str:
        return self.parsing(line, f"Wrong argument count or unexpected line ending after '{word}'")

    def fail(self, plugin: str, text: str) -> CorefileError:
        return CorefileError(f"plugin/{plugin}: {text}")

    def wrong_args(self, plugin: str, row: Row | Directive) -> CorefileError:
        words = row.words if isinstance(row, Row) else (row.name, *row.args)
        return self.fail(plugin, self.args_error(row.line, words[-1]))

    def unknown(self, plugin: str, row: Row) -> CorefileError:
        return self.fail(plugin, self.parsing(row.line, f"unknown property '{row.words[0]}'"))

    def number(self, plugin: str, word: str) -> int:
        if not re.fullmatch(r"[+-]?\d+", word):
            raise self.fail(plugin, f'strconv.Atoi: parsing "{word}": invalid syntax')
        return int(word)

    def duration(self, plugin: str, word: str) -> float:
        """Go's time.ParseDuration: 30s, 1m30s, 500ms."""
        pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)", word)
        if word == "0":
            return 0.0
        if not pieces or "".join(a + b for a, b in pieces) != word.lstrip("+-"):
            unit = f'missing unit in duration "{word}"' if word.isdigit() else f'invalid duration "{word}"'
            raise self.fail(plugin, f"time: {unit}")
        units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
        total = sum(float(n) * units[u] for n, u in pieces)
        return -total if word.startswith("-") else total

    # ---- plugins

    def plugin(
        self, name: str, found: list[Directive], origins: tuple[str, ...], block: Block
    ) -> list[Plugin]:
        if name == "forward":
            return [self.forward(d) for d in found]
        make = getattr(self, f"_{name}", None)
        if make is None:
            raise NotModelled(f"CoreDNS: plugin {name}", SIMPLER())
        if len(found) > 1 and name not in ("rewrite", "log", "template"):
            raise self.fail(name, "this plugin can only be used once per Server Block")
        if name in ("rewrite", "log", "template"):
            made: list[Plugin] = make(found, origins)
            return made
        one = make(found[0], origins)
        return [one] if one is not None else []

    def _port(self, plugin: str, d: Directive, default: int) -> int:
        if len(d.args) > 1:
            raise self.wrong_args(plugin, d)
        port = d.args[0].rpartition(":")[2] if d.args else str(default)
        return self.number(plugin, port)

    def _metadata(self, d: Directive, origins: tuple[str, ...]) -> None:
        return None

    def _debug(self, d: Directive, origins: tuple[str, ...]) -> None:
        return None

    def _reload(self, d: Directive, origins: tuple[str, ...]) -> None:
        self.reload = self.duration("reload", d.args[0]) if d.args else 30.0
        if self.reload < 2.0:
            self.reload = 2.0

    def _bind(self, d: Directive, origins: tuple[str, ...]) -> None:
        if not d.args:
            raise self.fail("bind", "at least one address or interface name is expected")
        if d.rows:
            raise NotModelled("CoreDNS: bind { except }", SIMPLER())
        try:
            self.bind = tuple(ip4(a) for a in d.args)
        except InputError:
            raise NotModelled(f"CoreDNS: bind {' '.join(d.args)}", SIMPLER()) from None

    def _ready(self, d: Directive, origins: tuple[str, ...]) -> None:
        self.ready = self._port("ready", d, 8181)

    def _health(self, d: Directive, origins: tuple[str, ...]) -> None:
        self.health = self._port("health", d, 8080)
        host = d.args[0].rpartition(":")[0] if d.args else ""
        try:
            self.health_at = ip4(host) if host else 0
        except InputError:
            raise NotModelled(f"CoreDNS: health {host}", SIMPLER()) from None
        for row in d.rows:
            if row.words[0] != "lameduck":
                raise self.fail("health", self.args_error(row.line, row.words[0]))
            if len(row.words) != 2:
                raise self.wrong_args("health", row)
            self.lameduck = self.duration("health", row.words[1])

    def _prometheus(self, d: Directive, origins: tuple[str, ...]) -> None:
        self.metrics = self._port("prometheus", d, 9153)

    def _errors(self, d: Directive, origins: tuple[str, ...]) -> Errors:
        if d.args:
            raise self.wrong_args("errors", d)
        if d.rows:
            raise NotModelled(f"CoreDNS: errors {d.rows[0].words[0]}", SIMPLER())
        return Errors()

    def _log(self, found: list[Directive], origins: tuple[str, ...]) -> list[Plugin]:
        scopes: list[str] = []
        classes: tuple[str, ...] = ("all",)
        for d in found:
            if any("{" in a for a in d.args):
                raise NotModelled("CoreDNS: log FORMAT", SIMPLER())
            scopes += [fqdn(a) for a in d.args] or ["."]
            for row in d.rows:
                if row.words[0] != "class":
                    raise self.fail("log", self.args_error(row.line, row.words[0]))
                known = ("success", "denial", "error", "all")
                if bad := [w for w in row.words[1:] if w not in known]:
                    raise self.fail("log", f"invalid Class: {bad[0]}")
                classes = row.words[1:]
        return [Log(scopes=tuple(scopes), classes=classes)]

    def _loadbalance(self, d: Directive, origins: tuple[str, ...]) -> LoadBalance:
        if d.args and d.args[0] != "round_robin":
            if d.args[0] == "weighted":
                raise NotModelled("CoreDNS: loadbalance weighted", SIMPLER())
            raise self.fail("loadbalance", f"unknown policy: {d.args[0]}")
        return LoadBalance()

    def _rewrite(self, found: list[Directive], origins: tuple[str, ...]) -> list[Plugin]:
        rules = []
        for d in found:
            words = list(d.args)
            for row in d.rows:
                words += row.words
            rules.append(self._rule(words))
        return [Rewrite(rules=tuple(rules))]

    def _rule(self, words: list[str]) -> NameRule | TypeRule:
        mode = words.pop(0) if words[:1] in (["stop"], ["continue"]) else "stop"
        if not words:
            raise self.fail("rewrite", "no rule type specified for rewrite")
        kind = words.pop(0)
        if kind == "type":
            if len(words) != 2:
                raise self.fail("rewrite", "type rules must have exactly two arguments")
            return TypeRule(old=words[0].upper(), new=words[1].upper(), stop=mode == "stop")
        if kind != "name":
            if kind in ("class", "edns0", "ttl", "cname", "rcode"):
                raise NotModelled(f"CoreDNS: rewrite {kind}", SIMPLER())
            raise self.fail("rewrite", f"invalid rule type {kind!r}".replace("'", '"'))
        if len(words) < 2:
            raise self.fail("rewrite", "too few arguments for a name rule")
        match = "exact"
        if len(words) == 2:
            old, new, rest = words[0], words[1], []
        else:
            match, old, new, rest = words[0].lower(), words[1], words[2], words[3:]
        if match not in RULES:
            text = "name rule supports only exact, prefix, suffix, substring, and regex name matching, received: "
            raise self.fail("rewrite", text + match)
        answer = self._answers(rest)
        if match == "regex":
            try:
                re.compile(old)
            except re.error:
                raise self.fail("rewrite", f"invalid regex matching pattern: {old}") from None
        # plugin.Name.Normalize: every name but a pattern gets its dot, parts of names as well
        old, new = old if match == "regex" else fqdn(old), fqdn(new)
        return NameRule(match=match, old=old, new=new, stop=mode == "stop", answer=answer)

    def _answers(self, rest: list[str]) -> tuple[tuple[str, str, str], ...]:
        out = []
        while rest:
            if rest[0] != "answer" or len(rest) < 2:
                raise self.fail("rewrite", "exceeded the number of arguments for a non-answer rule argument")
            if rest[1] == "auto":
                out.append(("auto", "", ""))
                rest = rest[2:]
                continue
            if rest[1] not in ("name", "value") or len(rest) < 4:
                raise self.fail("rewrite", f'invalid type "{rest[1]}" for answer rule')
            out.append((rest[1], rest[2], fqdn(rest[3])))
            rest = rest[4:]
        return tuple(out)

    def _cache(self, d: Directive, origins: tuple[str, ...]) -> Cache:
        args = list(d.args)
        settings: dict[str, Any] = {}
        if args and re.fullmatch(r"-?\d+", args[0]):
            ttl = int(args.pop(0))
            if ttl <= 0:
                raise self.fail("cache", f"cache TTL can not be zero or negative: {ttl}")
            settings |= {"success_ttl": ttl, "denial_ttl": ttl}
        for row in d.rows:
            self._cache_row(row, settings, origins)
        return Cache(zones=tuple(fqdn(a) for a in args) or origins, **settings)

    def _cache_row(self, row: Row, settings: dict[str, Any], origins: tuple[str, ...]) -> None:
        word, rest = row.words[0], row.words[1:]
        if word in ("success", "denial"):
            if not rest:
                raise self.wrong_args("cache", row)
            numbers = [self.number("cache", w) for w in rest]
            settings[f"{word}_size"] = numbers[0]
            if len(numbers) > 1:
                if numbers[1] <= 0:
                    raise self.fail("cache", f"cache TTL can not be zero or negative: {numbers[1]}")
                settings[f"{word}_ttl"] = numbers[1]
            if len(numbers) > 2:
                settings[f"{word}_min"] = numbers[2]
        elif word == "disable":
            if not rest:
                raise self.wrong_args("cache", row)
            if rest[0] not in ("success", "denial"):
                raise self.fail("cache", f'cache type for disable must be "success" or "denial": {rest[0]}')
            settings[f"no_{rest[0]}"] = tuple(fqdn(z) for z in rest[1:]) or origins
        elif word == "servfail":
            if len(rest) != 1:
                raise self.wrong_args("cache", row)
            settings["servfail_ttl"] = self.duration("cache", rest[0])
        elif word == "keepttl":
            settings["keep_ttl"] = True
        elif word in ("prefetch", "serve_stale", "serve_stale_policy"):
            raise NotModelled(f"CoreDNS: cache {word}", SIMPLER())
        else:
            raise self.wrong_args("cache", row)

    def _template(self, found: list[Directive], origins: tuple[str, ...]) -> list[Plugin]:
        out: list[Plugin] = []
        for d in found:
            if len(d.args) < 2:
                raise self.wrong_args("template", d)
            answers: list[str] = []
            patterns: list[str] = []
            rcode, fall = "NOERROR", None
            for row in d.rows:
                word, rest = row.words[0], row.words[1:]
                if word == "match":
                    patterns += rest
                elif word == "answer":
                    answers += rest
                elif word == "rcode":
                    rcode = rest[0].upper() if rest else ""
                elif word == "fallthrough":
                    fall = tuple(fqdn(z) for z in rest) or (".",)
                elif word in ("authority", "additional", "upstream", "ederror", "meta"):
                    raise NotModelled(f"CoreDNS: template {word}", SIMPLER())
                else:
                    raise self.fail("template", self.args_error(row.line, word))
            if any("{{" in a and not re.fullmatch(r"(?:[^{]|\{\{ ?\.Name ?\}\})*", a) for a in answers):
                raise NotModelled("CoreDNS: template with more than {{ .Name }}", SIMPLER())
            zones = tuple(fqdn(z) for z in d.args[2:]) or origins
            out.append(
                Template(
                    type=d.args[1].upper(),
                    zones=zones,
                    patterns=tuple(patterns) or (".*",),
                    answers=tuple(answers),
                    rcode=rcode,
                    fall=fall,
                )
            )
        return out

    def _hosts(self, d: Directive, origins: tuple[str, ...]) -> Hosts:
        args = list(d.args)
        path = args.pop(0) if args else "/etc/hosts"
        inline: list[str] = []
        fall: tuple[str, ...] | None = None
        ttl, reverse = 3600, True
        for row in d.rows:
            word, rest = row.words[0], row.words[1:]
            if word == "fallthrough":
                fall = tuple(fqdn(z) for z in rest) or (".",)
            elif word == "no_reverse":
                reverse = False
            elif word == "ttl":
                if not rest:
                    raise self.fail("hosts", self.parsing(row.line, "ttl needs a time in second"))
                if not rest[0].isdigit():
                    raise self.fail("hosts", self.parsing(row.line, "ttl needs a number of second"))
                ttl = int(rest[0])
                if not 0 < ttl <= 65535:
                    raise self.fail("hosts", self.parsing(row.line, "ttl provided is invalid"))
            elif word == "reload":
                self.duration("hosts", rest[0] if rest else "")
            elif fall is None:
                inline.append(" ".join(row.words))
            else:
                raise self.unknown("hosts", row)
        rows = read_hosts((self.read(path) or "") + "\n" + "\n".join(inline))
        zones = tuple(fqdn(a) for a in args) or origins
        return Hosts(zones=zones, rows=rows, fall=fall, ttl=ttl, reverse=reverse)

    def _kubernetes(self, d: Directive, origins: tuple[str, ...]) -> Kubernetes:
        zones = tuple(z for a in d.args for z in zones_of(a)) or origins
        primary = next((z for z in zones if not z.endswith(("in-addr.arpa.", "ip6.arpa."))), None)
        if primary is None:
            raise self.fail("kubernetes", "non-reverse zone name must be used")
        settings: dict[str, Any] = {}
        for row in d.rows:
            self._kubernetes_row(row, settings)
        return Kubernetes(zones=zones, primary=primary, **settings)

    def _kubernetes_row(self, row: Row, settings: dict[str, Any]) -> None:
        name = "kubernetes"
        word, rest = row.words[0], row.words[1:]
        flags = {"endpoint_pod_names": "pod_names", "noendpoints": "no_endpoints"}
        if word in flags:
            if rest:
                raise self.wrong_args(name, row)
            settings[flags[word]] = True
        elif word == "pods":
            if len(rest) != 1:
                raise self.wrong_args(name, row)
            if rest[0] not in ("disabled", "insecure", "verified"):
                text = f"wrong value for pods: {rest[0]},  must be one of: disabled, verified, insecure"
                raise self.fail(name, text)
            settings["pods"] = rest[0]
        elif word == "namespaces":
            if not rest:
                raise self.wrong_args(name, row)
            settings["namespaces"] = rest
        elif word == "fallthrough":
            settings["fall"] = tuple(fqdn(z) for z in rest) or (".",)
        elif word == "ttl":
            if not rest:
                raise self.wrong_args(name, row)
            ttl = self.number(name, rest[0])
            if not 0 <= ttl <= 3600:
                raise self.fail(name, self.parsing(row.line, f"ttl must be in range [0, 3600]: {ttl}"))
            settings["ttl"] = ttl
        elif word == "endpoint":
            if not rest:
                raise self.wrong_args(name, row)
            settings["api"] = rest[0]
        elif word == "ignore" and rest:
            if rest[0] != "empty_service":
                raise self.fail(name, f"unable to parse ignore value: '{rest[0]}'")
            settings["ignore_empty"] = True
        elif word == "startup_timeout":
            self.duration(name, rest[0] if rest else "")
        elif word in ("tls", "apiserver_qps", "apiserver_burst", "apiserver_max_inflight"):
            if not rest:
                raise self.wrong_args(name, row)
        elif word in ("labels", "namespace_labels", "kubeconfig", "multicluster", "zonal"):
            raise NotModelled(f"CoreDNS: kubernetes {word}", SIMPLER())
        else:
            raise self.unknown(name, row)

    def _loop(self, d: Directive, origins: tuple[str, ...]) -> Loop:
        if d.args:
            raise self.wrong_args("loop", d)
        return Loop(zone=origins[0] if origins else ".")

    def forward(self, d: Directive) -> Forward:
        name = "forward"
        if len(d.args) < 2:
            raise self.wrong_args(name, d)
        settings: dict[str, Any] = {}
        for row in d.rows:
            self._forward_row(row, settings)
        to: list[Upstream] = []
        for word in d.args[1:]:
            to += self._upstreams(word)
        if not to:
            raise self.fail(name, "no valid upstream addresses found")
        if len(to) > 15:
            raise self.fail(name, f"more than 15 TOs configured: {len(to)}")
        return Forward(zone=zones_of(d.args[0])[0], to=tuple(dict.fromkeys(to)), **settings)

    def _upstreams(self, word: str) -> list[Upstream]:
        rest = word.removeprefix("dns://")
        if "://" in rest:
            raise NotModelled(f"CoreDNS: forward to {word}", SIMPLER())
        host, colon, port = rest.rpartition(":")
        if not (colon and port.isdigit()):
            host, port = rest, "53"
        try:
            return [Upstream(ip4(host), int(port))]
        except InputError:
            pass
        text = self.read(rest)
        if text is None:
            raise self.fail("forward", f'not an IP address or file: "{rest}"')
        servers = [
            w[1] for line in text.splitlines() if (w := line.split())[:1] == ["nameserver"] and len(w) > 1
        ]
        found = []
        for server in servers:
            try:
                found.append(Upstream(ip4(server), 53))
            except InputError:
                continue
        if not found:
            raise self.fail("forward", "no nameservers found")
        return found

    def _forward_row(self, row: Row, settings: dict[str, Any]) -> None:
        name = "forward"
        word, rest = row.words[0], row.words[1:]
        if word in ("force_tcp", "prefer_udp"):
            if rest:
                raise self.wrong_args(name, row)
            settings[word] = True
        elif word in ("tls", "tls_servername", "next", "failover", "doh_method", "resolver"):
            raise NotModelled(f"CoreDNS: forward {word}", SIMPLER())
        elif not rest:
            raise self.wrong_args(name, row) if word in FORWARD_WORDS else self.unknown(name, row)
        elif word == "except":
            settings["ignored"] = tuple(z for w in rest for z in zones_of(w))
        elif word == "max_fails":
            settings["max_fails"] = self.number(name, rest[0])
        elif word == "max_concurrent":
            count = self.number(name, rest[0])
            if count < 0:
                raise self.fail(name, f"max_concurrent can't be negative: {count}")
            settings["max_concurrent"] = count
        elif word == "policy":
            if rest[0] not in ("random", "round_robin", "sequential"):
                raise self.fail(name, self.parsing(row.line, f"unknown policy '{rest[0]}'"))
            settings["policy"] = rest[0]
        elif word == "health_check":
            settings["health_check"] = self.duration(name, rest[0])
        elif word == "read_timeout":
            settings["read_timeout"] = self.duration(name, rest[0])
        elif word in FORWARD_WORDS:
            return
        else:
            raise self.unknown(name, row)


#: properties of forward that need a value; those without effect here are checked and kept out
FORWARD_WORDS = (
    "except", "max_fails", "max_concurrent", "policy", "health_check", "read_timeout", "expire", "max_age",
    "max_idle_conns", "max_connect_attempts", "failfast_all_unhealthy_upstreams",
)  # fmt: skip
