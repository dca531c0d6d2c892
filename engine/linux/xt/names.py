"""Names that iptables prints for numbers: protocols, services, ICMP types, log levels, users.

Rules. What a machine reads from /etc/protocols, /etc/services, /etc/passwd stands here as the part of Debian 12's
files that these labs meet; a name that is not here is unknown to the model, and its number prints as a number.
Sources: Debian 12 netbase 6.4, iptables 1.8.9 (`iptables -p icmp -h`).
"""

from __future__ import annotations

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
    "shim6": 140, "wesp": 141, "rohc": 142,
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


#: /etc/services: name -> port, and the transport protocols that carry it.
_SERVICES = """
tcpmux 1 t|echo 7 tu|discard 9 tu|systat 11 t|daytime 13 tu|netstat 15 t|qotd 17 t|chargen 19 tu|ftp-data 20 t
ftp 21 t|fsp 21 u|ssh 22 t|telnet 23 t|smtp 25 t|time 37 tu|whois 43 t|tacacs 49 tu|domain 53 tu|bootps 67 u
bootpc 68 u|tftp 69 u|gopher 70 t|finger 79 t|http 80 t|kerberos 88 tu|iso-tsap 102 t|acr-nema 104 t|pop3 110 t
sunrpc 111 tu|auth 113 t|nntp 119 t|ntp 123 u|epmap 135 t|netbios-ns 137 u|netbios-dgm 138 u|netbios-ssn 139 t
imap2 143 t|snmp 161 tu|snmp-trap 162 tu|cmip-man 163 tu|cmip-agent 164 tu|mailq 174 t|xdmcp 177 u|bgp 179 t
smux 199 t|qmtp 209 t|z3950 210 t|ipx 213 u|ptp-event 319 u|ptp-general 320 u|pawserv 345 t|zserv 346 t
rpc2portmap 369 tu|codaauth2 370 tu|clearcase 371 u|ldap 389 tu|svrloc 427 tu|https 443 tu|snpp 444 t
microsoft-ds 445 tu|kpasswd 464 tu|submissions 465 t|saft 487 t|isakmp 500 u|rtsp 554 tu|nqs 607 t|asf-rmcp 623 u
qmqp 628 t|ipp 631 t|ldp 646 tu|exec 512 t|biff 512 u|login 513 t|who 513 u|shell 514 t|syslog 514 u|printer 515 t
talk 517 u|ntalk 518 u|route 520 u|gdomap 538 tu|uucp 540 t|klogin 543 t|kshell 544 t|dhcpv6-client 546 u
dhcpv6-server 547 u|afpovertcp 548 t|nntps 563 t|submission 587 t|ldaps 636 tu|tinc 655 tu|silc 706 t
kerberos-adm 749 t|domain-s 853 tu|rsync 873 t|ftps-data 989 t|ftps 990 t|telnets 992 t|imaps 993 t|pop3s 995 t
socks 1080 t|proofd 1093 t|rootd 1094 t|openvpn 1194 tu|rmiregistry 1099 t|lotusnote 1352 t|ms-sql-s 1433 t
ms-sql-m 1434 u|ingreslock 1524 t|datametrics 1645 tu|sa-msg-port 1646 tu|kermit 1649 t|groupwise 1677 t
l2f 1701 u|radius 1812 tu|radius-acct 1813 tu|cisco-sccp 2000 t|nfs 2049 tu|gnunet 2086 tu|rtcm-sc104 2101 tu
gsigatekeeper 2119 t|gris 2135 t|cvspserver 2401 t|venus 2430 t|mon 2583 tu|zabbix-agent 10050 t
zabbix-trapper 10051 t|dict 2628 t|gsiftp 2811 t|gpsd 2947 t|gds-db 3050 t|icpv2 3130 u|isns 3205 tu
iscsi-target 3260 t|mysql 3306 t|ms-wbt-server 3389 t|nut 3493 tu|distcc 3632 t|daap 3689 t|svn 3690 t
suucp 4031 t|sysrqd 4094 t|sieve 4190 t|epmd 4369 t|remctl 4373 t|f5-iquery 4353 t|ntske 4460 t|ipsec-nat-t 4500 u
iax 4569 u|mtn 4691 t|radmin-port 4899 t|sip 5060 tu|sip-tls 5061 tu|xmpp-client 5222 t|xmpp-server 5269 t
cfengine 5308 t|mdns 5353 u|postgresql 5432 t|freeciv 5556 t|amqps 5671 t|amqp 5672 t|x11 6000 t|x11-1 6001 t
gnutella-svc 6346 tu|sge-qmaster 6444 t|mysql-proxy 6446 t|babel 6696 u|ircs-u 6697 t|bbs 7000 t|font-service 7100 t
http-alt 8080 tu|puppet 8140 t|bacula-dir 9101 t|xmms2 9667 t|nbd 10809 t|amanda 10080 t|dicom 11112 t
hkp 11371 t|db-lsp 17500 t|dcap 22125 t|wnn6 22273 t|asp 27374 tu|vboxd 20012 t|binkp 24554 t
"""
_PORT_NAMES: dict[tuple[str, int], str] = {}
_NAME_PORTS: dict[tuple[str, str], int] = {}
for _entry in _SERVICES.replace("\n", "|").split("|"):
    if _entry:
        _name, _port, _where = _entry.split()
        for _letter in _where:
            _proto = {"t": "tcp", "u": "udp"}[_letter]
            _PORT_NAMES.setdefault((_proto, int(_port)), _name)
            _NAME_PORTS.setdefault((_proto, _name), int(_port))


def service_name(proto: str, port: int) -> str | None:
    return _PORT_NAMES.get((proto, port))


def service_port(proto: str | None, name: str) -> int | None:
    """The port of a service name; `proto` None = of any protocol."""
    for each in (proto,) if proto else ("tcp", "udp"):
        if (each, name) in _NAME_PORTS:
            return _NAME_PORTS[(each, name)]
    return None


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
