"""Captures what the real DNS tools print, against a name server of this file: tests/golden/dns/*.txt.

Run by hand where a golden has to change:  python tests/golden/capture_dns.py [SCENE...]
(needs `unshare -rnm`, bind9-dnsutils, bind9-host, busybox, getent; gcc and musl-gcc for the scenes glibc and musl)

A transcript is lines `$ COMMAND`, what it printed (both streams, as a terminal shows them) and `[code N]`. The tests
replay the same commands in the model, where a CoreDNS holds the same names; ids, cookies, times are masked there.
The name server answers at 10.96.0.10 as CoreDNS does: AA and no RA for cluster.local, names not compressed, the OPT
record of the question without its options. 10.96.0.11 refuses, 10.96.0.12 is silent.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent / "dns"
SERIAL = 1767225600
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
ZONE = "cluster.local."
WEB = "web.shop.svc.cluster.local."
PAY = "pay.shop.svc.cluster.local."
DB = "db.shop.svc.cluster.local."
#: (name, type) -> (answers, additional); a record is (name, ttl, type, data)
Row = tuple[str, int, str, str]
ANSWERS: dict[tuple[str, str], tuple[list[Row], list[Row]]] = {
    (WEB, "A"): ([(WEB, 30, "A", "10.96.71.20")], []),
    (DB, "A"): ([(DB, 30, "A", f"10.244.1.{n}") for n in (9, 10, 11)], []),
    (PAY, "A"): (
        [(PAY, 30, "CNAME", "api.example.com."), ("api.example.com.", 60, "A", "203.0.113.10")],
        [],
    ),
    (PAY, "AAAA"): ([(PAY, 30, "CNAME", "api.example.com.")], []),
    (PAY, "MX"): ([], []),
    (PAY, "CNAME"): ([(PAY, 30, "CNAME", "api.example.com.")], []),
    ("_http._tcp." + WEB, "SRV"): (
        [("_http._tcp." + WEB, 30, "SRV", f"0 100 80 {WEB}")],
        [(WEB, 30, "A", "10.96.71.20")],
    ),
    ("20.71.96.10.in-addr.arpa.", "PTR"): ([("20.71.96.10.in-addr.arpa.", 30, "PTR", WEB)], []),
    ("dns-version." + ZONE, "TXT"): ([("dns-version." + ZONE, 28800, "TXT", "1.1.0")], []),
    (ZONE, "SOA"): ([(ZONE, 30, "SOA", f"ns.dns.{ZONE} hostmaster.{ZONE} {SERIAL} 7200 1800 86400 30")], []),
    ("api.example.com.", "A"): ([("api.example.com.", 60, "A", "203.0.113.10")], []),
    ("one.example.", "A"): ([("one.example.", 60, "A", "203.0.113.1")], []),
}
NODATA = {WEB, DB, "_http._tcp." + WEB, "dns-version." + ZONE, "api.example.com."}
RCODES = {"broken.example.": 2, "refused.example.": 5}


def name_bytes(name: str) -> bytes:
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"


def record_bytes(row: Row) -> bytes:
    name, ttl, type, data = row
    words = data.split(" ")
    if type == "A":
        body = socket.inet_aton(data)
    elif type in ("CNAME", "PTR", "NS"):
        body = name_bytes(data)
    elif type == "SRV":
        body = struct.pack(">3H", *(int(w) for w in words[:3])) + name_bytes(words[3])
    elif type == "TXT":
        body = bytes([len(data)]) + data.encode()
    elif type == "SOA":
        body = name_bytes(words[0]) + name_bytes(words[1]) + struct.pack(">5I", *(int(w) for w in words[2:]))
    else:
        raise ValueError(type)
    return name_bytes(name) + struct.pack(">HHIH", TYPES[type], 1, ttl, len(body)) + body


def answer(question: bytes) -> bytes:
    id, flags, _, _, _, extra = struct.unpack(">6H", question[:12])
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += question[at] + 1
    name = ".".join(labels) + "."
    number = struct.unpack(">H", question[at + 1 : at + 3])[0]
    asked = question[12 : at + 5]
    type = next((t for t, n in TYPES.items() if n == number), "")
    rest = question[at + 5 :]
    found, more = ANSWERS.get((name.lower(), type), ([], []))
    rcode = RCODES.get(name.lower(), 0)
    authority: list[Row] = []
    bits = 0x8000 | (flags & 0x0110) | rcode
    if name.lower().endswith((ZONE, "in-addr.arpa.")) or name.lower() == "one.example.":
        bits |= 0x0400
    zone = "in-addr.arpa." if name.lower().endswith("in-addr.arpa.") else ZONE
    if not found and not rcode:
        known = name.lower() in NODATA or name.lower() in (PAY, ZONE, "one.example.")
        if name.lower().endswith(zone):
            soa = f"ns.dns.{zone} hostmaster.{zone} {SERIAL} 7200 1800 86400 30"
            authority = [(zone, 30, "SOA", soa)]
        elif not known:
            bits |= 0x0400
        bits |= 0 if known else 3
    opt = b""
    if extra:
        size = struct.unpack(">H", rest[3:5])[0]
        opt = b"\0" + struct.pack(">HHIH", 41, size, 0, 0)
    head = struct.pack(">6H", id, bits, 1, len(found), len(authority), len(more) + bool(opt))
    body = b"".join(record_bytes(r) for r in (*found, *authority, *more))
    return head + asked + body + opt


#: what was asked so far: (server, name, type, proto)
ASKED: list[tuple[str, str, str, str]] = []


def note(server: str, question: bytes, proto: str) -> None:
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += question[at] + 1
    number = struct.unpack(">H", question[at + 1 : at + 3])[0]
    ASKED.append(
        (server, ".".join(labels) + ".", next((t for t, n in TYPES.items() if n == number), "?"), proto)
    )


def hush(silent: socket.socket) -> None:
    while True:
        note("10.96.0.12", silent.recvfrom(4096)[0], "udp")


def serve() -> None:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("10.96.0.10", 53))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("10.96.0.12", 53))
    threading.Thread(target=hush, args=(silent,), daemon=True).start()
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind(("10.96.0.10", 53))
    tcp.listen()

    def stream(conn: socket.socket) -> None:
        while head := conn.recv(2):
            question = conn.recv(struct.unpack(">H", head)[0])
            note("10.96.0.10", question, "tcp")
            out = answer(question)
            conn.sendall(struct.pack(">H", len(out)) + out)

    def streams() -> None:
        while True:
            conn, _ = tcp.accept()
            threading.Thread(target=stream, args=(conn,), daemon=True).start()

    threading.Thread(target=streams, daemon=True).start()
    while True:
        data, peer = udp.recvfrom(4096)
        note("10.96.0.10", data, "udp")
        udp.sendto(answer(data), peer)


#: scene -> the commands
SCENES: dict[str, list[str]] = {
    "dig": [
        f"dig {c}".strip()
        for c in (
            f"{WEB[:-1]}",
            "web",
            "+search web",
            "+short web.shop.svc.cluster.local",
            f"+short {DB[:-1]}",
            f"-t SRV _http._tcp.{WEB}",
            f"{WEB[:-1]} AAAA",
            "nope.example",
            "+noall +answer " + PAY[:-1],
            "-x 10.96.71.20",
            "-x 10.96.71.20 +short",
            f"@10.96.0.10 {WEB} +noedns",
            f"TXT dns-version.{ZONE}",
            f"+short TXT dns-version.{ZONE}",
            f"+noall +answer +comments {WEB}",
            f"{WEB} +tcp",
            "broken.example",
            "refused.example",
            f"+short {PAY[:-1]}",
            f"+short SRV _http._tcp.{WEB}",
            f"+noall +stats {WEB}",
            f"+nocomments {WEB}",
            f"+noquestion {WEB}",
            f"+nostats +nocmd {WEB}",
            f"{WEB} A {PAY} A +short",
            "+search +short web",
            "+search nope",
            "+short nope",
            f"+noall +authority nope.{ZONE}",
            f"+norecurse +noall +comments {WEB}",
            f"-t A -q {WEB} +short",
            f"-p 53 {WEB} +short",
            "@10.96.0.11 web.",
            "@10.96.0.12 web. +time=1 +tries=1",
            "@10.96.0.12 web. +time=1 +tries=2 +short",
            "+bogus web",
            "-Z web",
            "+domain=shop.svc.cluster.local +noall +answer web",
            f"+multiline +noall +authority nope.{ZONE}",
            f"+nosearch +ttlid +noall +answer {WEB}",
            f"+nottlid +noall +answer {WEB}",
            f"+noclass +noall +answer {WEB}",
            f"-4 +short {WEB}",
            "@nosuch. web",
            f"+qr +noedns {WEB}",
            f"+identify +short {WEB}",
            f"BOGUS {WEB} +short",
            "-h",
            "-v",
            "+ndots=5 +search +short web.shop",
            "+showsearch web.shop +ndots=5 +short",
            "axfr refused.example.",
            "ixfr=3 refused.example.",
            "axfr refused.example. +short",
            "axfr +noall +answer refused.example.",
            "-t AXFR cluster.local. +short",
            "web.shop.svc.cluster.local. ANY",
            "HTTPS web.shop.svc.cluster.local. +short",
            "TYPE65 web.shop.svc.cluster.local. +noall +comments",
            "CAA web.shop.svc.cluster.local. +noall +comments",
            "-x 10.96.71.21",
            "@10.96.0.11 web. +tcp +time=1 +tries=1",
            "@10.96.0.11 web. +tcp +time=1 +tries=2",
            "web.shop.svc.cluster.local. +nord +noall +comments",
            "SOA cluster.local. +multiline",
            "-t bogus web.shop.svc.cluster.local. +short",
            "+short a web.shop.svc.cluster.local. aaaa",
            "+time=x web",
            "a..b",
            f"{'a' * 64}.example",
            "-x 10.96.71.20 -x 10.96.71.21 +short",
        )
    ],
    "nslookup": [
        f"nslookup {c}".strip()
        for c in (
            "web",
            WEB[:-1],
            WEB,
            "nope",
            "web.shop",
            DB[:-1],
            PAY[:-1],
            f"-type=srv _http._tcp.{WEB}",
            "-type=aaaa web",
            "10.96.71.20",
            "10.96.71.21",
            f"{WEB} 10.96.0.10",
            "web 10.96.0.11",
            "-timeout=1 -retry=1 web 10.96.0.12",
            "broken.example",
            "refused.example",
            "-debug web",
            f"-query=txt dns-version.{ZONE}",
            "-type=ptr 20.71.96.10.in-addr.arpa",
            f"-type=cname {PAY}",
            f"-type=mx {PAY}",
            f"-type=soa {ZONE}",
            f"-type=any {WEB}",
            "-nosearch web",
            "-bogus web",
            "-type=bogus web",
            f"-norecurse {WEB}",
            f"-vc {WEB}",
            f"-port=53 {WEB}",
            "-type=a web",
            "-version",
            "web nosuch.",
            "-type=ns web",
            "one.example",
            "-debug nope",
            "-vc web 10.96.0.11",
            "-ndots=1 web.shop",
            "web 10.96.0.10 extra",
            "-type=ptr 10.96.71.20",
            "a..b",
        )
    ],
    "host": [
        f"host {c}".strip()
        for c in (
            "web",
            WEB,
            "nope",
            "web.shop",
            DB,
            PAY,
            f"-t srv _http._tcp.{WEB}",
            "-t aaaa web",
            "10.96.71.20",
            "10.96.71.21",
            f"{WEB} 10.96.0.10",
            "web 10.96.0.11",
            "-W 1 -R 1 web 10.96.0.12",
            "broken.example",
            "refused.example",
            f"-t txt dns-version.{ZONE}",
            f"-t cname {PAY}",
            f"-t soa {ZONE}",
            f"-t mx {PAY}",
            f"-v {WEB}",
            f"-a {WEB}",
            "-N 5 web.shop",
            f"-T {WEB}",
            f"-r {WEB}",
            "-t ptr 20.71.96.10.in-addr.arpa",
            "-4 web",
            "-t bogus web",
            "-y",
            "",
            "one.example",
            "-v nope",
            "-v web.shop",
            "-v -t a broken.example",
            "nope.",
            "-t a 10.96.71.20",
            "-N 1 web.shop",
            "-V",
            "a..b",
        )
    ],
    "busybox": [
        f"busybox nslookup {c}".strip()
        for c in (
            "web",
            WEB[:-1],
            WEB,
            "nope",
            "web.shop",
            DB[:-1],
            PAY[:-1],
            f"-type=srv _http._tcp.{WEB}",
            "-type=aaaa web",
            "10.96.71.20",
            "10.96.71.21",
            f"{WEB} 10.96.0.10",
            f"{WEB} 10.96.0.11",
            f"{WEB} 10.96.0.12",
            "broken.example",
            "refused.example",
            f"-type=txt dns-version.{ZONE}",
            f"-query=a {WEB}",
            "-type=ptr 20.71.96.10.in-addr.arpa",
            f"-type=soa {ZONE}",
            "-type=bogus web",
            "",
            f"-type=cname {PAY}",
            "one.example",
            "-debug one.example",
            "web. 10.96.0.10:53",
            "web 10.96.0.10",
            "-retry=1 -timeout=1 web. 10.96.0.12",
            "-port=54 web.",
            "-x web",
            "-ty=a web.shop.svc.cluster.local.",
            "web 10.96.0.10 x",
        )
    ],
    "getent": [
        f"getent {c}".strip()
        for c in (
            "hosts web",
            "ahosts web",
            "ahostsv4 web",
            "hosts nope",
            "hosts 10.96.71.20",
            f"hosts {DB}",
            f"ahosts {DB}",
            f"hosts {PAY}",
            "hosts localhost",
            "ahosts pinned",
            "hosts pinned",
            "ahostsv4 10.96.71.20",
            "hosts",
            "bogus x",
            "",
            f"ahostsv4 {PAY}",
            "ahostsv6 web",
            "hosts web nope",
            "hosts 10.96.71.21",
            "ahosts 10.1",
            "hosts 010.1",
        )
    ],
}
#: scenes whose servers differ: name -> (resolv.conf, commands)
DEAD: dict[str, tuple[str, list[str]]] = {
    "refused": (
        "nameserver 10.96.0.11\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
        ["dig web", "nslookup web", "host web", "busybox nslookup web", "getent hosts web", "dig +short web"],
    ),
    "silent": (
        "nameserver 10.96.0.12\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
        ["dig web", "nslookup web", "host web", "busybox nslookup web", "getent hosts web"],
    ),
}
CONF = (
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
)
HOSTS = "127.0.0.1\tlocalhost\n10.1.2.3\tpinned pinned.example\n"


#: getaddrinfo of a program, and what it asked: (servers, options, name); the search list is always the same
LOOKUPS: list[tuple[str, str, str]] = [
    *(
        ("10", "ndots:5", n)
        for n in (
            "web",
            "web.shop",
            "web.other",
            "web.shop.svc",
            WEB[:-1],
            WEB,
            "one.example",
            "one.example.",
            "nope",
            "db",
            "pay",
            "api.example.com",
            "broken.example",
            "broken.example.",
            "refused.example",
            "broken.shop.svc.cluster.local",
        )
    ),
    *(
        ("10", "ndots:2", n)
        for n in ("web", "web.shop", "web.shop.svc", "api.example.com", "one.example", "a.b.nope")
    ),
    *(("10", "ndots:1", n) for n in ("web", "web.shop", "nope", "nope.example")),
    ("10", "ndots:5 single-request", "web.shop"),
    ("10", "ndots:5 single-request-reopen", "web"),
    ("10", "ndots:5 use-vc", "web"),
    ("10", "ndots:5 no-aaaa", "web.shop"),
    ("11", "ndots:5", "web"),
    ("11 10", "ndots:5", "web"),
    ("11", "ndots:5 attempts:1", "web.shop"),
    ("12", "ndots:5", "web"),
    ("12", "ndots:1", "nope.example"),
    ("12 10", "ndots:5", "web"),
    ("12 10", "ndots:5", "web.shop"),
    ("12", "ndots:5 timeout:1 attempts:1", "web"),
    ("12", "ndots:5 timeout:2 attempts:3", "web."),
    ("12 12 12", "ndots:5", "web."),
    ("12 11", "ndots:5 timeout:1", "web."),
    ("10 12", "ndots:5", "broken.example."),
    ("11", "ndots:5", "web."),
    ("11", "ndots:5 use-vc", "web."),
    ("12", "ndots:5 timeout:1 attempts:9", "web."),
    ("10", "ndots:5", "-a.nope"),
    ("10", "ndots:5", "web..shop"),
    ("10", "ndots:5 no-tld-query", "nope"),
]
PROGRAM = r"""
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
int main(int argc, char **argv) {
    struct addrinfo hints, *all = 0, *one;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int code = getaddrinfo(argv[1], 0, &hints, &all);
    if (code) { printf("%s\n", gai_strerror(code)); return 0; }
    for (one = all; one; one = one->ai_next) {
        char text[64];
        if (one->ai_family != AF_INET) continue;
        inet_ntop(AF_INET, &((struct sockaddr_in *)one->ai_addr)->sin_addr, text, sizeof text);
        printf("%s ", text);
    }
    puts("");
    return 0;
}
"""
COMPILERS = {"glibc": "gcc", "musl": "musl-gcc"}
SEARCH = "search shop.svc.cluster.local svc.cluster.local cluster.local\n"


def lookups(libc: str) -> None:
    """What a program with this C library asks for a name, in which order, and how long it waits."""
    folder = Path(tempfile.mkdtemp())
    (folder / "x.c").write_text(PROGRAM)
    subprocess.run(
        [COMPILERS[libc], "-static", "-o", folder / "x", folder / "x.c"], check=True, capture_output=True
    )
    conf = Path("/etc/resolv.conf")
    lines = []
    for servers, options, name in LOOKUPS:
        text = SEARCH + "".join(f"nameserver 10.96.0.{n}\n" for n in servers.split()) + f"options {options}\n"
        conf.write_text(text)
        ASKED.clear()
        started = time.monotonic()
        done = subprocess.run([folder / "x", name], capture_output=True, text=True)
        seconds = round(time.monotonic() - started)
        lines.append(f"{servers} | {options} | {name} | {seconds} s | {done.stdout.strip()}")
        lines += [
            f"    {server.rpartition('.')[2]} {proto} {type} {full}" for server, full, type, proto in ASKED
        ]
    (HERE / f"lookups-{libc}.txt").write_text("\n".join(lines) + "\n")


def inside(scene: str) -> None:
    """Runs in namespaces of its own: the name server in the background, the commands one by one."""
    conf, commands = DEAD.get(scene) or (CONF, SCENES.get(scene, []))
    folder = Path(tempfile.mkdtemp())
    for file, text in (("resolv.conf", conf), ("hosts", HOSTS), ("nsswitch.conf", "hosts: files dns\n")):
        (folder / file).write_text(text)
        subprocess.run(["mount", "--bind", str(folder / file), f"/etc/{file}"], check=True)
    for address in ("10.96.0.10", "10.96.0.11", "10.96.0.12"):
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    threading.Thread(target=serve, daemon=True).start()
    time.sleep(0.2)
    if scene in COMPILERS:
        lookups(scene)
        return
    lines = []
    for command in commands:
        done = subprocess.run(
            command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
        )  # fmt: skip
        lines += [f"$ {command}", done.stdout.rstrip("\n"), f"[code {done.returncode}]"]
    (HERE / f"{scene}.txt").write_text("\n".join(line for line in lines) + "\n")


def main(argv: list[str]) -> None:
    if argv[:1] == ["--inside"]:
        inside(argv[1])
        return
    HERE.mkdir(exist_ok=True)
    for scene in argv or [*SCENES, *DEAD, *COMPILERS]:
        command = ["unshare", "-rnm", sys.executable, __file__, "--inside", scene]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
