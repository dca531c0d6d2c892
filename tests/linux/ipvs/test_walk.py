"""IPVS on a packet's way: which hooks it meets, what the headers become, what happens without a server."""

from __future__ import annotations

from engine.linux.addr import ip4, text4
from engine.linux.journey import Outcome, StepKind
from tests.linux.walk.wires import Wires, back, devices, rows, seen_as, served, steps

#: client c - node n - pods a and b; the node has the Service's address on kube-ipvs0
NODE = """
    wire c eth0 10.1.1.2/24 n vc 10.1.1.1/24
    wire n va 10.1.2.1/24 a eth0 10.1.2.2/24
    wire n vb 10.1.3.1/24 b eth0 10.1.3.2/24
    n: sysctl -w net.ipv4.ip_forward=1
    c: ip route add default via 10.1.1.1
    a: ip route add default via 10.1.2.1
    b: ip route add default via 10.1.3.1
    listen a tcp 8080
    listen b tcp 8080
    listen a udp 53
    n: ip link add kube-ipvs0 type dummy
    n: ip addr add 10.96.0.10/32 dev kube-ipvs0
    n: ipvsadm -A -t 10.96.0.10:80 -s rr
    n: ipvsadm -a -t 10.96.0.10:80 -r 10.1.2.2:8080 -m
    n: ipvsadm -a -t 10.96.0.10:80 -r 10.1.3.2:8080 -m
"""
CONNTRACK = """
    n: sysctl -w net.ipv4.vs.conntrack=1
    n: iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
"""


def test_round_robin_begins_with_the_newest_server() -> None:
    """ip_vs_ctl.c: list_add_rcu puts a new server in front."""
    w = Wires(NODE)
    assert [served(w.tcp("c", "10.96.0.10")) for _ in range(3)] == [
        "10.1.3.2:8080",
        "10.1.2.2:8080",
        "10.1.3.2:8080",
    ]


def test_the_way_of_a_request() -> None:
    """REALITY 1.3: routed to the local table, INPUT, IPVS, OUTPUT, POSTROUTING; never FORWARD; one TTL less."""
    w = Wires(NODE)
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        w.type(f"n: iptables -A {chain} -p tcp --dport {8080 if chain == 'OUTPUT' else 80} -j ACCEPT")
    call = w.tcp("c", "10.96.0.10")
    found = [s.hook for s in steps(call, StepKind.RULE) if s.place.namespace == "n"]
    assert found == ["INPUT", "OUTPUT"]
    assert devices(call)[-1] == "b eth0 in"
    assert [s.after.ip.ttl for s in steps(call) if s.place.namespace == "b" and s.after is not None][-1] == 63
    assert rows(call, StepKind.IPVS) == ["-A -t 10.96.0.10:80 -s rr"]
    (nat,) = steps(call, StepKind.NAT)
    assert (nat.row, nat.table) == ("-a -t 10.96.0.10:80 -r 10.1.3.2:8080 -m -w 1", "ipvs")


def test_the_answer_is_turned_back_in_forward() -> None:
    w = Wires(NODE)
    call = w.tcp("c", "10.96.0.10")
    assert call.error == ""
    (nat,) = steps(back(call), StepKind.NAT)
    assert nat.hook == "FORWARD" and nat.after is not None and text4(nat.after.ip.src) == "10.96.0.10"
    assert w.conntrack("n") == []


def test_with_conntrack_the_source_can_be_masqueraded() -> None:
    """REALITY 1.3: the entry's reply comes from the server, and no DST_NAT bit is set."""
    w = Wires(
        NODE + CONNTRACK + "n: iptables -t mangle -A PREROUTING -i vc -j MARK --set-xmark 0x4000/0x4000"
    )
    call = w.tcp("c", "10.96.0.10")
    assert (call.error, seen_as(call)) == ("", "10.1.3.1")
    (entry,) = w.entries("n")
    assert (text4(entry.orig.dst), text4(entry.reply.src), entry.reply.sport) == (
        "10.96.0.10",
        "10.1.3.2",
        8080,
    )
    assert (entry.dnat, entry.snat, entry.assured) == (False, True, True)


def test_a_client_on_the_node_itself() -> None:
    """REALITY 1.3: its source is the virtual address; masqueraded it works."""
    w = Wires(NODE + CONNTRACK + "n: iptables -t nat -A OUTPUT -d 10.96.0.10 -j MARK --or-mark 0x4000")
    call = w.tcp("n", "10.96.0.10")
    assert (call.error, seen_as(call), served(call)) == ("", "10.1.3.1", "10.1.3.2:8080")


def test_no_server() -> None:
    """ip_vs_leave: ICMP port unreachable, for TCP as well."""
    w = Wires(NODE + "n: ipvsadm -A -t 10.96.0.10:81 -s rr")
    call = w.tcp("c", "10.96.0.10", 81)
    assert (call.outcome, call.error) == (Outcome.REFUSED, "ECONNREFUSED")
    assert call.icmp is not None and (call.icmp.type, call.icmp.code) == (3, 3)
    assert text4(call.icmp_from) == "10.96.0.10"


def test_a_quiesced_server_gets_nothing_new() -> None:
    w = Wires(NODE + "n: ipvsadm -e -t 10.96.0.10:80 -r 10.1.3.2:8080 -m -w 0")
    assert {served(w.tcp("c", "10.96.0.10")) for _ in range(3)} == {"10.1.2.2:8080"}


def test_persistence_and_its_end() -> None:
    """The template lives as long after the last connection as the service says."""
    w = Wires(NODE + "n: ipvsadm -E -t 10.96.0.10:80 -s rr -p 600")
    assert {served(w.tcp("c", "10.96.0.10")) for _ in range(4)} == {"10.1.3.2:8080"}
    w.wait(1200)
    assert served(w.tcp("c", "10.96.0.10")) == "10.1.2.2:8080"


def test_a_removed_server_and_its_connections() -> None:
    """Packets of its connections are lost, unless expire_nodest_conn ends them."""
    for setting, left in (("0", 1), ("1", 0)):
        w = Wires(
            NODE + f"n: sysctl -w net.ipv4.vs.expire_nodest_conn={setting} net.ipv4.vs.conn_reuse_mode=0"
        )
        w.tcp("c", "10.96.0.10", sport=40000)
        w.type("n: ipvsadm -d -t 10.96.0.10:80 -r 10.1.3.2:8080")
        assert len(w.ns("n").ipvs.conns) == left
        call = w.tcp("c", "10.96.0.10", sport=40000, timeout=1.0)
        assert call.error == ("" if setting == "1" else "ETIMEDOUT")


def test_direct_routing() -> None:
    """The packet goes to the server's MAC with the virtual address, which the server must have too."""
    w = Wires(NODE + "n: ipvsadm -A -t 10.96.0.10:82 -s rr\nn: ipvsadm -a -t 10.96.0.10:82 -r 10.1.2.2 -g")
    w.type("n: sysctl -w net.ipv4.conf.all.accept_local=1")  # its own address comes back as a source
    w.type("a: ip link add vip type dummy\na: ip addr add 10.96.0.10/32 dev vip\nlisten a tcp 82")
    call = w.tcp("c", "10.96.0.10", 82)
    assert (call.error, served(call), seen_as(call)) == ("", "10.96.0.10:82", "10.1.1.2")
    (conn,) = w.ns("n").ipvs.conns.values()
    assert conn.nooutput is False or conn.state in ("ESTABLISHED", "FIN_WAIT", "TIME_WAIT")


def test_a_real_server_on_the_node() -> None:
    w = Wires(
        NODE
        + "listen n tcp 9000\nn: ipvsadm -A -t 10.96.0.10:83 -s rr\nn: ipvsadm -a -t 10.96.0.10:83 -r 10.1.1.1:9000 -m"
    )
    call = w.tcp("c", "10.96.0.10", 83)
    assert (call.error, served(call)) == ("", "10.1.1.1:9000")


def test_an_error_about_an_answer_reaches_the_server_and_the_other_way_round() -> None:
    """ICMP is rewritten outside and in what it quotes: a closed port of a UDP server, as the client sees it."""
    w = Wires(NODE + "n: ipvsadm -A -u 10.96.0.10:54 -s rr\nn: ipvsadm -a -u 10.96.0.10:54 -r 10.1.2.2:54 -m")
    call = w.udp("c", "10.96.0.10", 54)
    assert call.error == "ECONNREFUSED"
    assert call.icmp is not None and call.icmp.quoted is not None
    quoted = call.icmp.quoted
    assert (text4(call.icmp_from), text4(quoted.ip.dst), quoted.ports[1]) == ("10.96.0.10", "10.96.0.10", 54)


def test_a_copy_of_the_net_keeps_its_own_connections() -> None:
    w = Wires(NODE)
    before = w.net.copy()
    w.tcp("c", "10.96.0.10")
    assert before.spaces[w.id("n")].ipvs.conns == {} and w.ns("n").ipvs.conns
    assert before.spaces[w.id("n")].ipvs.find_service(0, 6, ip4("10.96.0.10"), 80) is not None
