"""The model's CNI plugins against what the real ones did (tests/golden/cni, made by capture_cni.py).

Every scenario is played step by step: the answer of each plugin and every row of the kernel, the nat rules, the
sysctls and host-local's files must be the same. Names and MACs that are drawn at random are numbered by appearance.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.kube.cni.call import Call, CniError
from engine.kube.cni.chain import PLUGINS
from engine.kube.ids import Ids
from engine.linux.addr import Prefix, ip4, mac, mac_text, text4
from engine.linux.net import Net, Netns
from engine.linux.ops import AddAddress, AddBox, AddLink, AddNetns, AddRoute, AddVeth, SetLink
from engine.linux.ops.base import Changes
from engine.linux.rows import Address
from engine.linux.text.route import to_text as route_text

GOLDENS = sorted((Path(__file__).parents[1] / "golden" / "cni").glob("*.json"))


def node(pods: list[str], before: list[str]) -> Changes:
    """The namespaces of the capture: a node with eth0 and a default route, and the pods."""
    changes = Changes(Net())
    changes.do(AddBox(name="node"))
    changes.do(AddLink(netns="node", name="eth0", kind="bridge"))
    row = Address(ifindex=0, addr=ip4("192.168.50.11"), length=24)
    changes.do(AddAddress(netns="node", device="eth0", address=row))
    changes.do(SetLink(netns="node", name="eth0", mac=mac("02:00:00:00:00:01"), up=True))
    changes.do(AddRoute(netns="node", dst=Prefix(0, 0), gateway=ip4("192.168.50.1"), device="eth0"))
    for pod in pods:
        changes.do(AddNetns(box="node", id=pod, label=pod, name=pod))
    for line in before:
        type_line(changes, line.split()[3:])
    return changes


def type_line(changes: Changes, words: list[str]) -> None:
    """The few forms of `ip` that scenarios begin with."""
    match words:
        case ["link", "add", name, "type", "bridge"]:
            changes.do(AddLink(netns="node", name=name, kind="bridge"))
        case ["link", "add", name, "type", "veth", "peer", "name", peer]:
            changes.do(AddVeth(netns="node", name=name, peer_netns="node", peer_name=peer))
        case ["addr", "add", address, "dev", name]:
            p = Prefix.parse(address, host_bits=True)
            changes.do(
                AddAddress(
                    netns="node", device=name, address=Address(ifindex=0, addr=p.addr, length=p.length)
                )
            )
        case ["link", "set", name, "address", text, "up"]:
            changes.do(SetLink(netns="node", name=name, mac=mac(text), up=True))
        case _:
            raise ValueError(words)


def play(changes: Changes, step: dict[str, Any], prev: dict[str, Any], ids: Ids) -> dict[str, Any]:
    """One call; the answer in the capture's form."""
    conf = step["conf"]
    call = Call(
        changes=changes, box="node", netns=step["pod"], path=f"/run/netns/{step['pod']}", container=step["container"],
        ifname=step["ifname"], conf=conf, ids=ids, prev=prev, runtime=conf.get("runtimeConfig") or {},
    )  # fmt: skip
    plugin = PLUGINS[conf["type"]]
    try:
        if step["command"] == "DEL":
            plugin.delete(call)
            return {"code": 0, "out": {}}
        return {"code": 0, "out": {"cniVersion": conf["cniVersion"], **plugin.add(call)}}
    except CniError as error:
        return {"code": 1, "out": {"code": error.code, "msg": error.msg}}


def rows(net: Net, pods: list[str]) -> dict[str, Any]:
    """The capture's rows, made from the model."""
    out: dict[str, Any] = {}
    for id in ("node", *pods):
        ns = net.spaces[id]
        out[f"{id} links"] = [link_row(ns, i) for i in sorted(ns.links)]
        out[f"{id} addresses"] = [
            f"{ns.links[i].name} {text4(a.addr)}/{a.length} brd {text4(a.broadcast) if a.broadcast else '-'} "
            f"scope {a.scope} label {a.label or '-'}"
            for i in sorted(ns.addresses)
            for a in ns.addresses[i]
        ]
        out[f"{id} routes"] = [route_text(ns, r).strip() for r in ns.tables[254].routes() if r.table == 254]
    chains = net.spaces["node"].xt.tables.get("nat", {})
    head = sorted(f":{c.name} -" for c in chains.values() if not c.policy)
    body = [c.row(i) for c in chains.values() for i in range(len(c.rules))]
    out["nat"] = head + sorted(body)
    keys = [
        "net.ipv4.ip_forward",
        *(f"net.ipv4.conf.{x['name']}.route_localnet" for x in out["node links"] if x["name"] != "lo"),
    ]
    out["sysctls"] = {k: net.spaces["node"].sysctl(k) for k in keys}
    files = net.boxes["node"].files
    out["ipam"] = {p.removeprefix("IPAM/"): t for p, t in files.items() if p.startswith("IPAM/")}
    return out


def link_row(ns: Netns, index: int) -> dict[str, Any]:
    link = ns.links[index]
    master = ns.links[link.master].name if link.master else ""
    return {
        "name": link.name, "mtu": link.mtu, "up": link.up, "promisc": link.promisc,
        "kind": "" if link.kind == "loopback" else link.kind, "master": master, "mac": mac_text(link.mac),
        "hairpin": link.hairpin, "isolated": link.isolated,
    }  # fmt: skip


def numbered(value: Any) -> Any:
    """veth names and MACs by appearance, over a whole scenario; rules of a chain keep their order, chains do not
    matter; `linkdown` depends on the capture's own eth0."""
    seen: dict[str, str] = {}

    def put(match: re.Match[str]) -> str:
        kind = "veth" if match[0].startswith("veth") else "mac"
        return seen.setdefault(match[0], f"{kind}#{sum(v.startswith(kind) for v in seen.values()) + 1}")

    text = json.dumps(value, sort_keys=True)
    text = re.sub(
        r"veth(?:[0-9a-f]{8}|#\d+)|mac#\d+|\b(?!00:00:00:00:00:00)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", put, text
    )
    return json.loads(text.replace(" linkdown", ""))


@pytest.mark.parametrize("file", GOLDENS, ids=lambda f: f.stem)
def test_the_plugins_do_what_the_real_ones_did(file: Path) -> None:
    golden = json.loads(file.read_text())
    pods = sorted({s["pod"] for s in golden["steps"]})
    changes, ids = node(pods, golden["before"]), Ids(1)
    found: list[dict[str, Any]] = []
    for step in golden["steps"]:
        prev = found[step["prev"]]["out"] if "prev" in step else {}
        answer = play(changes, step, prev, ids)
        found.append({**answer, "rows": rows(changes.net, pods)})
    for answer in golden["answers"]:
        answer["rows"]["nat"] = sorted(x for x in answer["rows"]["nat"] if x[0] == ":") + sorted(
            x for x in answer["rows"]["nat"] if x[0] == "-"
        )
        answer["out"].pop("details", None)
    assert numbered(found) == numbered(golden["answers"])


@pytest.mark.needs("cni", "userns", "ip", "iptables-save", "sysctl")
def test_the_goldens_are_what_the_plugins_here_do(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "golden" / "capture_cni.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    fresh = {f.name: numbered(json.loads(f.read_text())) for f in tmp_path.glob("*.json")}
    assert fresh == {f.name: numbered(json.loads(f.read_text())) for f in GOLDENS}
