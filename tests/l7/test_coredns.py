"""CoreDNS without a cluster: the Corefile and its errors, the plugins, the cache on the virtual clock, what is logged.

Sources: coredns/caddy caddyfile/parse.go, coredns plugin/*; kubernetes/kubernetes issues quoted beside a case.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.errors import NotModelled
from engine.l7.dns import corefile, server
from engine.l7.dns.corefile import CorefileError
from engine.l7.dns.forward import Forward, Upstream
from engine.l7.dns.kubernetes import VIEW, Address, Kubernetes, Port, Service, Slice, View
from engine.l7.dns.setup import load
from engine.l7.serve import serve
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import tcp_call, udp_call
from engine.linux.net import Net
from engine.linux.ops import AddAddress, AddBox, Listen, SetLink, StartProc, WriteFile
from engine.linux.ops.base import Changes
from engine.linux.rows import Address as LinkAddress
from engine.linux.rows import Socket
from engine.linux.wire import dns
from engine.linux.wire.dns import Message, Record
from engine.record import replace

HERE, UP, SILENT = "10.96.0.10", "10.0.0.53", "10.0.0.99"
FILES = {"/etc/resolv.conf": f"nameserver {UP}\n", "/etc/hosts": "10.1.1.1 filed\n"}
ZONE = "\n".join(
    (
        "one.example. 300 A 203.0.113.1",
        "www.one.example. 20 CNAME one.example.",
        "old.example. 300 A 203.0.113.9",
        "x.corp. 60 A 10.9.9.9",
        *(f"many.example. 300 A 203.0.113.{n}" for n in range(1, 60)),
    )
)


class Bench:
    """One box: CoreDNS at 10.96.0.10, an upstream at 10.0.0.53, silence at 10.0.0.99."""

    def __init__(self, text: str) -> None:
        self.net = Net()
        changes = Changes(self.net)
        changes.do(AddBox(name="box", role="host"))
        changes.do(SetLink(netns="box", name="lo", up=True))
        for address in (HERE, UP, SILENT):
            row = LinkAddress(ifindex=1, addr=ip4(address), length=32)
            changes.do(AddAddress(netns="box", device="lo", address=row))
        for path, content in {**FILES, "/Corefile": text}.items():
            changes.do(WriteFile(box="box", path=path, text=content))
        self.pids: dict[str, int] = {}
        box = self.net.boxes["box"]
        for program, address in (("coredns", HERE), ("nameserver", UP), ("sink", SILENT)):
            pid = self.pids[program] = box.next_pid
            config = (("conf", "/Corefile"), ("zone", ZONE))
            changes.do(StartProc(box="box", args=(program,), netns="box", program=program, config=config))
            for proto, state in (("udp", "UNCONN"), ("tcp", "LISTEN")):
                socket = Socket(proto=proto, addr=ip4(address), port=53, pid=pid, state=state)
                changes.do(Listen(netns="box", socket=socket))
        self.proc = box.procs[self.pids["coredns"]]
        self.memory = server.memory_of(box, self.proc.pid)

    def ask(self, name: str, type: str = "A", *, edns: int = 0, tcp: bool = False) -> Message:
        asked = Message(name=name, type=type, id=7, edns=edns)
        call: Callable[..., object] = tcp_call if tcp else udp_call
        self.last = call(
            self.net, "box", ip4(HERE), 53, choose=Seeded(1), request=asked.payload(tcp=tcp), timeout=9.0, serve=serve
        )  # fmt: skip
        found = dns.of(self.last.response)  # type: ignore[attr-defined]
        assert found is not None, self.last.error  # type: ignore[attr-defined]
        return found

    def log(self) -> list[str]:
        written = self.memory.get("log", ())
        assert isinstance(written, tuple)
        return list(written)

    @property
    def upstream_legs(self) -> list[str]:
        return [leg.purpose for leg in self.last.more]  # type: ignore[attr-defined]


def data(message: Message) -> list[str]:
    return [r.data for r in message.answers]


# ---- the Corefile


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (".:53 {\n    foo\n}\n", "Corefile:2 - Error during parsing: Unknown directive 'foo'"),
        (".:53 {\n    errors\n", "Corefile:2 - Syntax error: Unexpected token 'errors', expecting '}'"),
        (".:53 {\n    cache {\n", "Corefile:2 - Error during parsing: Unexpected EOF"),
        (
            ".:53, {\n}\n",
            "Corefile:1 - Error during parsing: Expected another address but had '{' - check for extra comma",
        ),
        (".:53 {\n    import nowhere\n}\n", "Corefile:2 - Error during parsing: File to import not found: nowhere"),
        (
            ".:53 {\n    forward .\n}\n",
            "plugin/forward: Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after "
            "'.'",
        ),
        (".:53 {\n    forward . nowhere\n}\n", 'plugin/forward: not an IP address or file: "nowhere"'),
        (".:53 {\n    forward . /empty\n}\n", "plugin/forward: no nameservers found"),
        (
            ".:53 {\n    forward . 1.1.1.1 {\n        foo 1\n    }\n}\n",
            "plugin/forward: Corefile:3 - Error during parsing: unknown property 'foo'",
        ),
        (
            ".:53 {\n    kubernetes cluster.local {\n        upstream\n    }\n}\n",
            "plugin/kubernetes: Corefile:3 - Error during parsing: unknown property 'upstream'",
        ),
        (
            ".:53 {\n    kubernetes cluster.local {\n        pods some\n    }\n}\n",
            "plugin/kubernetes: wrong value for pods: some,  must be one of: disabled, verified, insecure",
        ),
        (".:53 {\n    kubernetes in-addr.arpa\n}\n", "plugin/kubernetes: non-reverse zone name must be used"),
        (".:53 {\n    cache 0\n}\n", "plugin/cache: cache TTL can not be zero or negative: 0"),
        (".:53 {\n    loop\n    loop\n}\n", "plugin/loop: this plugin can only be used once per Server Block"),
        (".:53 {\n    errors\n}\n.:53 {\n    errors\n}\n", "cannot serve dns://.:53 - it is already defined"),
        (".:53 {\n    rewrite name like a b\n}\n",
         "plugin/rewrite: name rule supports only exact, prefix, suffix, substring, and regex name matching, received: "
         "like"),
    ],
)  # fmt: skip
def test_the_errors_of_a_corefile(text: str, error: str) -> None:
    with pytest.raises(CorefileError) as refused:
        load(text, "Corefile", {"/empty": "search x\n"}.get)
    assert str(refused.value) == error


@pytest.mark.parametrize(
    "text",
    [
        ".:53 {\n    dnssec\n}\n",
        ".:53 {\n    cache {\n        prefetch 10\n    }\n}\n",
        ".:53 {\n    forward . tls://9.9.9.9\n}\n",
        ".:53 {\n    kubernetes cluster.local {\n        labels app=web\n    }\n}\n",
        "tls://.:853 {\n    errors\n}\n",
    ],
)
def test_what_is_true_and_not_here_is_refused_by_name(text: str) -> None:
    with pytest.raises(NotModelled):
        load(text, "Corefile", lambda path: None)


def test_snippets_comments_and_braces() -> None:
    text = "(snip) {\n  errors # said\n  log\n}\n# a comment\n"
    text += 'a.local, b.local:5300 {\n  import snip\n  hosts {\n    10.0.0.1 "x"\n  }\n}\n'
    (block,) = corefile.parse(text)
    assert block.keys == ("a.local", "b.local:5300")
    assert [d.name for d in block.directives] == ["errors", "log", "hosts"]
    config = load(text, "Corefile", lambda path: None)
    assert [(s.zone, s.port) for s in config.servers] == [("a.local.", 53), ("b.local.", 5300)]
    assert ("udp", 5300, 0) in config.listens()


def test_one_block_needs_no_braces() -> None:
    (block,) = corefile.parse(".\nerrors\nforward . 1.1.1.1\n")
    assert [d.name for d in block.directives] == ["errors", "forward"]


def test_plugins_stand_in_the_order_of_plugin_cfg() -> None:
    config = load(
        ".:53 {\n forward . 1.1.1.1\n kubernetes cluster.local\n loadbalance\n cache\n errors\n}\n",
        "C",
        lambda p: None,
    )
    names = [type(p).__name__ for p in config.servers[0].plugins]
    assert names == ["Errors", "LoadBalance", "Cache", "Kubernetes", "Forward"]


def test_a_prefix_becomes_reverse_zones() -> None:
    config = load("10.0.0.0/24 {\n errors\n}\n192.168.0.0/23 {\n errors\n}\n", "C", lambda p: None)
    assert [s.zone for s in config.servers] == [
        "0.0.10.in-addr.arpa.",
        "0.168.192.in-addr.arpa.",
        "1.168.192.in-addr.arpa.",
    ]


# ---- zones


def test_the_longest_zone_answers_and_no_zone_refuses() -> None:
    bench = Bench(
        "example {\n hosts {\n 1.1.1.1 a.example\n}\n}\nsub.example {\n hosts {\n 2.2.2.2 b.sub.example\n}\n}\n"
    )
    assert data(bench.ask("a.example.")) == ["1.1.1.1"]
    assert data(bench.ask("b.sub.example.")) == ["2.2.2.2"]
    assert bench.ask("elsewhere.").rcode == "REFUSED"


def test_a_stub_zone() -> None:
    bench = Bench(f". {{\n forward . {SILENT}\n}}\ncorp {{\n errors\n cache 30\n forward . {UP}\n}}\n")
    assert data(bench.ask("x.corp.")) == ["10.9.9.9"]


# ---- forward


def test_forward_asks_the_servers_of_resolv_conf() -> None:
    bench = Bench(". {\n forward . /etc/resolv.conf\n}\n")
    found = bench.ask("one.example.")
    assert (data(found), found.ra, found.aa) == (["203.0.113.1"], True, False)
    assert bench.upstream_legs == [f"CoreDNS asks {UP}:53: one.example. A"]


def test_a_silent_upstream_costs_two_seconds_a_try() -> None:
    """The third try begins within five seconds (defaultTimeout of plugin/forward); then it is down, and tried once."""
    bench = Bench(f". {{\n errors\n forward . {SILENT}\n}}\n")
    before = bench.net.clock
    assert bench.ask("one.example.").rcode == "SERVFAIL"
    assert 5.9 < bench.net.clock - before < 6.1
    before = bench.net.clock
    assert bench.ask("one.example.").rcode == "SERVFAIL"
    assert 1.9 < bench.net.clock - before < 2.1
    assert bench.log()[-1].startswith("[ERROR] plugin/errors: 2 one.example. A: read udp ")
    assert bench.log()[-1].endswith(f"->{SILENT}:53: i/o timeout")


def test_sequential_and_the_next_upstream() -> None:
    bench = Bench(f". {{\n forward . {SILENT} {UP} {{\n policy sequential\n}}\n}}\n")
    before = bench.net.clock
    assert data(bench.ask("one.example.")) == ["203.0.113.1"]
    assert 1.9 < bench.net.clock - before < 2.1
    assert len(bench.upstream_legs) == 2


def test_an_upstream_that_is_down_is_passed_over_until_it_answers_a_check() -> None:
    """plugin/pkg/proxy/health.go goes on checking, and one good check makes an upstream whole again."""
    bench = Bench(f". {{\n forward . {SILENT} {UP} {{\n policy sequential\n max_fails 1\n}}\n}}\n")
    for seconds in (2.0, 2.0, 0.0):
        before = bench.net.clock
        assert data(bench.ask("one.example.")) == ["203.0.113.1"]
        assert bench.net.clock - before == pytest.approx(seconds, abs=0.1)
    again = Bench(f". {{\n forward . {UP} {SILENT} {{\n policy sequential\n max_fails 1\n}}\n}}\n")
    again.memory["fails", Upstream(ip4(UP), 53)] = 9
    assert data(again.ask("one.example.")) == ["203.0.113.1"]
    assert [leg.split()[2] for leg in again.upstream_legs] == [f"{UP}:53:"]


def test_what_except_names_is_left_to_the_next() -> None:
    bench = Bench(f". {{\n forward . {UP} {{\n except corp\n}}\n}}\n")
    assert bench.ask("x.corp.").rcode == "SERVFAIL"
    assert data(bench.ask("one.example.")) == ["203.0.113.1"]


def test_force_tcp() -> None:
    bench = Bench(f". {{\n forward . {UP} {{\n force_tcp\n}}\n}}\n")
    bench.ask("one.example.")
    leg = bench.last.more[0]  # type: ignore[attr-defined]
    assert leg.forward.packet.ip.proto == 6


def test_settings_of_forward() -> None:
    config = load(
        ". {\n forward . 1.1.1.1 8.8.8.8:5353 {\n max_fails 3\n expire 10s\n max_concurrent 1000\n}\n}\n",
        "C",
        lambda p: None,
    )
    plugin = config.servers[0].find(Forward)
    assert plugin.to == (Upstream(ip4("1.1.1.1"), 53), Upstream(ip4("8.8.8.8"), 5353))
    assert (plugin.max_fails, plugin.max_concurrent) == (3, 1000)


def test_a_circle_is_refused_at_the_limit() -> None:
    bench = Bench(f". {{\n errors\n forward . {HERE} {{\n max_concurrent 1000\n}}\n}}\n")
    assert bench.ask("one.example.").rcode == "REFUSED"
    assert bench.log()[0].endswith("concurrent queries exceeded maximum 1000")


def test_the_loop_plugin_sees_the_circle() -> None:
    bench = Bench(f". {{\n loop\n forward . {HERE}\n}}\n")
    changes = Changes(bench.net)
    socket = Socket(proto="udp", addr=ip4("127.0.0.1"), port=53, pid=bench.proc.pid, state="UNCONN")
    changes.do(Listen(netns="box", socket=socket))
    ended = server.check_loop(bench.net, bench.net.boxes["box"], bench.proc, Seeded(1))
    assert ended is not None
    assert ended.line.startswith("[FATAL] plugin/loop: Loop (")
    assert (
        'detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO '
        in ended.line
    )
    quiet = Bench(f". {{\n loop\n forward . {UP}\n}}\n")
    assert server.check_loop(quiet.net, quiet.net.boxes["box"], quiet.proc, Seeded(1)) is None


# ---- cache


def test_an_answer_is_kept_for_its_ttl_and_counted_down() -> None:
    """The first answer has the cache's TTL already (ResponseWriter.WriteMsg in plugin/cache/cache.go)."""
    bench = Bench(f". {{\n cache 30\n forward . {UP}\n}}\n")
    assert bench.ask("one.example.").answers[0].ttl == 30
    bench.net.clock += 10
    again = bench.ask("one.example.")
    assert bench.upstream_legs == []
    assert (again.answers[0].ttl, again.aa, again.ra) == (20, True, True)
    bench.net.clock += 25
    bench.ask("one.example.")
    assert len(bench.upstream_legs) == 1


def test_a_denial_is_kept_apart() -> None:
    bench = Bench(f". {{\n cache {{\n success 100 60\n denial 100 5\n}}\n forward . {UP}\n}}\n")
    assert bench.ask("nowhere.").rcode == "NXDOMAIN"
    bench.net.clock += 3
    bench.ask("nowhere.")
    assert bench.upstream_legs == []
    bench.net.clock += 3
    bench.ask("nowhere.")
    assert len(bench.upstream_legs) == 1


def test_all_records_get_the_smallest_ttl_that_the_cache_allows() -> None:
    bench = Bench(f". {{\n cache\n forward . {UP}\n}}\n")
    found = bench.ask("www.one.example.")
    assert [(r.type, r.ttl) for r in found.answers] == [("CNAME", 20), ("A", 20)]
    short = Bench(f". {{\n cache 10 {{\n disable success\n}}\n forward . {UP}\n}}\n")
    assert [short.ask("one.example.").answers[0].ttl for _ in range(2)] == [10, 10]
    assert len(short.upstream_legs) == 1


def test_a_disabled_zone_is_not_kept() -> None:
    bench = Bench(
        f". {{\n cache 30 {{\n disable success example\n disable denial example\n}}\n forward . {UP}\n}}\n"
    )
    for _ in range(2):
        bench.ask("one.example.")
        assert len(bench.upstream_legs) == 1
    bench.ask("x.corp.")
    bench.ask("x.corp.")
    assert bench.upstream_legs == []


# ---- hosts, rewrite, template


def test_hosts_answers_and_falls_through() -> None:
    bench = Bench(f". {{\n hosts {{\n 10.9.9.9 legacy.corp\n fallthrough\n}}\n forward . {UP}\n}}\n")
    found = bench.ask("legacy.corp.")
    assert (data(found), found.aa, found.answers[0].ttl) == (["10.9.9.9"], True, 3600)
    assert data(bench.ask("filed.")) == ["10.1.1.1"], "/etc/hosts is read, too"
    assert data(bench.ask("one.example.")) == ["203.0.113.1"]
    assert data(bench.ask("9.9.9.10.in-addr.arpa.", "PTR")) == ["legacy.corp."]
    assert bench.ask("legacy.corp.", "AAAA").answers == ()


def test_hosts_without_fallthrough_hides_every_other_name() -> None:
    bench = Bench(f". {{\n hosts {{\n 10.9.9.9 legacy.corp\n}}\n forward . {UP}\n}}\n")
    assert bench.ask("one.example.").rcode == "SERVFAIL"


@pytest.mark.parametrize(
    ("rule", "asked", "answer"),
    [
        ("rewrite name new.example one.example", "new.example.", ("new.example.", "203.0.113.1")),
        ("rewrite name exact new.example one.example", "new.example.", ("new.example.", "203.0.113.1")),
        ("rewrite name suffix .test .example answer auto", "one.test.", ("one.test.", "203.0.113.1")),
        ("rewrite name suffix .test .example", "one.test.", ("one.example.", "203.0.113.1")),
        ("rewrite name prefix two one", "two.example.", ("one.example.", "203.0.113.1")),
        ("rewrite name substring zwei one", "zwei.example.", ("one.example.", "203.0.113.1")),
        (
            "rewrite name regex (.*)\\.shop\\.test {1}.example",
            "one.shop.test.",
            ("one.example.", "203.0.113.1"),
        ),
        (
            "rewrite stop {\n name regex (.*)\\.shop\\.test {1}.example\n answer name (.*)\\.example {1}.shop.test\n}",
            "one.shop.test.",
            ("one.shop.test.", "203.0.113.1"),
        ),
    ],
)
def test_rewritten_names(rule: str, asked: str, answer: tuple[str, str]) -> None:
    bench = Bench(f". {{\n {rule}\n forward . {UP}\n}}\n")
    found = bench.ask(asked)
    assert found.name == asked
    assert (found.answers[0].name.rstrip(".") + ".", found.answers[0].data) == answer


def test_a_template_answers_by_pattern() -> None:
    text = 'template IN A example {\n match ^gen-.*\n answer "{{ .Name }} 60 IN A 10.7.7.7"\n fallthrough\n}'
    bench = Bench(f". {{\n {text}\n forward . {UP}\n}}\n")
    assert data(bench.ask("gen-1.example.")) == ["10.7.7.7"]
    assert data(bench.ask("one.example.")) == ["203.0.113.1"]


# ---- log, health, ready


def test_the_line_of_a_question() -> None:
    bench = Bench(f". {{\n log\n forward . {UP}\n}}\n")
    bench.ask("one.example.")
    client = bench.last.sock  # type: ignore[attr-defined]
    assert bench.log() == [
        f'[INFO] {HERE}:{client[1]} - 7 "A IN one.example. udp 29 false 512" NOERROR qr,rd,ra 45 0.000126s'
    ]


def test_not_ready_before_the_cluster_was_seen() -> None:
    config = load(".:53 {\n ready\n kubernetes cluster.local\n}\n", "C", lambda p: None)
    assert config.ready == 8181
    assert not server.synced(config, {})
    assert server.synced(config, {VIEW: View()})


# ---- kubernetes

VIEWED = View(
    services={
        ("shop", "web"): Service("shop", "web", ("10.96.71.20",), (Port("http", "TCP", 80),)),
        ("shop", "db"): Service("shop", "db", (), (Port("pg", "TCP", 5432),), headless=True),
        ("shop", "number"): Service("shop", "number", external="203.0.113.7"),
        ("shop", "under"): Service("shop", "under", external="x.under.shop.svc.cluster.local"),
    },
    slices={
        ("shop", "db"): (Slice("db-1", (Address("10.244.1.9", "", "db-0"),), (Port("pg", "TCP", 5432),)),)
    },
    namespaces=frozenset({"shop", "hidden"}),
    pods={"10.244.1.9": frozenset({"shop"})},
    serial=1_700_000_000,
)


def kube(*lines: str, view: View | None = VIEWED) -> Bench:
    rows = "\n".join(lines)
    bench = Bench(f". {{\n kubernetes cluster.local in-addr.arpa {{\n{rows}\n}}\n forward . {UP}\n}}\n")
    if view is not None:
        bench.memory[VIEW] = view
    return bench


def test_sizes_are_those_of_real_answers() -> None:
    """coredns/coredns#6937: 72 bytes asked, NXDOMAIN of 165 (kubeadm's zone, a name of 56 bytes)."""
    bench = kube("ttl 30")
    name = "node0.pod.namespace.svc.cluster.local."
    assert len(Message(name=name).encode()) == 12 + len(name) + 1 + 4
    assert len(bench.ask(name).encode()) - len(Message(name=name).encode()) == 165 - 72


def test_before_the_first_list_unknown_is_servfail() -> None:
    assert kube(view=None).ask("web.shop.svc.cluster.local.").rcode == "SERVFAIL"


def test_the_ttl_is_five_seconds_unless_it_is_set() -> None:
    assert kube().ask("web.shop.svc.cluster.local.").answers[0].ttl == 5
    assert kube("ttl 30").ask("web.shop.svc.cluster.local.").answers[0].ttl == 30


@pytest.mark.parametrize(
    ("mode", "name", "found"),
    [
        ("", "10-244-1-9.shop.pod.cluster.local.", []),
        ("pods insecure", "10-1-2-3.shop.pod.cluster.local.", ["10.1.2.3"]),
        ("pods verified", "10-1-2-3.shop.pod.cluster.local.", []),
        ("pods verified", "10-244-1-9.shop.pod.cluster.local.", ["10.244.1.9"]),
        ("pods verified", "10-244-1-9.hidden.pod.cluster.local.", []),
    ],
)
def test_the_modes_of_pods(mode: str, name: str, found: list[str]) -> None:
    assert data(kube(mode).ask(name)) == found


def test_names_of_pods_for_endpoints() -> None:
    assert data(kube("endpoint_pod_names").ask("db-0.db.shop.svc.cluster.local.")) == ["10.244.1.9"]
    assert data(kube().ask("10-244-1-9.db.shop.svc.cluster.local.")) == ["10.244.1.9"]


def test_an_external_name_that_is_an_address_has_no_record() -> None:
    """findServices takes only what HostType says is a name (plugin/kubernetes/kubernetes.go)."""
    assert kube().ask("number.shop.svc.cluster.local.").rcode == "NXDOMAIN"


def test_an_alias_of_what_stands_under_it_is_left_out() -> None:
    """`x CNAME w.x` is a direct loop to plugin/backend_lookup.go."""
    found = kube().ask("under.shop.svc.cluster.local.")
    assert (found.rcode, found.answers) == ("NOERROR", ())


def test_nobody_is_given_the_zone() -> None:
    """plugin/kubernetes/handler.go refuses AXFR and IXFR."""
    assert kube().ask("cluster.local.", "AXFR").rcode == "REFUSED"
    assert kube().ask("cluster.local.", "IXFR").rcode == "REFUSED"


@pytest.mark.parametrize(
    ("image", "rcode"),
    [("coredns:v1.11.3", "NOERROR"), ("coredns:v1.12.0", "NXDOMAIN"), ("coredns:v1.13.1", "NOERROR")],
)
def test_for_two_releases_an_endpoint_without_a_hostname_had_no_name(image: str, rcode: str) -> None:
    """coredns/coredns#6898 (1.11.4 and 1.12.0), taken back by #7194 (1.12.1)."""
    bench = kube()
    bench.proc = replace(bench.proc, config=(*bench.proc.config, ("image", image)))
    bench.net.boxes["box"].procs[bench.proc.pid] = bench.proc
    assert bench.ask("9.1.244.10.in-addr.arpa.", "PTR").rcode == rcode


def test_only_the_listed_namespaces() -> None:
    assert kube("namespaces hidden").ask("web.shop.svc.cluster.local.").rcode == "NXDOMAIN"


def test_noendpoints_knows_no_headless_service() -> None:
    assert kube("noendpoints").ask("db.shop.svc.cluster.local.").rcode == "NXDOMAIN"


def test_fallthrough_goes_on_for_its_zones_only() -> None:
    bench = kube("fallthrough in-addr.arpa")
    bench.ask("nope.shop.svc.cluster.local.")
    assert bench.upstream_legs == []
    bench.ask("1.2.0.192.in-addr.arpa.", "PTR")
    assert len(bench.upstream_legs) == 1


def test_the_plugin_is_read_as_it_is_written() -> None:
    bench = kube("pods insecure", "ttl 30", "endpoint https://10.0.0.1:6443")
    config = server.running(bench.net.boxes["box"], bench.proc)
    assert config is not None
    plugin = config.servers[0].find(Kubernetes)
    assert (plugin.zones, plugin.primary) == (("cluster.local.", "in-addr.arpa."), "cluster.local.")
    assert (plugin.pods, plugin.ttl, plugin.api) == ("insecure", 30, "https://10.0.0.1:6443")


# ---- the message


def test_a_large_answer_is_cut_and_marked() -> None:
    bench = Bench(f". {{\n forward . {UP}\n}}\n")
    cut = bench.ask("many.example.")
    assert cut.tc
    assert len(cut.encode()) <= 512
    whole = bench.ask("many.example.", tcp=True)
    assert not whole.tc
    assert len(whole.answers) == 59


@pytest.mark.parametrize(
    "message",
    [
        Message(name="web.", id=5),
        Message(name="web.", type="SRV", id=5, rd=False, edns=1232, cookie="00ff00ff00ff00ff"),
        Message(
            name="web.", id=5, response=True, rcode="NXDOMAIN", aa=True, tc=True, ra=True, packed=True,
            answers=(Record(name="web.", type="TXT", data='"a b"', ttl=3),),
            authority=(Record(name=".", type="SOA", data="a. b. 1 2 3 4 5", ttl=9),),
            additional=(Record(name="x.", type="A", data="10.0.0.1", ttl=1),),
        ),
    ],
)  # fmt: skip
def test_a_message_and_its_text(message: Message) -> None:
    assert dns.read(message.text()) == message


def test_reverse_names() -> None:
    assert dns.reverse(ip4("10.96.71.20")) == "20.71.96.10.in-addr.arpa."
    assert dns.unreverse("20.71.96.10.in-addr.arpa.") == ip4("10.96.71.20")
    assert dns.unreverse("x.71.96.10.in-addr.arpa.") is None
