"""What programs and commands ask for: a call by TCP, a question by UDP, a ping. The names to import.

Reading order: act.py (what they share), tcp.py, datagram.py, sctp.py.
"""

from engine.linux.act import (
    CONNECT_TIMEOUT,
    HOP_SECONDS,
    ICMP_ERRNO,
    Act,
    Answer,
    Call,
    Delivery,
    Serve,
    ephemeral,
    local_address,
    packet_of,
    silent,
)
from engine.linux.datagram import ping_call, udp_call
from engine.linux.sctp import sctp_call
from engine.linux.tcp import tcp_call

__all__ = [
    "CONNECT_TIMEOUT",
    "HOP_SECONDS",
    "ICMP_ERRNO",
    "Act",
    "Answer",
    "Call",
    "Delivery",
    "Serve",
    "ephemeral",
    "local_address",
    "packet_of",
    "ping_call",
    "sctp_call",
    "silent",
    "tcp_call",
    "udp_call",
]
