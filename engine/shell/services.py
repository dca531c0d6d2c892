"""Port names, as /etc/services has them: the ones that the lab's tools meet. Tools without -n print and read
these."""

from __future__ import annotations

TCP = {
    20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 80: "http", 110: "pop3",
    143: "imap2",
    179: "bgp", 389: "ldap", 443: "https", 445: "microsoft-ds", 636: "ldaps", 993: "imaps", 2379: "etcd-client",
    2380: "etcd-server", 3306: "mysql", 5432: "postgresql", 5672: "amqp", 6379: "redis", 8080: "http-alt", 10250: "",
}  # fmt: skip
UDP = {
    53: "domain",
    67: "bootps",
    68: "bootpc",
    69: "tftp",
    123: "ntp",
    161: "snmp",
    443: "https",
    514: "syslog",
}


def name(port: int, proto: str) -> str:
    """The service's name or ""."""
    return (UDP if proto == "udp" else TCP).get(port, "")


def number(word: str) -> int | None:
    """A port by its number or name; None when it is neither."""
    if word.isascii() and word.isdigit():
        return int(word)
    for table in (TCP, UDP):
        for port, known in table.items():
            if known == word:
                return port
    return None
