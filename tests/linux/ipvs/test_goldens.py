"""Transcripts of ipvsadm in the second kernel (tests/golden/second), replayed in the lab."""

from __future__ import annotations

import re
from pathlib import Path

from engine.linux import ops
from engine.linux.addr import ip4
from engine.linux.exchange import udp_call
from engine.linux.packet import IPv4, Packet, Payload, Proto, Tcp
from engine.linux.walk.walker import End, Walker
from tests.linux.walk.wires import Wires, echo

FOLDER = Path(__file__).parents[2] / "golden" / "second"


def transcript(name: str) -> dict[str, list[tuple[str, int]]]:
    """command -> its outputs (stdout and stderr, exit code) in order."""
    out: dict[str, list[tuple[str, int]]] = {}
    for part in re.split(r"^\$ ", (FOLDER / name).read_text(), flags=re.M)[1:]:
        line, _, text = part.partition("\n")
        code = re.search(r"^\[(\d+)\]\n\Z", text, flags=re.M)
        if code:
            text = text[: code.start()]
        out.setdefault(line, []).append((text, int(code[1]) if code else 0))
    return out


def commands(name: str) -> list[str]:
    lines = (FOLDER / name).read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


#: what the lab's kernel does not have: a debugging option, and a number that depends on the machine's memory
UNSHOWN = ("net.ipv4.vs.debug_level", "net.ipv4.vs.sync_qlen_max")


def test_ipvsadm() -> None:
    """Every line of the transcript, to the character."""
    recorded = transcript("ipvsadm.txt")
    w = Wires()
    for line in ("ip netns add x", "ip netns exec x bash"):
        assert w.shell.run(line).code == 0
    for line in commands("ipvsadm.cmds"):
        if line.startswith("@"):
            assert w.shell.run(line[1:]).code == 0, line
            continue
        done = w.shell.run(line.replace("printf -- ", "echo -e ").replace("\\n' |", "' |"))
        text, code = recorded[line].pop(0)
        if line == "sysctl net.ipv4.vs":
            text = "".join(f"{row}\n" for row in text.splitlines() if not row.startswith(UNSHOWN))
        if "--nosort" in line:  # services stand in the order of a hash with a secret
            assert sorted(done.stdout.splitlines()) == sorted(text.splitlines())
            continue
        assert (done.stdout + done.stderr, done.code) == (text, code), line


def loose(line: str, text: str) -> list[str]:
    """Connections have the order of a hash, and seconds pass."""
    text = re.sub(r"(?<=TCP |UDP )(\d\d):(\d\d) ", r"TIME  ", text) if " -Lnc" in line else text
    if "ip_vs_conn" in line:
        text = re.sub(r" +\d+$", " N", text, flags=re.M)
    rows = text.splitlines()
    return sorted(rows) if "-Lnc" in line or "ip_vs_conn" in line else rows


def test_traffic() -> None:
    """Counters, connections and states after the same packets."""
    recorded = transcript("ipvs-traffic.txt")
    w = Wires()
    for name in ("c", "a", "b"):
        w.space(name)
    w.space("n1")
    for name in ("c", "a", "b"):
        w.world.do(
            ops.AddVeth(netns=w.id("n1"), name=f"veth-{name}", peer_netns=w.id(name), peer_name="eth0")
        )
        for where, device in (("n1", f"veth-{name}"), (name, "eth0")):
            w.one(f"{where}: ip link set {device} up")
    calls: list[Talk] = []
    for line in commands("ipvs-traffic.cmds"):
        if line.startswith("@"):
            act, *words = line[1:].split()
            if act == "listen":
                w.listen(words[0], words[1], words[3])
            elif act == "talk":
                talk(w, calls, *words)
            elif act == "close":
                close(w, calls)
            elif act == "sleep":
                w.wait(float(words[0]))
            elif act not in ("adopt", "for") and "link" not in line and "netns add" not in line:
                for each in line[1:].split("; "):
                    assert w.shell.run(each).code == 0, each
            continue
        done = w.shell.run(line)
        text, code = recorded[line].pop(0)
        if line == "ip netns exec n1 ipvsadm -Ln" and len(recorded[line]) == 0:
            # the SYN that earned an ICMP error is sent again, a second later
            segment(w, "c", ip4("10.1.1.2"), 40007, ip4("10.96.0.10"), 81, "S", 1000, 0)
        if "kube-ipvs0" in line and "show" in line:
            continue
        if "ip_vs_stats" in line:  # the lab keeps no rates
            text, done_text = text.splitlines()[2], done.stdout.splitlines()[2]
            assert text == done_text
            continue
        assert (loose(line, done.stdout + done.stderr), done.code) == (loose(line, text), code), line


Talk = tuple[str, int, int, int, int]


def segment(
    w: Wires, name: str, src: int, sport: int, dst: int, dport: int, flags: str, seq: int, ack: int
) -> End:
    """One TCP segment from `name`; it is walked to its end, and so is what the kernel answers."""
    packet = Packet(
        (
            IPv4(src=src, dst=dst, proto=Proto.TCP, ttl=0),
            Tcp(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack),
        )
    )
    walker = Walker(net=w.net, choose=w.choose)
    end = walker.send(w.id(name), packet, who="x")
    if end.answer is not None and flags == "S":
        Walker(net=w.net, choose=w.choose).send(end.answer.netns, end.answer.packet, ct_of=end.answer.ct_of)
    return end


def talk(w: Wires, calls: list[Talk], name: str, proto: str, dst: str, port: str, sport: str) -> None:
    """Connect and leave it open (three segments), or send a datagram and get its echo."""
    if proto == "udp":
        request = Payload(protocol="echo", text="x", size=1)
        udp_call(
            w.net,
            w.id(name),
            ip4(dst),
            int(port),
            choose=w.choose,
            sport=int(sport),
            request=request,
            serve=echo,
        )
        return
    me, there = ip4("10.1.1.2"), (ip4(dst), int(port))
    end = segment(w, name, me, int(sport), *there, "S", 1000, 0)
    if end.socket is None:
        return
    server = end.packet.ip.dst, end.packet.ports[1]
    segment(w, name_of(w, end.netns), *server, me, int(sport), "SA", 5000, 1001)
    segment(w, name, me, int(sport), *there, "A", 1001, 5001)
    calls.append((name, int(sport), *there, server[0]))


def name_of(w: Wires, netns: str) -> str:
    return next(name for name, id in w.net.boxes["h"].netns_names.items() if id == netns)


def close(w: Wires, calls: list[Talk]) -> None:
    """The clients close; the servers acknowledge and stay."""
    for name, sport, dst, dport, server in calls:
        me = ip4("10.1.1.2")
        segment(w, name, me, sport, dst, dport, "FA", 1001, 5001)
        where = "a" if server == ip4("10.1.2.2") else "b"
        segment(w, where, server, 8080, me, sport, "A", 5001, 1002)
    calls.clear()
