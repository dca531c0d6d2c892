"""Capture what the real CNI plugins do: run it with `python tests/golden/capture_cni.py` where /usr/lib/cni is.

It starts itself again in `unshare -Urnm`, gives every scenario a fresh pair of namespaces (a node with eth0 and a
pod), calls the plugins as a runtime does, and writes tests/golden/cni/NAME.json: the scenario, and after each
step the plugin's answer and the rows that the kernel then has. Random names and MACs are replaced by what they are
for. Nothing of the engine is used here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Where the answers go: the folder named on the command line, or the goldens themselves.
HERE = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "cni"
BIN = "/usr/lib/cni"
IPAM = "/run/ipam"


def sh(line: str, stdin: str = "") -> str:
    done = subprocess.run(line, shell=True, capture_output=True, text=True, input=stdin)
    if done.returncode:
        raise RuntimeError(f"{line}: {done.stderr}")
    return done.stdout


def plugin(command: str, conf: dict[str, Any], pod: str, container: str, ifname: str) -> dict[str, Any]:
    env = {
        "CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": f"/run/netns/{pod}", "CNI_IFNAME": ifname,
        "CNI_PATH": BIN, "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web",
        "PATH": os.environ["PATH"],
    }  # fmt: skip
    line = ["ip", "netns", "exec", "node", f"{BIN}/{conf['type']}"]
    done = subprocess.run(line, capture_output=True, text=True, input=json.dumps(conf), env=env)
    out = json.loads(done.stdout) if done.stdout.strip() else {}
    return {"code": done.returncode, "out": out}


class Names:
    """veth names and MACs in order of appearance."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def clean(self, text: str) -> str:
        def veth(match: re.Match[str]) -> str:
            return self.seen.setdefault(match[0], f"veth#{sum(k.startswith('veth') for k in self.seen) + 1}")

        def mac(match: re.Match[str]) -> str:
            if match[0] == "00:00:00:00:00:00" or match[0].startswith("02:00:00:00:00:"):
                return match[0]
            return self.seen.setdefault(match[0], f"mac#{sum(':' in k for k in self.seen) + 1}")

        text = re.sub(r"veth[0-9a-f]{8}", veth, text)
        return re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", mac, text)


def rows(pods: list[str]) -> dict[str, Any]:
    """Links, addresses, routes of the node and the pods; nat rules; sysctls; the files of host-local."""
    out: dict[str, Any] = {}
    for ns in ("node", *pods):
        links = json.loads(sh(f"ip -n {ns} -d -j link"))
        out[f"{ns} links"] = [
                {
                    "name": x["ifname"], "mtu": x["mtu"], "up": "UP" in x["flags"], "promisc": "PROMISC" in x["flags"],
                    "kind": (x.get("linkinfo") or {}).get("info_kind", ""), "master": x.get("master", ""),
                    "mac": x["address"],
                    "hairpin": ((x.get("linkinfo") or {}).get("info_slave_data") or {}).get("hairpin", False),
                    "isolated": ((x.get("linkinfo") or {}).get("info_slave_data") or {}).get("isolated", False),
                }
                for x in sorted(links, key=lambda x: x["ifindex"])
        ]  # fmt: skip
        addresses = json.loads(sh(f"ip -n {ns} -4 -j addr"))
        out[f"{ns} addresses"] = [
            f"{x['ifname']} {a['local']}/{a['prefixlen']} brd {a.get('broadcast', '-')} "
            f"scope {a['scope']} label {a.get('label', '-')}"
            for x in addresses
            for a in x["addr_info"]
        ]
        out[f"{ns} routes"] = [x.strip() for x in sh(f"ip -n {ns} route").splitlines()]
    save = sh("ip netns exec node iptables-save -t nat") if Path("/usr/sbin/iptables-save").exists() else ""
    out["nat"] = [x for x in save.splitlines() if x.startswith("-A") or (x.startswith(":") and " - " in x)]
    out["nat"] = [re.sub(r" \[\d+:\d+\]", "", x) for x in out["nat"]]
    keys = ["net.ipv4.ip_forward"]
    keys += [f"net.ipv4.conf.{x['name']}.route_localnet" for x in out["node links"] if x["name"] != "lo"]
    out["sysctls"] = {k: sh(f"ip netns exec node sysctl -n {k}").strip() for k in keys}
    files = sorted(Path(IPAM).rglob("*")) if Path(IPAM).exists() else []
    out["ipam"] = {str(f.relative_to(IPAM)): f.read_bytes().decode() for f in files if f.is_file()}
    return out


def scenario(name: str, steps: list[dict[str, Any]], before: str = "") -> None:
    """Each step: {command, conf, pod, container, ifname, prev (index of the step whose answer is prevResult)}."""
    pods = sorted({s["pod"] for s in steps})
    for ns in ("node", *pods):
        sh(f"ip netns add {ns}")
    sh(
        "ip -n node link set lo up; ip -n node link add eth0 type bridge; ip -n node addr add 192.168.50.11/24 dev eth0"
    )
    sh(
        "ip -n node link set eth0 address 02:00:00:00:00:01 up; ip -n node route add default via 192.168.50.1 dev eth0"
    )
    for ns in ("node", *pods):
        sh(
            f"ip netns exec {ns} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"
        )
    for line in before.splitlines():
        sh(line)
    names, done = Names(), []
    for step in steps:
        conf = dict(step["conf"])
        if "prev" in step:
            conf["prevResult"] = done[step["prev"]]["out"]
        answer = plugin(step["command"], conf, step["pod"], step["container"], step["ifname"])
        done.append({**answer, "rows": rows(pods)})
    text = json.dumps(
        {"before": before.splitlines(), "steps": steps, "answers": done}, indent=1, sort_keys=True
    )
    HERE.mkdir(exist_ok=True)
    text = names.clean(text).replace(IPAM, "IPAM")
    (HERE / f"{name}.json").write_text(text + "\n")
    for ns in ("node", *pods):
        sh(f"ip netns del {ns}")
    sh(f"rm -rf {IPAM}")


def bridge(**more: Any) -> dict[str, Any]:
    ipam = {"type": "host-local", "dataDir": IPAM, **more.pop("ipam", {})}
    ipam.setdefault("ranges", [[{"subnet": "10.244.1.0/24"}]])
    return {"cniVersion": "1.0.0", "name": "mynet", "type": "bridge", "bridge": "cni0", "ipam": ipam, **more}


def step(
    command: str, conf: dict[str, Any], container: str = "c1", pod: str = "p1", **more: Any
) -> dict[str, Any]:
    return {"command": command, "conf": conf, "container": container, "pod": pod, "ifname": "eth0", **more}


DEFAULT = {"routes": [{"dst": "0.0.0.0/0"}]}


def all_scenarios() -> None:
    hardway = bridge(isGateway=True, ipMasq=True, ipam=DEFAULT)
    scenario("hardway", [
        step("ADD", hardway), step("ADD", hardway, "c2", "p2"), step("DEL", hardway, prev=0),
        step("ADD", hardway, "c3", "p1"),
    ])  # fmt: skip
    flags = bridge(
        isDefaultGateway=True, hairpinMode=True, mtu=1450, ipam={"routes": [{"dst": "10.244.0.0/16"}]}
    )
    scenario("flags", [step("ADD", flags), step("ADD", flags, "c2", "p2")])
    scenario("promisc", [step("ADD", bridge(promiscMode=True, isGateway=True))])
    scenario("both-modes", [step("ADD", bridge(promiscMode=True, hairpinMode=True))])
    scenario("no-gateway", [step("ADD", bridge(ipam=DEFAULT))])
    clash = bridge(isGateway=True, ipam=DEFAULT)
    wrong = (
        "ip -n node link add cni0 type bridge\nip -n node addr add 10.244.3.1/24 dev cni0\n"
        "ip -n node link set cni0 address 02:00:00:00:00:09 up"
    )
    scenario("address-clash", [step("ADD", clash), step("DEL", clash, prev=0)], wrong)
    scenario("address-forced", [step("ADD", {**clash, "forceAddress": True})], wrong)
    scenario(
        "not-a-bridge",
        [step("ADD", {**clash, "bridge": "cni7"})],
        "ip -n node link add cni7 type veth peer name x7",
    )
    small = bridge(isGateway=True, ipam={"ranges": [[{"subnet": "10.244.1.0/29"}]], **DEFAULT})
    scenario("full", [step("ADD", small, f"c{i}", f"p{i}") for i in range(1, 8)])
    ranged = bridge(isGateway=True, ipam={
        "ranges": [[{"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.20", "rangeEnd": "10.244.1.21",
                     "gateway": "10.244.1.254"}, {"subnet": "10.244.2.0/24", "rangeEnd": "10.244.2.3"}]], **DEFAULT,
    })  # fmt: skip
    scenario("ranges", [step("ADD", ranged, f"c{i}", f"p{i}") for i in range(1, 6)])
    scenario("round", [
        step("ADD", small, "c1", "p1"), step("ADD", small, "c2", "p2"), step("DEL", small, "c1", "p1", prev=0),
        step("ADD", small, "c3", "p3"), step("ADD", small, "c4", "p4"), step("ADD", small, "c5", "p5"),
        step("ADD", small, "c6", "p1"),
    ])  # fmt: skip
    scenario("twice", [step("ADD", hardway), step("ADD", hardway)])
    scenario("after-failure", [
        step("ADD", bridge(isGateway=True, ipam={"ranges": []})), step("DEL", hardway),
        step("ADD", hardway, "c2", "p2"),
    ])  # fmt: skip
    scenario("bad-subnet", [
        step("ADD", bridge(ipam={"ranges": [[{"subnet": "10.244.1.5/24"}]]})),
        step("ADD", bridge(ipam={"ranges": [[{"subnet": "10.244.1.0/31"}]]})),
        step("ADD", bridge(ipam={"ranges": [[{"subnet": "10.244.1.0/24", "rangeStart": "10.9.0.1"}]]})),
        step("ADD", bridge(ipam={"ranges": []})),
    ])  # fmt: skip
    ports = [
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
        {"hostPort": 5353, "containerPort": 53, "protocol": "udp"},
        {"hostPort": 8081, "containerPort": 81, "protocol": "tcp", "hostIP": "192.168.50.11"},
    ]
    portmap = {
        "cniVersion": "1.0.0", "name": "mynet", "type": "portmap", "capabilities": {"portMappings": True},
        "runtimeConfig": {"portMappings": ports},
    }  # fmt: skip
    other = {**portmap, "runtimeConfig": {"portMappings": ports[:1] and [{**ports[0], "hostPort": 9090}]}}
    scenario("portmap", [
        step("ADD", hardway), step("ADD", portmap, prev=0), step("ADD", hardway, "c2", "p2"),
        step("ADD", other, "c2", "p2", prev=2), step("DEL", portmap, prev=0), step("DEL", hardway, prev=0),
    ])  # fmt: skip
    plain = {**portmap, "snat": False}
    scenario(
        "portmap-no-snat", [step("ADD", hardway), step("ADD", plain, prev=0), step("DEL", plain, prev=0)]
    )
    scenario("portmap-alone", [step("ADD", portmap)])
    # A container's whole life on one network: two plugins, a second ADD that is refused, both taken down again.
    whole = bridge(
        isGateway=True, isDefaultGateway=True, ipMasq=True, hairpinMode=True, promiscMode=False, mtu=1450,
        ipam={"routes": [{"dst": "10.244.0.0/16"}]},
    )  # fmt: skip
    whole["name"] = "cbr0"
    one = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    ports_of_one = {**portmap, "name": "cbr0", "snat": True, "runtimeConfig": one}
    scenario("whole-life", [
        step("ADD", whole), step("ADD", ports_of_one, prev=0), step("ADD", whole), step("DEL", ports_of_one, prev=0),
        step("DEL", whole, prev=0),
    ])  # fmt: skip
    scenario("loopback", [
        {**step("ADD", {"cniVersion": "1.0.0", "name": "lo", "type": "loopback"}), "ifname": "lo"}
    ])  # fmt: skip


if __name__ == "__main__":
    if os.environ.get("CAPTURE_CNI") != "inside":
        env = {**os.environ, "CAPTURE_CNI": "inside", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        inner = f"mount -t tmpfs none /run && mkdir /run/netns && exec {sys.executable} {__file__} {HERE}"
        sys.exit(subprocess.run(["unshare", "-Urnm", "sh", "-c", inner], env=env).returncode)
    all_scenarios()
