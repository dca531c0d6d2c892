"""Names that iptables prints for numbers: protocols, services, ICMP types, log levels, users.

Rules. What a machine reads from /etc/protocols and /etc/passwd stands here as the part of Debian 12's
files that these labs meet; a name that is not here is unknown to the model, and its number prints as a number.
Sources: Debian 12 netbase 6.4, iptables 1.8.9 (`iptables -p icmp -h`).
"""

from __future__ import annotations

from engine.linux.text.services import port_number, service

#: Names that iptables itself knows, before /etc/protocols.
OWN_PROTOCOLS = {
    "tcp": 6, "sctp": 132, "udp": 17, "udplite": 136, "icmp": 1, "ipv6-icmp": 58, "icmpv6": 58, "esp": 50, "ah": 51,
    "mobility-header": 135, "ipv6-mh": 135, "mh": 135, "all": 0,
}  # fmt: skip
#: /etc/protocols, the entries that iptables does not name itself.
FILE_PROTOCOLS = {
    "ip": 0, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "egp": 8, "igp": 9, "pup": 12, "hmp": 20, "xns-idp": 22,
    "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "skip": 57, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73,
    "vmtp": 81, "eigrp": 88, "ospf": 89, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103,
    "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124, "fc": 133, "mpls-in-ip": 137, "manet": 138, "hip": 139,
    "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
}  # fmt: skip
_BY_NUMBER: dict[int, str] = {}
for _name, _number in (*OWN_PROTOCOLS.items(), *FILE_PROTOCOLS.items()):
    _BY_NUMBER.setdefault(_number, _name)


def protocol_number(text: str) -> int | None:
    """A protocol by name, in lower case; None when nobody knows it."""
    return OWN_PROTOCOLS.get(text, FILE_PROTOCOLS.get(text))


def protocol_name(number: int, *, own: bool = False) -> str | None:
    """The name that iptables prints; `own` = only the names that it carries itself (with -n)."""
    name = _BY_NUMBER.get(number)
    return name if not own or name in OWN_PROTOCOLS else None


#: Second names of ports in Debian 12's /etc/services, which may be typed and are never printed.
_ALIASES = """
sink 9|null 9|users 11|quote 17|ttytst 19|source 19|fspd 21|mail 25|timserver 37|nicname 43|www 80|kerberos5 88
krb5 88|kerberos-sec 88|tsap 102|dicom 104|pop-3 110|portmapper 111|authentication 113|tap 113|ident 113
readnews 119|untp 119|loc-srv 135|imap 143|snmptrap 162|wais 210|Clearcase 371|ssmtp 465|smtps 465|urd 465
comsat 512|whod 513|cmd 514|syslog 514|spooler 515|router 520|routed 520|uucpd 540|krcmd 544|snntp 563
lotusnotes 1352|old-radius 1645|old-radacct 1646|l2tp 1701|radacct 1813|gds_db 3050|icp 3130|subversion 3690
jabber-client 5222|jabber-server 5269|postgres 5432|rptp 5556|x11-0 6000|sge_qmaster 6444|sge_execd 6445
xfs 7100|webcache 8080|kerberos-iv 750|kdc 750|kerberos_master 751|passwd_server 752|krb_prop 754|krb5_prop 754
hprop 754|moira_db 775|moira_update 777|moira_ureg 779|lrrd 4949|sane 6566|saned 6566
"""
ALIASES = {
    name: int(port) for name, port in (row.split() for row in _ALIASES.strip().replace("\n", "|").split("|"))
}


def service_name(proto: str, port: int) -> str | None:
    name = service(port, proto)
    return None if name == str(port) else name


def service_port(proto: str | None, name: str) -> int | None:
    """The port of a service name; `proto` None = of tcp, else of udp."""
    found = (port_number(name, each) for each in ((proto,) if proto else ("tcp", "udp")))
    return next((port for port in found if port is not None), ALIASES.get(name))


#: (name, type, lowest code, highest code), in the order in which iptables searches them.
ICMP_TYPES: tuple[tuple[str, int, int, int], ...] = (
    ("any", 255, 0, 255), ("echo-reply", 0, 0, 255), ("pong", 0, 0, 255), ("destination-unreachable", 3, 0, 255),
    ("network-unreachable", 3, 0, 0), ("host-unreachable", 3, 1, 1), ("protocol-unreachable", 3, 2, 2),
    ("port-unreachable", 3, 3, 3), ("fragmentation-needed", 3, 4, 4), ("source-route-failed", 3, 5, 5),
    ("network-unknown", 3, 6, 6), ("host-unknown", 3, 7, 7), ("network-prohibited", 3, 9, 9),
    ("host-prohibited", 3, 10, 10), ("TOS-network-unreachable", 3, 11, 11), ("TOS-host-unreachable", 3, 12, 12),
    ("communication-prohibited", 3, 13, 13), ("host-precedence-violation", 3, 14, 14), ("precedence-cutoff", 3, 15, 15),
    ("source-quench", 4, 0, 255), ("redirect", 5, 0, 255), ("network-redirect", 5, 0, 0), ("host-redirect", 5, 1, 1),
    ("TOS-network-redirect", 5, 2, 2), ("TOS-host-redirect", 5, 3, 3), ("echo-request", 8, 0, 255), ("ping", 8, 0, 255),
    ("router-advertisement", 9, 0, 255), ("router-solicitation", 10, 0, 255), ("time-exceeded", 11, 0, 255),
    ("ttl-exceeded", 11, 0, 255), ("ttl-zero-during-transit", 11, 0, 0), ("ttl-zero-during-reassembly", 11, 1, 1),
    ("parameter-problem", 12, 0, 255), ("ip-header-bad", 12, 0, 0), ("required-option-missing", 12, 1, 1),
    ("timestamp-request", 13, 0, 255), ("timestamp-reply", 14, 0, 255), ("address-mask-request", 17, 0, 255),
    ("address-mask-reply", 18, 0, 255),
)  # fmt: skip

#: What `--log-level` takes, and what -L prints for each number.
LOG_LEVELS = {
    "alert": 1, "crit": 2, "debug": 7, "emerg": 0, "error": 3, "info": 6, "notice": 5, "panic": 0, "warning": 4,
}  # fmt: skip
LOG_LEVEL_NAMES = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")

#: /etc/passwd and /etc/group of a machine, as far as names go.
USERS = {"root": 0, "daemon": 1, "www-data": 33, "nobody": 65534}
GROUPS = {"root": 0, "daemon": 1, "www-data": 33, "nogroup": 65534}
