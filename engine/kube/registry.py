"""Pulling images: which registry has what, whether a node can reach it, and the error when it cannot.

Theory. An air-gapped node resolves no public name, so every pull from outside fails at the lookup. A registry
inside the lab is a machine that the node's /etc/hosts names (or an address): it is reached by a real connection
in the lab, and it mirrors every image of the catalogue under the last part of its name. A public registry has
every tag that the catalogue knows, and any repository that the catalogue does not know (manifests of real
clusters name such images). Texts: containerd 2.x core/remotes/docker; facts 10 section 3.4.
"""

from __future__ import annotations

import hashlib
import json

from engine.kube.runtime import StoredImage
from engine.l7 import catalogue, images
from engine.linux.addr import ip4, text4
from engine.linux.net import Net
from engine.linux.rows import Box
from engine.record import dataclass

#: Registries whose API stands at another host name.
API_HOSTS = {"docker.io": "registry-1.docker.io"}


#: Docker's official images (docker.io/library) beside those of the catalogue; other names there do not exist.
OFFICIAL = frozenset((
    "adminer", "aerospike", "almalinux", "alt", "amazonlinux", "arangodb", "archlinux", "backdrop", "bash",
    "bonita", "buildpack-deps", "caddy", "cassandra", "chronograf", "cirros", "clearlinux", "clefos", "clojure",
    "composer", "convertigo", "couchbase", "couchdb", "crate", "dart", "drupal", "eclipse-mosquitto",
    "eclipse-temurin", "eggdrop", "elasticsearch", "elixir", "emqx", "erlang", "fedora", "flink", "fluentd",
    "friendica", "gazebo", "gcc", "geonetwork", "ghost", "golang", "gradle", "groovy", "haproxy", "haskell",
    "haxe", "hitch", "hylang", "ibm-semeru-runtimes", "ibmjava", "influxdb", "irssi", "jetty", "joomla",
    "jruby", "julia", "kapacitor", "kibana", "kong", "krakend", "lightstreamer", "liquibase", "logstash",
    "mageia", "mariadb", "matomo", "maven", "mediawiki", "mongo", "mongo-express", "monica", "nats",
    "nats-streaming", "neo4j", "neurodebian", "nextcloud", "node", "notary", "odoo", "open-liberty", "openjdk",
    "oraclelinux", "orientdb", "percona", "perl", "photon", "php", "php-zendserver", "phpmyadmin", "plone",
    "postfixadmin", "pypy", "r-base", "rabbitmq", "rakudo-star", "rethinkdb", "rocket.chat", "rockylinux",
    "ros", "ruby", "rust", "sapmachine", "satosa", "scratch", "silverpeas", "sl", "solr", "sonarqube",
    "sourcemage", "spark", "spiped", "storm", "swift", "swipl", "teamspeak", "telegraf", "tomcat", "tomee",
    "traefik", "unit", "varnish", "vault", "websphere-liberty", "wordpress", "xwiki", "yourls", "zookeeper",
    "centos", "consul", "docker",
))  # fmt: skip


class PullError(Exception):
    """Why a pull failed: the text behind `rpc error: code = CODE desc = `."""

    def __init__(self, text: str, code: str = "Unknown") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Pulls for one node. `air_gapped`: no public registry can be reached."""

    net: Net
    box: Box
    air_gapped: bool = False

    def pull(self, text: str, now: float) -> StoredImage:
        """Pull an image by any form of its name. PullError with containerd's text; images.ReferenceError_."""
        ref = images.parse(text)
        name = ref.normal
        wrap = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
        local = self.local_address(ref.registry)
        if local is not None:
            self.connect(ref.registry, local, wrap, ref)
        elif self.air_gapped or "." not in ref.registry.split(":")[0]:
            host = API_HOSTS.get(ref.registry, ref.registry)
            raise PullError(
                f"{wrap}failed to do request: {self.head(host, ref)}: dial tcp: {self.no_lookup(host)}"
            )
        if not has(ref):
            if ref.registry == images.DEFAULT_REGISTRY and ref.repository not in catalogue.BY_REPOSITORY:
                raise PullError(
                    f"{wrap}pull access denied, repository does not exist or may require authorization: server "
                    "message: insufficient_scope: authorization failed"
                )
            raise PullError(f"{wrap}{name}: not found", "NotFound")
        return stored(name, now)

    def head(self, host: str, ref: images.Reference) -> str:
        return f'Head "https://{host}/v2/{ref.path}/manifests/{ref.tag or ref.digest}"'

    def no_lookup(self, host: str) -> str:
        """Go's resolver error for a name that the site's resolver does not know."""
        name = host.split(":")[0]
        for line in self.box.files.get("/etc/resolv.conf", "").splitlines():
            words = line.split()
            if words[:1] == ["nameserver"] and len(words) > 1:
                return f"lookup {name} on {words[1]}:53: no such host"
        return f"lookup {name}: no such host"

    def local_address(self, registry: str) -> int | None:
        """The address of a registry inside the lab: written as an address, or named in /etc/hosts."""
        name = registry.split(":")[0]
        if name.replace(".", "").isdigit():
            return ip4(name)
        for line in self.box.files.get("/etc/hosts", "").splitlines():
            words = line.split("#")[0].split()
            if name in words[1:] and name != "localhost":
                return ip4(words[0]) if ":" not in words[0] else None
        return None

    def connect(self, registry: str, address: int, wrap: str, ref: images.Reference) -> None:
        """Open a connection in the lab to a registry of the lab, on a copy: a pull leaves no trace in conntrack."""
        from engine.linux.choose import Seeded
        from engine.linux.exchange import tcp_call

        port = int(registry.partition(":")[2] or 443)
        call = tcp_call(self.net.borrowed(), self.box.name, address, port, choose=Seeded(0), timeout=30.0)
        if not call.error:
            return
        words = {
            "ECONNREFUSED": "connect: connection refused", "EHOSTUNREACH": "connect: no route to host",
            "ENETUNREACH": "connect: network is unreachable",
        }.get(call.error, "i/o timeout")  # fmt: skip
        host = f"{text4(address)}:{port}"
        code = "DeadlineExceeded" if words == "i/o timeout" else "Unknown"
        raise PullError(
            f"{wrap}failed to do request: {self.head(registry, ref)}: dial tcp {host}: {words}", code
        )


def has(ref: images.Reference) -> bool:
    """Has the registry behind this reference such an image?"""
    public = {r.split("/")[0] for r in catalogue.BY_REPOSITORY}
    if (ref.registry not in public and "." not in ref.registry.split(":")[0]) or ":" in ref.registry:
        tail = ref.path.rsplit("/", 1)[-1]
        known = [
            i for r, rows in catalogue.BY_REPOSITORY.items() if r.rsplit("/", 1)[-1] == tail for i in rows
        ]
        return not known or any(i.has_tag(ref.tag) for i in known)
    if ref.repository in catalogue.BY_REPOSITORY:
        return images.find(ref.normal) is not None
    library = f"{images.DEFAULT_REGISTRY}/library/"
    return not ref.repository.startswith(library) or ref.path.removeprefix("library/") in OFFICIAL


def archive(names: list[str]) -> str:
    """What stands for an image archive (docker save, ctr images export): the manifest.json that is in one."""
    return json.dumps([{"RepoTags": [name]} for name in names]) + "\n"


def archived(text: str) -> list[str] | None:
    """The images in an archive; None for a file that is none."""
    try:
        rows = json.loads(text)
        return [str(tag) for row in rows for tag in row["RepoTags"]]
    except (ValueError, TypeError, KeyError):
        return None


def stored(name: str, now: float, *, pinned: bool = False) -> StoredImage:
    """The row of an image in a node's store."""
    ref = images.parse(name)
    source = mirrored(ref)
    config = hashlib.sha256(
        f"config {ref.path.rsplit('/', 1)[-1]}:{ref.tag}{ref.digest}".encode()
    ).hexdigest()
    return StoredImage(
        name=ref.normal, digest=images.digest(source), id=f"sha256:{config}", size=images.size(source) or 25_000_000,
        pinned=pinned, stored=now,
    )  # fmt: skip


def mirrored(ref: images.Reference) -> str:
    """The catalogue's own name of an image that a mirror has under the last part of it; else the name itself."""
    if ref.repository in catalogue.BY_REPOSITORY or ref.digest:
        return ref.normal
    tail = ref.path.rsplit("/", 1)[-1]
    for repository, rows in catalogue.BY_REPOSITORY.items():
        if repository.rsplit("/", 1)[-1] == tail and any(i.has_tag(ref.tag) for i in rows):
            return f"{repository}:{ref.tag}"
    return ref.normal
