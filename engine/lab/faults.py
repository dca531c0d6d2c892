"""Faults: one table of what can be broken, each a change that somebody might have made.

Theory. A fault is a value from a file ({kind: link-down, on: pod/a, dev: eth0}); it becomes ops, or a command
typed in the namespace of its place. `early` faults happen before the manifests are applied, so that the first Pod
meets them already.

Rules. A new fault is one row of FAULTS and one line in docs/authoring.md and docs/formats.md. Each names the keys that
it needs and those that it may have; every other key is refused. A fault that changes nothing is an error.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any, Final

from engine.errors import EngineError, InputError
from engine.l7 import images
from engine.lab.doc import Doc
from engine.lab.places import find
from engine.lab.reader import A_TEXT, Node, Problems
from engine.linux.addr import Prefix
from engine.linux.net import Net
from engine.linux.ops import (
    AddRoute,
    DelAddress,
    DelLink,
    DelRoute,
    KillProc,
    Op,
    SetLink,
    SetNeighbour,
)
from engine.linux.rows import Neighbour
from engine.record import dataclass, replace
from engine.say import Phrase, plain
from engine.shell.files import Files
from engine.shell.place import machine, resolve
from engine.shell.shell import Shell, first_session
from engine.shell.world import World

FAILED = Phrase(en="this fault cannot be put in: {text}", ko="이 고장을 넣을 수 없습니다: {text}")
COMMAND_FAILED = Phrase(
    en="`{line}` ended with {code}: {text}", ko="`{line}` 명령이 {code}(으)로 끝났습니다: {text}"
)
NO_RULE = Phrase(
    en="no rule of {chain} in {table} agrees with {like}",
    ko="{table}의 {chain}에 {like}와(과) 맞는 규칙이 없습니다",
)
NO_PROCESS = Phrase(en="no process {name} runs there", ko="그곳에는 {name} 프로세스가 없습니다")
NO_IMAGE = Phrase(en="the image {name} is not there", ko="{name} 이미지가 없습니다")
NEED_KIND = Phrase(en="one of {kinds}", ko="{kinds} 가운데 하나")

#: what a key of a fault holds
ASK: Final[dict[str, Callable[[Node], Any]]] = {
    "on": Node.text, "run": Node.text, "dev": Node.text, "mtu": lambda n: n.number(68, 65536), "mac": Node.mac,
    "address": Node.address, "to": lambda n: Prefix(0, 0) if n.value == "default" else n.prefix(),
    "via": Node.address, "type": lambda n: n.word("unicast", "blackhole", "unreachable", "prohibit"),
    "key": Node.text, "value": lambda n: n.child("value", str(n.value)).text(), "chain": Node.text,
    "policy": lambda n: n.word("ACCEPT", "DROP"), "table": lambda n: n.word("raw", "mangle", "nat", "filter"),
    "rule": Node.text, "at": lambda n: n.number(1, 9999), "like": lambda n: p.pattern if (p := n.pattern()) else None,
    "path": Node.text, "text": lambda n: n.text(empty=True), "process": Node.text, "image": Node.text, "as": Node.text,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, checked. `values` holds its keys; `where` its place in the file."""

    kind: str
    values: dict[str, Any]
    where: str

    def text(self) -> str:
        return f"{self.kind} on {self.values.get('on', '')}"

    @property
    def early(self) -> bool:
        return FAULTS[self.kind].early


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a fault happens: the machine and the namespace in it."""

    world: World
    ref: str
    box: str
    netns: str

    def do(self, op: Op) -> None:
        self.world.do(op)

    def type(self, line: str) -> str:
        """Type a command with the machine's own tools in the place's namespace; its output. Raises EngineError."""
        spot = machine(self.world.net.boxes[self.box])
        shell = Shell(self.world, spot.name)
        shell.stack[0] = first_session(spot.moved(self.netns))
        result = shell.run(line)
        if result.code:
            text = (result.stderr or result.stdout).strip() or "-"
            raise EngineError(COMMAND_FAILED(line=line, code=result.code, text=plain(text)))
        return result.stdout


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `needs` and `may` are keys besides `kind`; `put` makes the change."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    put: Callable[[Spot, dict[str, Any]], None]
    early: bool = False


def read_fault(node: Node) -> Fault | None:
    """A fault of a file. Unknown keys and missing ones are problems."""
    value = node.value
    kind = value.get("kind") if isinstance(value, dict) else None
    row = FAULTS.get(kind) if isinstance(kind, str) else None
    if row is None:
        if not isinstance(value, dict):
            node.fields("kind")
        elif "kind" not in value:
            node.fields("kind", *value).need("kind", NEED_KIND(kinds=", ".join(FAULTS)))
        else:
            node.child("kind", kind).word(*FAULTS)
        return None
    f = node.fields("kind", *row.needs, *row.may)
    values: dict[str, Any] = {}
    for key in (*row.needs, *row.may):
        inner = f.need(key, A_TEXT()) if key in row.needs else f.node(key)
        if inner is not None and (found := ASK[key](inner)) is not None:
            values[key] = found
    return Fault(str(kind), values, node.where) if all(k in values for k in row.needs) else None


def read_faults(values: Iterable[Any], name: str = "faults") -> list[Fault]:
    """Faults from plain values. Raises InputError with all problems."""
    problems = Problems()
    doc = Doc(name, list(values))
    found = [read_fault(Node(doc, (i,), v, problems)) for i, v in enumerate(doc.value)]
    problems.raise_any()
    return [f for f in found if f is not None]


def put(world: World, faults: Iterable[Fault]) -> None:
    """Put faults in, in order, and let the controllers see them. Raises InputError with all that cannot be."""
    problems = Problems()
    for fault in faults:
        try:
            FAULTS[fault.kind].put(_spot(world, str(fault.values["on"]), fault.kind), fault.values)
            world.settle()
        except InputError as error:
            problems.take(error, fault.where)
        except EngineError as error:
            problems.add(fault.where, FAILED(text=error.said))
    problems.raise_any()


def _spot(world: World, ref: str, kind: str) -> Spot:
    if kind in ("command", "remove-file", "write-file"):
        at = resolve(world, ref) if not ref.startswith("netns/") else None
        if at is not None:
            return Spot(world, ref, at.box, at.netns)
    end = find(world, ref)
    return Spot(world, ref, world.net.spaces[end.netns].box, end.netns)


# ---- the changes


def _command(at: Spot, v: dict[str, Any]) -> None:
    """Typed at the place itself, with the tools that are there; each line must succeed."""
    if at.ref.startswith("netns/"):
        for line in str(v["run"]).splitlines():
            at.type(line)
        return
    shell = Shell(at.world, at.ref)
    for line in str(v["run"]).splitlines():
        result = shell.run(line)
        if result.code:
            text = (result.stderr or result.stdout).strip() or "-"
            raise EngineError(COMMAND_FAILED(line=line, code=result.code, text=plain(text)))


def _link(**change: Any) -> Callable[[Spot, dict[str, Any]], None]:
    """A change of one link; a value that is a key's name in angle brackets comes from the fault."""

    def put(at: Spot, v: dict[str, Any]) -> None:
        given = {k: v[x[1:-1]] if isinstance(x, str) and x.startswith("<") else x for k, x in change.items()}
        at.do(SetLink(netns=at.netns, name=v["dev"], **given))

    return put


def _delete_address(at: Spot, v: dict[str, Any]) -> None:
    ns = at.world.net.spaces[at.netns]
    rows = [a for rows in ns.addresses.values() for a in rows if a.addr == v["address"]]
    length = rows[0].length if rows else 32
    at.do(DelAddress(netns=at.netns, device=v["dev"], addr=v["address"], length=length))


def _delete_route(at: Spot, v: dict[str, Any]) -> None:
    at.do(DelRoute(netns=at.netns, dst=v["to"], gateway=v.get("via", 0), device=v.get("dev", "")))


def _add_route(at: Spot, v: dict[str, Any]) -> None:
    at.do(
        AddRoute(
            netns=at.netns, dst=v["to"], gateway=v.get("via", 0), device=v.get("dev", ""),
            type=v.get("type", "unicast"), mode="replace",
        )
    )  # fmt: skip


def _wrong_neighbour(at: Spot, v: dict[str, Any]) -> None:
    ns = at.world.net.spaces[at.netns]
    row = Neighbour(ifindex=ns.names.get(v["dev"], 0), ip=v["address"], mac=v["mac"], state="PERMANENT")
    at.do(SetNeighbour(netns=at.netns, device=v["dev"], neighbour=row))


def _sysctl(at: Spot, v: dict[str, Any]) -> None:
    at.type(f"sysctl -w {v['key']}={shlex.quote(v['value'])}")


def _policy(at: Spot, v: dict[str, Any]) -> None:
    at.type(f"iptables -t {v.get('table', 'filter')} -P {v['chain']} {v['policy']}")


def _insert(at: Spot, v: dict[str, Any]) -> None:
    at.type(f"iptables -t {v.get('table', 'filter')} -I {v['chain']} {v.get('at', 1)} {v['rule']}")


def _delete_rules(at: Spot, v: dict[str, Any]) -> None:
    table, chain = v.get("table", "filter"), v["chain"]
    rows = at.type(f"iptables -t {table} -S {chain}").splitlines()
    agreeing = [r for r in rows if r.startswith("-A ") and re.search(v["like"], r)]
    if not agreeing:
        raise EngineError(NO_RULE(chain=chain, table=table, like=v["like"]))
    for row in agreeing:
        at.type(f"iptables -t {table} -D {row[3:]}")


def _flush(at: Spot, v: dict[str, Any]) -> None:
    at.type(f"iptables -t {v.get('table', 'filter')} -F {v.get('chain', '')}".rstrip())


def _remove_file(at: Spot, v: dict[str, Any]) -> None:
    Files(at.world, resolve(at.world, at.ref)).remove(v["path"])


def _write_file(at: Spot, v: dict[str, Any]) -> None:
    Files(at.world, resolve(at.world, at.ref)).write(v["path"], v["text"])


def _kill(at: Spot, v: dict[str, Any]) -> None:
    net: Net = at.world.net
    name = v["process"]
    procs = [
        p for p in net.boxes[at.box].procs.values() if p.comm == name or name in (p.args[:1] or ("",))[0]
    ]
    if at.netns != at.box:
        procs = [p for p in procs if p.netns == at.netns]
    if not procs:
        raise EngineError(NO_PROCESS(name=name))
    for proc in procs:
        if proc.pid in net.boxes[at.box].procs:
            at.do(KillProc(box=at.box, pid=proc.pid))


def _missing_image(at: Spot, v: dict[str, Any]) -> None:
    _take_image(at, v["image"])


def _wrong_tag(at: Spot, v: dict[str, Any]) -> None:
    name = images.normal(v["as"])
    found = _take_image(at, v["image"])
    if at.world.cluster is not None and at.box in at.world.cluster.nodes:
        at.world.cluster.nodes[at.box].runtime.store_image(replace(found, name=name, pinned=False))
    else:
        at.world.dockers[at.box].images[name] = replace(found, name=name)


def _take_image(at: Spot, image: str) -> Any:
    """Take an image out of the node's containerd, or of the machine's docker. EngineError when it is not there."""
    name = images.normal(image)
    cluster = at.world.cluster
    found: Any = None
    if cluster is not None and at.box in cluster.nodes:
        from engine.kube.runtime import CRI_NAMESPACE

        found = cluster.nodes[at.box].runtime.images.get(CRI_NAMESPACE, {}).pop(name, None)
    elif at.box in at.world.dockers:
        found = at.world.dockers[at.box].images.pop(name, None)
    if found is None:
        raise EngineError(NO_IMAGE(name=name))
    return found


FAULTS: Final[dict[str, Kind]] = {
    "command": Kind(("on", "run"), (), _command),
    "link-down": Kind(("on", "dev"), (), _link(up=False)),
    "link-gone": Kind(("on", "dev"), (), lambda at, v: at.do(DelLink(netns=at.netns, name=v["dev"]))),
    "no-master": Kind(("on", "dev"), (), _link(master="")),
    "wrong-mtu": Kind(("on", "dev", "mtu"), (), _link(mtu="<mtu>")),
    "no-hairpin": Kind(("on", "dev"), (), _link(hairpin=False)),
    "wrong-mac": Kind(("on", "dev", "mac"), (), _link(mac="<mac>")),
    "delete-address": Kind(("on", "dev", "address"), (), _delete_address),
    "delete-route": Kind(("on", "to"), ("via", "dev"), _delete_route),
    "add-route": Kind(("on", "to"), ("via", "dev", "type"), _add_route),
    "wrong-neighbour": Kind(("on", "dev", "address", "mac"), (), _wrong_neighbour),
    "sysctl": Kind(("on", "key", "value"), (), _sysctl),
    "iptables-policy": Kind(("on", "chain", "policy"), ("table",), _policy),
    "iptables-insert": Kind(("on", "chain", "rule"), ("table", "at"), _insert),
    "iptables-delete": Kind(("on", "chain", "like"), ("table",), _delete_rules),
    "iptables-flush": Kind(("on",), ("table", "chain"), _flush),
    "remove-file": Kind(("on", "path"), (), _remove_file),
    "write-file": Kind(("on", "path", "text"), (), _write_file),
    "kill": Kind(("on", "process"), (), _kill),
    "missing-image": Kind(("on", "image"), (), _missing_image, early=True),
    "wrong-tag": Kind(("on", "image", "as"), (), _wrong_tag, early=True),
}
