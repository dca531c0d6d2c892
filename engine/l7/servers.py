"""The servers that images run: what each listens on, needs, and answers, from its own command line.

Rules. One function a program, named in SERVERS by the executable; a flag that it does not understand is NotModelled.
Sources: the programs' own help and the entrypoints of their official images.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.l7 import calico
from engine.l7.behaviour import SIMPLER, Behaviour, Call, flags_of, needs_terminal, port_of, server
from engine.record import replace


def _nginx(call: Call) -> Behaviour:
    if call.argv[1:] not in (("-g", "daemon off;"), ("-g", "daemon off; error_log /dev/stderr info;")):
        raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())
    image = call.image
    version = image.version if image is not None else "1.29.3"
    repository = image.repository if image is not None else ""
    ports = [int(p.split("/")[0]) for p in image.ports] if image is not None and image.ports else [80]
    page, root = "file", "/usr/share/nginx/html"
    worker = ("nginx: worker process",)
    more = {"HTTP_PORT": 80, "HTTPS_PORT": 443}
    if repository.endswith("/network-multitool"):
        listens = [("tcp", int(call.env.get(k, v))) for k, v in more.items()]
    else:
        listens = [("tcp", p) for p in ports]
    log = (
        "/docker-entrypoint.sh: Configuration complete; ready for start up",
        f"[notice] 1#1: nginx/{version}",
        "[notice] 1#1: start worker processes",
    )
    return server(
        "http",
        (f"nginx: master process {' '.join(call.argv)}",),
        listens,
        children=(worker, worker),
        log=log,
        page=page,
        docroot=root,
        server=f"nginx/{version}",
        comm="nginx",
        access="nginx",
    )


def _httpd_foreground(call: Call) -> Behaviour:
    version = call.image.version if call.image is not None else "2.4.66"
    args = ("httpd", "-DFOREGROUND")
    log = (
        f"[mpm_event:notice] [pid 1:tid 1] AH00489: Apache/{version} (Unix) configured -- resuming normal operations",
        "[core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'",
    )
    return server(
        "http",
        args,
        [("tcp", 80)],
        children=(args, args, args),
        log=log,
        page="file",
        docroot="/usr/local/apache2/htdocs",
        server=f"Apache/{version} (Unix)",
        access="httpd",
    )


def _busybox_httpd(call: Call) -> Behaviour:
    """busybox httpd [-f] [-v] [-p [IP:]PORT] [-h HOME]; without -f it goes to the background and its parent ends."""
    flags = flags_of(call, {"-p": "PORT", "-h": "HOME", "-f": "", "-v": "", "-vv": ""})
    port = port_of(call, flags.get("-p", "80").rpartition(":")[2])
    if "-f" not in flags:
        return Behaviour(args=call.argv, seconds=0, code=0)
    return server("http", call.argv, [("tcp", port)], page="file", docroot=flags.get("-h", "/"), server="")


def _http_echo(call: Call) -> Behaviour:
    flags = flags_of(call, {"-listen": "ADDR", "-text": "TEXT", "-status-code": "N"})
    text = flags.get("-text", call.env.get("ECHO_TEXT", "hello-world"))
    port = port_of(call, flags.get("-listen", ":5678").rpartition(":")[2])
    return server(
        "http",
        call.argv,
        [("tcp", port)],
        log=(f"[INFO] server is listening on :{port}",),
        page="text",
        text=text + "\n",
        server="",
        status=flags.get("-status-code", "200"),
        access="http-echo",
    )


def _whoami(call: Call) -> Behaviour:
    flags = flags_of(call, {"-port": "N", "-name": "NAME", "-verbose": ""})
    port = port_of(call, flags.get("-port", call.env.get("WHOAMI_PORT_NUMBER", "80")))
    name = flags.get("-name", call.env.get("WHOAMI_NAME", ""))
    log = (f"Starting up on port {port}",)
    return server("http", call.argv, [("tcp", port)], log=log, page="whoami", title=name, server="")


def _agnhost(call: Call) -> Behaviour:
    verb = call.argv[1] if len(call.argv) > 1 else "pause"
    rest = replace(call, argv=(call.argv[0], *call.argv[2:]))
    if verb == "pause":
        return Behaviour(args=call.argv, program="sleep", log=("Paused",))
    if verb == "netexec":
        flags = flags_of(rest, {"-http-port": "N", "-udp-port": "N", "-sctp-port": "N"})
        if "-sctp-port" in flags:
            raise NotModelled("agnhost netexec --sctp-port", SIMPLER())
        tcp, udp = (
            port_of(call, flags.get("-http-port", "8080")),
            port_of(call, flags.get("-udp-port", "8081")),
        )
        listens = [("tcp", tcp), ("udp", udp)]
        log = (f"Started HTTP server on port {tcp}", f"Started UDP server on port  {udp}")
        return server("http", call.argv, listens, log=log, page="netexec", server="")
    if verb == "serve-hostname":
        flags = flags_of(rest, {"-port": "N", "-http": "BOOL", "-tcp": "BOOL", "-udp": "BOOL"})
        if "true" in (flags.get("-tcp"), flags.get("-udp")):
            raise NotModelled("agnhost serve-hostname --tcp/--udp", SIMPLER())
        port = port_of(call, flags.get("-port", "9376"))
        return server("http", call.argv, [("tcp", port)], page="hostname", server="")
    raise NotModelled(f"agnhost {verb}", SIMPLER())


def _echoserver(call: Call) -> Behaviour:
    args = ("nginx: master process nginx -g daemon off;",)
    return server(
        "http",
        args,
        [("tcp", 8080), ("tcp", 8443)],
        children=(("nginx: worker process",),),
        page="echoserver",
        server="echoserver",
        comm="nginx",
    )


def _python(call: Call) -> Behaviour:
    """`python3 -m http.server [PORT]`; a bare python3 needs a terminal."""
    if call.argv[1:3] == ("-m", "http.server") and len(call.argv) <= 4:
        port = port_of(call, call.argv[3]) if len(call.argv) == 4 else 8000
        listing = (
            '<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<title>Directory listing for /</title>\n</head>\n<body>\n<h1>Directory listing for /</h1>\n"
        )
        return server(
            "http",
            call.argv,
            [("tcp", port)],
            page="text",
            text=listing,
            server="SimpleHTTP/0.6 Python/3.14.0",
            access="python",
        )
    if len(call.argv) == 1:
        return needs_terminal(call)
    raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())


def _redis(call: Call) -> Behaviour:
    flags = flags_of(
        call, {"-port": "N", "-appendonly": "YES", "-save": "S", "-bind": "A", "-protected-mode": "B"}
    )
    port = port_of(call, flags.get("-port", "6379"))
    log = (f"1:M * Running mode=standalone, port={port}.", "1:M * Ready to accept connections tcp")
    return server(
        "echo",
        (f"redis-server *:{port}",),
        [("tcp", port)],
        log=log,
        reply="redis",
        comm="redis-server",
    )


POSTGRES_REFUSES = """\
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about "trust":
       https://www.postgresql.org/docs/current/auth-trust.html"""
MYSQL_REFUSES = """\
[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified
    You need to specify one of the following as an environment variable:
    - MYSQL_ROOT_PASSWORD
    - MYSQL_ALLOW_EMPTY_PASSWORD
    - MYSQL_RANDOM_ROOT_PASSWORD"""


def _postgres(call: Call) -> Behaviour:
    if not call.env.get("POSTGRES_PASSWORD") and call.env.get("POSTGRES_HOST_AUTH_METHOD") != "trust":
        return Behaviour(
            args=call.argv, seconds=0, code=1, log=tuple(POSTGRES_REFUSES.splitlines()), stream="stderr"
        )
    log = ("LOG:  database system is ready to accept connections",)
    return server("echo", call.argv, [("tcp", 5432)], log=log, reply="postgres")


def _mysql(call: Call) -> Behaviour:
    keys = ("MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD")
    if not any(call.env.get(k) for k in keys):
        return Behaviour(
            args=call.argv, seconds=0, code=1, log=tuple(MYSQL_REFUSES.splitlines()), stream="stderr"
        )
    log = ("[System] [MY-010931] [Server] mysqld: ready for connections.",)
    return server("echo", call.argv, [("tcp", 3306), ("tcp", 33060)], log=log, reply="mysql")


def _memcached(call: Call) -> Behaviour:
    flags = flags_of(call, {"-p": "N", "-m": "MB", "-c": "N"})
    return server("echo", call.argv, [("tcp", port_of(call, flags.get("-p", "11211")))], reply="memcached")


def _coredns(call: Call) -> Behaviour:
    flags = flags_of(call, {"-conf": "FILE"})
    listens = [("udp", 53), ("tcp", 53), ("tcp", 9153), ("tcp", 8080), ("tcp", 8181)]
    log = (".:53", "CoreDNS-1.13.1", "linux/amd64, go1.25.2")
    return server("coredns", call.argv, listens, log=log, conf=flags.get("-conf", "Corefile"))


def _node_cache(call: Call) -> Behaviour:
    """NodeLocal DNSCache: a CoreDNS whose Corefile is filled in from a template when it starts."""
    known = {
        "-localip": "A,B",
        "-conf": "FILE",
        "-upstreamsvc": "NAME",
        "-pidfile": "FILE",
        "-basecorefile": "FILE",
    }
    flags = flags_of(call, known)
    listens = [("udp", 53), ("tcp", 53), ("tcp", 9253), ("tcp", 8080)]
    return server(
        "coredns", call.argv, listens, conf=flags.get("-conf", "/etc/Corefile"), localip=flags.get("-localip", ""),
        base=flags.get("-basecorefile", "/etc/coredns/Corefile.base"),
        upstream=flags.get("-upstreamsvc", ""),
    )  # fmt: skip


def netcat(call: Call) -> Behaviour:
    """`nc -l ...` is a server that listens and says nothing; without -l it is a client, a tool."""
    letters = "".join(w[1:] for w in call.argv[1:] if w.startswith("-") and not w.startswith("--"))
    if "l" not in letters:
        return Behaviour(args=call.argv, tool=True, seconds=0)
    numbers = [w for w in call.argv[1:] if w.isdigit()]
    if not numbers or "e" in letters or "c" in letters:
        raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())
    proto = "udp" if "u" in letters else "tcp"
    return server("sink", call.argv, [(proto, port_of(call, numbers[-1]))])


def _hello_world(call: Call) -> Behaviour:
    log = (
        "",
        "Hello from Docker!",
        "This message shows that your installation appears to be working correctly.",
        "",
    )
    return Behaviour(args=call.argv, seconds=0, log=log)


def _pause(call: Call) -> Behaviour:
    return Behaviour(args=call.argv, program="pause")


SERVERS: dict[str, Callable[[Call], Behaviour]] = {
    "nginx": _nginx, "httpd-foreground": _httpd_foreground, "httpd": _busybox_httpd, "http-echo": _http_echo,
    "whoami": _whoami, "agnhost": _agnhost, "run.sh": _echoserver, "python3": _python, "python": _python,
    "redis-server": _redis, "postgres": _postgres, "mysqld": _mysql, "memcached": _memcached, "coredns": _coredns,
    "node-cache": _node_cache,
    "nc": netcat, "hello": _hello_world, "pause": _pause,
    "start_runit": calico.start_runit, "install": calico.once, "calico-ipam": calico.once,
    "calico-node": calico.once, "kube-controllers": calico.controllers, "check-status": calico.once,
}  # fmt: skip
