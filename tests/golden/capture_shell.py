"""Captures what the real tools print, in a lab of network namespaces, as transcripts: tests/golden/shell/*.txt.

Run by hand where a golden has to change:  python tests/golden/capture_shell.py [SCENE...]   (needs `unshare -Urnm`;
tcpdump's scene needs a real root, because tcpdump sets its groups)

A transcript is lines `PLACE$ COMMAND`, what it printed (both streams, as a terminal shows them) and `[code N]`.
The tests replay the same commands in the model; numbers that are nobody's choice (times, ids, ports) are masked there.
The lab: a (10.0.1.2) - r - b (10.0.2.2), three namespaces, two veth pairs; r forwards.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent / "shell"

LAB = """
mount -t tmpfs none /run; mkdir -p /run/netns
ip netns add a; ip netns add b; ip netns add r
ip link add va type veth peer name ra; ip link add vb type veth peer name rb
ip link set va netns a; ip -n a link set va name eth0; ip link set vb netns b; ip -n b link set vb name eth0
ip link set ra netns r; ip link set rb netns r
ip -n a link set eth0 address 0a:00:00:00:01:02; ip -n b link set eth0 address 0a:00:00:00:02:02
ip -n r link set ra address 0a:00:00:00:01:01; ip -n r link set rb address 0a:00:00:00:02:01
ip -n a addr add 10.0.1.2/24 dev eth0; ip -n b addr add 10.0.2.2/24 dev eth0
ip -n r addr add 10.0.1.1/24 dev ra; ip -n r addr add 10.0.2.1/24 dev rb
for n in a b r; do
  ip -n $n link set lo up
  ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
done
ip -n a link set eth0 up; ip -n b link set eth0 up; ip -n r link set ra up; ip -n r link set rb up
ip -n a route add default via 10.0.1.1; ip -n b route add default via 10.0.2.1
ip netns exec r sysctl -qw net.ipv4.ip_forward=1
mount --bind /tmp/k8snet-hosts /etc/hosts; mount --bind /tmp/k8snet-resolv /etc/resolv.conf
"""

#: A web server in b whose answers hold nothing of its own time; one segment an answer.
WEB = (
    "ip netns exec b python3 -c '"
    "import http.server as h\n"
    "class H(h.BaseHTTPRequestHandler):\n"
    ' protocol_version="HTTP/1.1"\n'
    " wbufsize=65536\n"
    ' def version_string(self): return "test/1"\n'
    ' def date_time_string(self,t=None): return "Sat, 21 Nov 2026 09:00:00 GMT"\n'
    " def do_GET(self):\n"
    '  ok=self.path!="/nope"; b=b"hello\\n" if ok else b"no\\n"; self.send_response(200 if ok else 404)\n'
    '  self.send_header("Content-Type","text/plain"); self.send_header("Content-Length",str(len(b)))\n'
    "  self.end_headers()\n"
    '  if self.command!="HEAD": self.wfile.write(b)\n'
    " do_POST=do_GET\n"
    " do_HEAD=do_GET\n"
    " def log_message(self,*a): pass\n"
    'h.ThreadingHTTPServer(("",80),H).serve_forever()\' & sleep 1'
)

#: scene -> (commands before it, the transcript's commands as (namespace, command))
SCENES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "ping": (
        "",
        [
            ("a", "ping -c 2 10.0.2.2"),
            ("a", "ping -c 1 -q 10.0.2.2"),
            ("a", "ping -c 2 -i 0.2 -s 8 10.0.2.2"),
            ("a", "ping -c 1 -n 10.0.1.2"),
            ("a", "ping -c1 127.0.0.1"),
            ("a", "ping -c 1 web"),
            ("a", "ping -4 -c1 localhost"),
            ("a", "ping -c 1 -s 100 -t 1 10.0.2.2"),
            ("a", "ping -c 1 -I eth0 10.0.2.2"),
            ("a", "ping -c 1 -I 10.0.1.2 10.0.2.2"),
            ("a", "ping -c 1 -I 10.0.9.2 10.0.2.2"),
            ("a", "ping -c 1 -I eth9 10.0.2.2"),
            ("a", "ping -c 1 -M do -s 1472 10.0.2.2"),
            ("a", "ping -c 1 -M do -s 1473 10.0.1.1"),
            ("a", "ping nosuch"),
            ("a", "ping"),
            ("a", "ping -z 10.0.2.2 2>&1 | head -4"),
            ("a", "ping -c 0 10.0.2.2"),
            ("a", "ping -c x 10.0.2.2"),
            ("a", "ping -s x 10.0.2.2"),
            ("a", "ping -t 256 10.0.2.2"),
            ("a", "ping -M bla 10.0.2.2"),
            ("a", "ping -c"),
            ("a", "ping -c 1 10.0.1.255"),
        ],
    ),
    "ping-fails": (
        "",
        [
            ("a", "ping -c 1 10.0.1.9"),
            ("a", "ping -c 3 10.0.1.9"),
            ("a", "ping -c 2 -W 1 10.0.1.9"),
            ("a", "ping -c 1 10.0.2.9"),
            ("a", "ping -c 1 -q 10.0.2.9"),
            ("a", "sleep 3"),
            ("a", "ping -c 1 8.8.8.8"),
            ("a", "ip route del default"),
            ("a", "ping -c 1 9.9.9.9"),
            ("a", "ip route add unreachable 9.9.9.9"),
            ("a", "ping -c 1 9.9.9.9"),
            ("a", "ip route replace prohibit 9.9.9.9"),
            ("a", "ping -c 1 9.9.9.9"),
            ("a", "ip route replace blackhole 9.9.9.9"),
            ("a", "ping -c 1 9.9.9.9"),
            ("a", "ip route add default via 10.0.1.1"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -p icmp -j DROP"),
            ("a", "ping -c 2 -W 1 10.0.2.2"),
            ("a", "ping -w 3 10.0.2.2"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -p icmp -j REJECT"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -p icmp -j REJECT --reject-with icmp-admin-prohibited"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "iptables -F FORWARD"),
            ("r", "ip link set rb mtu 1400"),
            ("a", "ping -c 1 -M do -s 1400 10.0.2.2"),
            ("a", "iptables -A OUTPUT -d 10.0.2.2 -j DROP"),
            ("a", "ping -c 1 -W 1 10.0.2.2"),
            ("a", "iptables -F OUTPUT"),
            ("a", "iptables -A OUTPUT -d 10.0.2.2 -j REJECT"),
            ("a", "ping -c 1 -W 1 10.0.2.2"),
        ],
    ),
    "curl": (
        WEB,
        [
            ("a", "curl -s 10.0.2.2"),
            ("a", "curl -s http://10.0.2.2/nope"),
            ("a", "curl -sf http://10.0.2.2/nope"),
            ("a", "curl -sI http://10.0.2.2/"),
            ("a", "curl -si http://10.0.2.2/"),
            ("a", "curl -sv http://10.0.2.2/"),
            ("a", "curl -sv -H 'Host: web.example' -H 'X-A: b' http://10.0.2.2/x?y=1"),
            ("a", "curl -sv -d a=b http://10.0.2.2/x"),
            ("a", "curl -sv -X DELETEX http://10.0.2.2:81/x"),
            ("a", "curl -s -o /dev/null -w '%{http_code}\\n' http://10.0.2.2/"),
            (
                "a",
                "curl -s -o /dev/null -w '%{http_code} %{remote_ip}:%{remote_port} %{local_ip}\\n' http://10.0.2.2/nope",
            ),
            ("a", "curl -s http://10.0.2.2:81/"),
            ("a", "curl -sS http://10.0.2.2:81/"),
            ("a", "curl -sSv http://10.0.2.2:81/"),
            ("a", "curl -s -w '%{http_code}\\n' http://10.0.2.2:81/"),
            ("a", "curl -sS http://nosuch/"),
            ("a", "curl -sSv http://nosuch/"),
            ("a", "curl -sS http://web/"),
            ("a", "curl -sSv --resolve foo:80:10.0.2.2 http://foo/"),
            ("a", "curl -sS -m 2 http://10.0.2.9/"),
            ("a", "curl -sS http://10.0.2.9/"),
            ("a", "curl -sS http://10.0.1.9/"),
            ("a", "curl -sSv -m 2 http://10.0.1.9/"),
            ("a", "curl -sS http://8.8.8.8/"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j DROP"),
            ("a", "curl -sS -m 2 http://10.0.2.2/"),
            ("a", "curl -sS --connect-timeout 2 http://10.0.2.2/"),
            ("a", "curl -sSv -m 2 http://10.0.2.2/"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j REJECT"),
            ("a", "curl -sS http://10.0.2.2/"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j REJECT --reject-with icmp-host-unreachable"),
            ("a", "curl -sSv http://10.0.2.2/"),
            ("r", "iptables -F FORWARD"),
            ("a", "ip route del default"),
            ("a", "curl -sSv http://9.9.9.9/"),
            ("a", "curl"),
            ("a", "curl -9 x"),
            ("a", "curl --nosuch x"),
            ("a", "curl -m x 10.0.2.2"),
            ("a", "curl -sS ftpx://10.0.2.2/"),
            ("a", "curl -sS -I -d x http://10.0.2.2/"),
            ("a", "curl -sS http://10.0.2.2:99999/"),
            ("a", "curl -sS 'http://a b/'"),
        ],
    ),
    "nc": (
        "ip netns exec b python3 -m http.server 80 >/dev/null 2>&1 &"
        " ip netns exec b nc -lk -p 5000 >/dev/null & ip netns exec b nc -luk -p 5001 >/dev/null & sleep 1",
        [
            ("a", "nc -zv 10.0.2.2 80"),
            ("a", "nc -z 10.0.2.2 80"),
            ("a", "nc -zv 10.0.2.2 81"),
            ("a", "nc -z 10.0.2.2 81"),
            ("a", "nc -zv -w 1 10.0.1.9 80"),
            ("a", "nc -zv 10.0.1.9 80"),
            ("a", "nc -zv 8.8.8.8 80"),
            ("a", "nc -zv nosuch 80"),
            ("a", "nc -zv web 80"),
            ("a", "nc -zvn 10.0.2.2 80"),
            ("a", "nc -zv 10.0.2.2 79-81"),
            ("a", "nc -zvu 10.0.2.2 5001"),
            ("a", "nc -zvu 10.0.2.2 5002"),
            ("a", "echo hi | nc -w 1 10.0.2.2 5000"),
            ("a", "echo hi | nc -v -N 10.0.2.2 5000"),
            ("a", "nc -v -w 1 10.0.2.2 81"),
            ("a", "nc -w 1 10.0.2.2 81"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j DROP"),
            ("a", "nc -zv -w 1 10.0.2.2 80"),
            ("a", "nc -z -w 1 10.0.2.2 80"),
            ("a", "nc"),
            ("a", "nc 10.0.2.2"),
            ("a", "nc -zv 10.0.2.2 99999"),
            ("a", "nc -zv 10.0.2.2 http"),
            ("a", "nc -Y 10.0.2.2 80 2>&1 | head -3"),
            ("b", "nc -l -p 80"),
        ],
    ),
    "traceroute": (
        "for n in a b r; do ip netns exec $n sysctl -qw net.ipv4.icmp_ratelimit=0; done",
        [
            ("a", "traceroute -n 10.0.2.2"),
            ("a", "traceroute 10.0.2.2"),
            ("a", "traceroute -n -I 10.0.2.2"),
            ("a", "traceroute -n -q 1 10.0.2.2"),
            ("a", "traceroute -n -q 1 -m 1 10.0.2.2"),
            ("a", "traceroute -n -q 1 10.0.2.9"),
            ("a", "traceroute -n -q 1 10.0.1.9"),
            ("a", "traceroute -n -q 1 8.8.8.8"),
            ("a", "traceroute -n web"),
            ("a", "traceroute nosuch"),
            ("a", "traceroute -Y 10.0.2.2"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j DROP"),
            ("a", "traceroute -n -m 3 -w 1 10.0.2.2"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j REJECT --reject-with icmp-admin-prohibited"),
            ("a", "traceroute -n -q 1 10.0.2.2"),
            ("r", "iptables -F FORWARD"),
            ("r", "iptables -A OUTPUT -p icmp --icmp-type 11 -j DROP"),
            ("a", "traceroute -n -q 2 -w 1 10.0.2.2"),
            ("a", "ip route del default"),
            ("a", "traceroute -n 10.0.2.2"),
        ],
    ),
    "tcpdump": (
        WEB,
        [
            ("r", "WATCH tcpdump -n -i ra"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "ip neigh flush all"),
            ("r", "WATCH tcpdump -ne -i ra"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i any icmp"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -ne -i any icmp"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra tcp port 80"),
            ("a", "curl -s -o /dev/null http://10.0.2.2/"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra tcp port 81"),
            ("a", "curl -s http://10.0.2.2:81/"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra -v icmp"),
            ("a", "ping -c 1 -t 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra udp or icmp"),
            ("a", "traceroute -n -q 1 -m 2 -N 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra -c 1 icmp"),
            ("a", "ping -c 1 10.0.2.2"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -nv -i ra tcp port 80"),
            ("a", "curl -s -o /dev/null http://10.0.2.2/"),
            ("r", "SHOW"),
            ("r", "WATCH tcpdump -n -i ra -q"),
            ("a", "curl -s -o /dev/null http://10.0.2.2/"),
            ("r", "SHOW"),
            ("r", "tcpdump -i eth9"),
            ("r", "tcpdump -n -i ra foo bar"),
            ("r", "tcpdump -n -i ra port"),
            ("r", "tcpdump -n -i ra port 99999"),
            ("r", "tcpdump -n -i ra icmp and"),
            ("r", "tcpdump -n -i ra -c x"),
        ],
    ),
    "busybox": (
        WEB,
        [
            ("a", "busybox ping -c 2 10.0.2.2"),
            ("a", "busybox ping -c 1 -q 10.0.2.2"),
            ("a", "busybox ping -c 1 web"),
            ("a", "busybox ping -c 1 -W 1 10.0.2.9"),
            ("a", "busybox ping -c 1 -W 4 10.0.1.9"),
            ("a", "busybox ping -c 1 -W 1 -t 1 10.0.2.2"),
            ("a", "busybox ping -c 1 nosuch"),
            ("a", "busybox ping 2>&1 | head -3"),
            ("a", "busybox wget -qO- http://10.0.2.2/"),
            ("a", "busybox wget -O - http://10.0.2.2/"),
            ("a", "busybox wget -qO- http://10.0.2.2:81/"),
            ("a", "busybox wget -qO- http://10.0.2.2/nope"),
            ("a", "busybox wget -qO- http://nosuch/"),
            ("a", "busybox wget --spider http://10.0.2.2/"),
            ("a", "busybox traceroute -n 10.0.2.2"),
            ("a", "busybox traceroute -n -q 1 10.0.2.9"),
            ("r", "iptables -A FORWARD -d 10.0.2.2 -j DROP"),
            ("a", "busybox ping -c 2 -W 1 10.0.2.2"),
            ("a", "ip route del default"),
            ("a", "busybox ping -c 1 9.9.9.9"),
            ("a", "busybox wget -qO- http://9.9.9.9/"),
            ("a", "busybox traceroute -n 9.9.9.9"),
        ],
    ),
    "processes": (
        "ip netns exec a sleep 1000 & ip netns exec b sleep 2000 & sleep 0.5",
        [
            ("", "ps"),
            ("", "ps aux"),
            ("", "ps -ef"),
            ("", "ps -e -o pid,ppid,comm"),
            ("", "ps -eo pid,args"),
            ("", "ps -o pid= -C sleep"),
            ("", "ps -p 1 -o pid,cmd"),
            ("", "ps -Z9"),
            ("", "lsns"),
            ("", "lsns -t net"),
            ("", "lsns -p 1"),
            ("", "lsns -n -t net -o NS,TYPE,PID,COMMAND"),
            ("", "lsns -t foo"),
            ("", "lsns --nosuch"),
            ("", "nsenter -t 99999 -n true"),
            ("", "nsenter -n true"),
            ("", "nsenter -t 1 -n hostname -Q"),
            ("", "nsenter --bad"),
            ("", "kill 99999"),
            ("", "kill"),
            ("", "kill -l TERM"),
            ("", "kill abc"),
            ("", "kill -FOO 1"),
            ("", "readlink /proc/99999/ns/net"),
        ],
    ),
}


def script(scene: str) -> str:
    """The bash program of one scene."""
    before, commands = SCENES[scene]
    lines = [LAB, before, "exec 2>&1"]
    for place, command in commands:
        inside = f"ip netns exec {place} " if place else ""
        quoted = command.replace("'", "'\\''")
        if command.startswith("WATCH "):
            real = command.removeprefix("WATCH ")
            real = real.replace("tcpdump", "tcpdump -Z root -l")
            lines.append(f"printf '%s\\n' '{place}$ {quoted}'")
            lines.append(f"{inside}{real} > /tmp/k8snet-watch 2>&1 & W=$!; sleep 1.2")
        elif command == "SHOW":
            lines.append("sleep 1.2; kill -INT $W 2>/dev/null; sleep 0.5")
            lines.append(f"echo '{place}$ SHOW'; cat /tmp/k8snet-watch; echo '[code 0]'")
        else:
            lines.append(
                f"printf '%s\\n' '{place}$ {quoted}'; {inside}bash -c '{quoted}'; echo \"[code $?]\""
            )
    return "\n".join(lines)


def capture(scene: str) -> None:
    Path("/tmp/k8snet-hosts").write_text("127.0.0.1\tlocalhost\n10.0.2.2\tweb\n")
    Path("/tmp/k8snet-resolv").write_text("")
    program = Path("/tmp/k8snet-scene")
    program.write_text(script(scene))
    done = subprocess.run(
        [
            "unshare",
            "-nm" if scene == "tcpdump" else "-Urnm",
            "--pid",
            "--fork",
            "--mount-proc",
            "bash",
            str(program),
        ],
        capture_output=True,
        text=True,
    )
    HERE.mkdir(exist_ok=True)
    (HERE / f"{scene}.txt").write_text(done.stdout)
    sys.stderr.write(done.stderr)


if __name__ == "__main__":
    for name in sys.argv[1:] or SCENES:
        capture(name)
