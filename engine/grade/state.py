"""Words of `state`: what must be (or must not be) there now, beside what packets do.

Rules. One table, WORDS: a word has keys that it needs and keys that it may have; `holds` asks the world. A lesson
that needs more gets a new word here, with a test and a line in docs/authoring.md, never code of its own. Every
word takes `present: false`. A place that is gone holds nothing: then only `present: false` is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from engine.errors import EngineError
from engine.lab.lab import Lab
from engine.lab.places import find, normal
from engine.lab.reader import A_TEXT, Node
from engine.linux.addr import Prefix, text4
from engine.linux.fib import Route
from engine.linux.net import Netns
from engine.linux.packet import Proto
from engine.linux.rows import Box, Proc
from engine.linux.walk.timers import catch_up
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.files import Files
from engine.shell.place import resolve
from engine.shell.shell import Shell, first_session

MUST = Phrase(en="must hold, and does not: {what}", ko="다음이 성립해야 하는데 그렇지 않습니다: {what}")
MUST_NOT = Phrase(en="must not be there, and is: {what}", ko="다음은 없어야 하는데 있습니다: {what}")

PROTO_NUMBERS: Final = {"tcp": Proto.TCP, "udp": Proto.UDP, "icmp": Proto.ICMP}


@dataclass(frozen=True, slots=True)
class State:
    """One wish. `values` are its keys, checked; `shown` is how the file writes it."""

    word: str
    values: dict[str, Any]
    present: bool
    shown: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Here:
    """Where a wish looks: the lab, the namespace of `on`, its machine."""

    lab: Lab
    ns: Netns
    box: Box
    on: str


@dataclass(frozen=True, slots=True)
class Word:
    """A row of the table. `holds(lab, values)` is asked of the world as it is now."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    holds: Callable[[Lab, dict[str, Any]], bool]


def _like(node: Node) -> str | None:
    pattern = node.pattern()
    return pattern.pattern if pattern is not None else None


def _prefix(node: Node) -> Prefix | None:
    return Prefix(0, 0) if node.value == "default" else node.prefix()


def _plain(node: Node) -> str | None:
    """A text, or a number written without quotes."""
    value = node.value
    return (
        str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else node.text(empty=True)
    )


#: what each key of a word holds; a word may differ (WORD.key)
ASK: Final[dict[str, Callable[[Node], Any]]] = {
    "on": Node.text, "name": Node.text, "up": Node.truth, "mtu": lambda n: n.number(0, 65536), "kind": Node.text,
    "master": lambda n: n.text(empty=True), "hairpin": Node.truth, "address": lambda n: n.prefix(host_bits=True),
    "dev": Node.text, "to": _prefix, "via": Node.address, "type": Node.text, "state": Node.text, "mac": Node.mac,
    "table": Node.text, "chain": Node.text, "like": _like, "is": Node.text, "key": Node.text, "value": _plain,
    "path": Node.text, "contains": _like, "run": Node.text, "port": lambda n: n.number(1, 65535),
    "proto": lambda n: n.word(*PROTO_NUMBERS),
    "src": Node.address, "dst": Node.address, "dport": lambda n: n.number(1, 65535), "natted": Node.truth,
    "running": Node.truth, "network": Node.text, "image": Node.text, "phase": Node.text, "ready": Node.truth,
    "node": Node.text, "restarts": lambda n: n.number(0, 10000), "namespace": Node.text, "about": Node.text,
    "reason": Node.text,
}  # fmt: skip


def read_state(node: Node) -> State | None:
    """`{link: {on: ..., name: ...}}` -> State; problems for what is wrong."""
    f = node.fields(*WORDS)
    if not isinstance(node.value, dict) or len(node.value) != 1:
        if isinstance(node.value, dict):
            node.wrong(ONE_WORD(words=", ".join(WORDS)))
        return None
    name = next(iter(node.value))
    word, inner = WORDS.get(name), f.node(name)
    if word is None or inner is None:
        return None
    g = inner.fields(*word.needs, *word.may, "present")
    values: dict[str, Any] = {}
    for key in (*word.needs, *word.may):
        one = g.need(key, A_TEXT()) if key in word.needs else g.node(key)
        if one is not None and (found := ASK[key](one)) is not None:
            values[key] = found
    if any(key not in values for key in word.needs):
        return None
    shown = " ".join(f"{k}: {v}" for k, v in inner.value.items() if k != "present")
    return State(name, values, g.truth("present", True), f"{name} {{{shown}}}", node.where)


ONE_WORD = Phrase(
    en="a state is one word with its keys; words: {words}",
    ko="state는 낱말 하나와 그 키입니다. 낱말: {words}",
)


def holds(lab: Lab, state: State) -> bool:
    """Is the wish fulfilled now?"""
    try:
        there = WORDS[state.word].holds(lab, state.values)
    except EngineError:
        there = False
    return there == state.present


# ---- the words


def _here(lab: Lab, on: str) -> Here:
    end = find(lab.world, on)
    ns = lab.world.net.spaces[end.netns]
    return Here(lab, ns, lab.world.net.boxes[ns.box], on)


def _link(lab: Lab, v: dict[str, Any]) -> bool:
    ns = _here(lab, v["on"]).ns
    link = ns.link(v["name"])
    if link is None:
        return False
    master = ns.links[link.master].name if link.master else ""
    now = {"up": link.up, "mtu": link.mtu, "kind": link.kind, "master": master, "hairpin": link.hairpin}
    return all(now[k] == v[k] for k in now if k in v)


def _address(lab: Lab, v: dict[str, Any]) -> bool:
    ns = _here(lab, v["on"]).ns
    want: Prefix = v["address"]
    for rows in ns.addresses.values():
        for a in rows:
            fits = a.addr == want.addr and (want.length in (32, a.length))
            if fits and v.get("dev", ns.links[a.ifindex].name) == ns.links[a.ifindex].name:
                return True
    return False


def _route(lab: Lab, v: dict[str, Any]) -> bool:
    ns = _here(lab, v["on"]).ns

    def fits(route: Route) -> bool:
        device = ns.links[route.oif].name if route.oif in ns.links else ""
        now = {"to": route.dst, "via": route.gateway, "dev": device, "type": route.type}
        return all(now[k] == v[k] for k in now if k in v)

    return any(
        fits(r)
        for table in ns.tables.values()
        for r in table.routes()
        if r.type not in ("local", "broadcast")
    )


def _neighbour(lab: Lab, v: dict[str, Any]) -> bool:
    ns = _here(lab, v["on"]).ns
    catch_up(lab.world.net, ns)
    return any(
        n.ip == v["address"].addr and v.get("state", n.state) == n.state and v.get("mac", n.mac) == n.mac
        for n in ns.neighbours.values()
    )


def _printed(lab: Lab, on: str, line: str) -> list[str]:
    """The rows that a tool of the machine prints in the namespace of `on`, on a copy."""
    copy = lab.world.copy()
    here = _here(lab, on)
    from engine.shell.place import machine

    spot = machine(copy.net.boxes[here.box.name])
    shell = Shell(copy, spot.name)
    shell.stack[0] = first_session(spot.moved(here.ns.id))
    return shell.run(line).stdout.splitlines()


def _rule(lab: Lab, v: dict[str, Any]) -> bool:
    rows = _printed(lab, v["on"], f"iptables -t {v['table']} -S {v['chain']}")
    return any(r.startswith("-A ") and re.search(v["like"], r) for r in rows)


def _policy(lab: Lab, v: dict[str, Any]) -> bool:
    chain = _here(lab, v["on"]).ns.xt.chain(v.get("table", "filter"), v["chain"])
    return bool((chain.policy if chain is not None else "ACCEPT") == v["is"])


def _sysctl(lab: Lab, v: dict[str, Any]) -> bool:
    try:
        return _here(lab, v["on"]).ns.sysctl(v["key"]).split() == str(v["value"]).split()
    except KeyError:
        return False


def _file(lab: Lab, v: dict[str, Any]) -> bool:
    files = Files(lab.world, resolve(lab.world, v["on"]))
    if not files.kind(v["path"]):
        return False
    if "contains" not in v:
        return True
    return re.search(v["contains"], files.read(v["path"]), re.MULTILINE) is not None


def _procs(here: Here) -> list[Proc]:
    """The machine's processes, or those of one namespace."""
    procs = here.box.procs.values()
    return [p for p in procs if here.ns.id == here.box.name or p.netns == here.ns.id]


def _process(lab: Lab, v: dict[str, Any]) -> bool:
    name = v["name"]
    return any(name in (p.comm, (p.args or ("",))[0].rsplit("/", 1)[-1]) for p in _procs(_here(lab, v["on"])))


def _listen(lab: Lab, v: dict[str, Any]) -> bool:
    want = v["address"].addr if "address" in v else None
    return any(
        s.port == v["port"] and s.proto == v.get("proto", "tcp") and want in (None, s.addr)
        for s in _here(lab, v["on"]).ns.sockets
    )


def _netns(lab: Lab, v: dict[str, Any]) -> bool:
    return v["name"] in _here(lab, v["on"]).box.netns_names


def _conntrack(lab: Lab, v: dict[str, Any]) -> bool:
    ns = _here(lab, v["on"]).ns
    for entry in ns.conntrack.entries.values():
        now = {
            "src": entry.orig.src,
            "dst": entry.orig.dst,
            "dport": entry.orig.dport,
            "natted": entry.natted,
        }
        proto = PROTO_NUMBERS.get(v.get("proto", ""), entry.orig.proto)
        if entry.orig.proto == proto and all(now[k] == v[k] for k in now if k in v):
            return True
    return False


def _container(lab: Lab, v: dict[str, Any]) -> bool:
    here = _here(lab, v["on"])
    line = "docker ps -a --no-trunc --format '{{.Names}}\t{{.State}}\t{{.Image}}\t{{.Networks}}'"
    for row in _printed(lab, here.on, line):
        name, state, image, networks = [*row.split("\t"), "", "", ""][:4]
        if name != v["name"]:
            continue
        now = {"running": state == "running", "image": image}
        return all(now[k] == v[k] for k in now if k in v) and v.get("network", networks) in networks.split(
            ","
        )
    return False


def _image(lab: Lab, v: dict[str, Any]) -> bool:
    from engine.l7.images import normal as full_name

    here = _here(lab, v["on"])
    want = full_name(v["name"])
    cluster = lab.world.cluster
    if cluster is not None and here.box.role == "node":
        runtime = cluster.nodes[here.box.name].runtime
        return runtime.image(want) is not None
    daemon = lab.world.dockers.get(here.box.name)
    return daemon is not None and want in daemon.images


def _pod_body(lab: Lab, name: str) -> dict[str, Any] | None:
    _, namespace, pod = normal(f"pod/{name}").split("/", 2)
    cluster = lab.world.cluster
    return None if cluster is None else cluster.store.get("Pod", namespace, pod)


def pod_now(lab: Lab, name: str) -> dict[str, Any] | None:
    """What the keys of `pod` are of a Pod now; None where there is none."""
    body = _pod_body(lab, name)
    if body is None:
        return None
    status = body.get("status") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    return {
        "phase": status.get("phase", "Pending"),
        "ready": conditions.get("Ready") == "True",
        "node": (body.get("spec") or {}).get("nodeName", ""),
        "restarts": sum(c.get("restartCount", 0) for c in status.get("containerStatuses") or ()),
        "address": status.get("podIP", ""),
    }


def _pod(lab: Lab, v: dict[str, Any]) -> bool:
    now = pod_now(lab, v["name"])
    if now is None:
        return False
    want = {**v, "address": text4(v["address"].addr)} if "address" in v else v
    return all(now[k] == want[k] for k in now if k in want)


def _object(lab: Lab, v: dict[str, Any]) -> bool:
    cluster = lab.world.cluster
    if cluster is None:
        return False
    spaces = (v.get("namespace", "default"), "")
    return any(cluster.store.get(v["kind"], space, v["name"]) is not None for space in spaces)


def value_of(lab: Lab, v: dict[str, Any]) -> str | None:
    """What kubectl's jsonpath gives of one object ("" where the field is not there); None without the object."""
    from engine.shell.tools.kubectl_.jsonpath import JsonPathError, render

    cluster = lab.world.cluster
    if cluster is None:
        return None
    for space in (v.get("namespace", "default"), ""):
        body = cluster.store.get(v["kind"], space, v["name"])
        if body is not None:
            try:
                return render("{" + v["path"] + "}", body)
            except JsonPathError:
                return ""
    return None


def _field(lab: Lab, v: dict[str, Any]) -> bool:
    found = value_of(lab, v)
    return found is not None and (found == v["value"] if "value" in v else bool(found))


def _event(lab: Lab, v: dict[str, Any]) -> bool:
    cluster = lab.world.cluster
    _, namespace, name = normal(f"pod/{v['about']}").split("/", 2)
    return cluster is not None and any(
        e.name == name
        and e.namespace == namespace
        and e.reason == v["reason"]
        and re.search(v.get("like", ""), e.message)
        for e in cluster.store.events.values()
    )


def printed(lab: Lab, v: dict[str, Any]) -> str:
    """What a command prints, on a copy: for what no other word says (a mode, a table of another tool)."""
    return Shell(lab.world.copy(), v["on"]).run(v["run"]).stdout


def _prints(lab: Lab, v: dict[str, Any]) -> bool:
    return re.search(v["like"], printed(lab, v), re.MULTILINE) is not None


WORDS: Final[dict[str, Word]] = {
    "link": Word(("on", "name"), ("up", "mtu", "kind", "master", "hairpin"), _link),
    "address": Word(("on", "address"), ("dev",), _address),
    "route": Word(("on", "to"), ("via", "dev", "type"), _route),
    "neighbour": Word(("on", "address"), ("state", "mac"), _neighbour),
    "rule": Word(("on", "table", "chain", "like"), (), _rule),
    "policy": Word(("on", "chain", "is"), ("table",), _policy),
    "sysctl": Word(("on", "key", "value"), (), _sysctl),
    "file": Word(("on", "path"), ("contains",), _file),
    "process": Word(("on", "name"), (), _process),
    "listen": Word(("on", "port"), ("proto", "address"), _listen),
    "netns": Word(("on", "name"), (), _netns),
    "conntrack": Word(("on",), ("src", "dst", "dport", "proto", "natted"), _conntrack),
    "container": Word(("on", "name"), ("running", "network", "image"), _container),
    "image": Word(("on", "name"), (), _image),
    "pod": Word(("name",), ("phase", "ready", "node", "restarts", "address"), _pod),
    "object": Word(("kind", "name"), ("namespace",), _object),
    "field": Word(("kind", "name", "path"), ("namespace", "value"), _field),
    "prints": Word(("on", "run", "like"), (), _prints),
    "event": Word(("about", "reason"), ("like",), _event),
}
