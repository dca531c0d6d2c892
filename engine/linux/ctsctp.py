"""The SCTP states of connection tracking.

Theory. Each chunk moves the state by direction. A first INIT leaves the entry CLOSED; the answer's INIT ACK begins the
handshake (COOKIE_WAIT, COOKIE_ECHOED, ESTABLISHED). A HEARTBEAT begins an entry of a second path. Sources:
net/netfilter/nf_conntrack_proto_sctp.c (Linux 6.12).

Rules. States are named as `conntrack -L` prints them; nothing is stored here.
"""

from __future__ import annotations

#: seconds by state
TIMES = {
    "CLOSED": 10, "COOKIE_WAIT": 3, "COOKIE_ECHOED": 3, "ESTABLISHED": 210, "SHUTDOWN_SENT": 3, "SHUTDOWN_RECD": 3,
    "SHUTDOWN_ACK_SENT": 3, "HEARTBEAT_SENT": 30,
}  # fmt: skip
STATES = ("NONE", *TIMES)
_SHORT = dict(zip(["no", "cl", "cw", "ce", "es", "ss", "sr", "sa", "hs"], STATES, strict=True)) | {"iv": ""}
#: direction, chunk, then the next state for each of STATES; iv: the packet is invalid
_TABLE = """
original INIT              cl cl cw ce es cl cl sa cw
original INIT_ACK          cl cl cw ce es ss sr sa cl
original ABORT             cl cl cl cl cl cl cl cl cl
original SHUTDOWN          cl cl cw ce ss ss sr sa cl
original SHUTDOWN_ACK      sa cl cw ce es sa sa sa sa
original ERROR             cl cl cw ce es ss sr sa cl
original COOKIE_ECHO       cl cl ce ce es ss sr sa cl
original COOKIE_ACK        cl cl cw es es ss sr sa cl
original SHUTDOWN_COMPLETE cl cl cw ce es ss sr cl cl
original HEARTBEAT         hs cl cw ce es ss sr sa hs
original HEARTBEAT_ACK     cl cl cw ce es ss sr sa hs
reply INIT                 iv cl cw ce es cl cl sa iv
reply INIT_ACK             iv cw cw ce es cl cl sa iv
reply ABORT                iv cl cl cl cl cl cl cl iv
reply SHUTDOWN             iv cl cw ce sr cl sr sa iv
reply SHUTDOWN_ACK         iv cl cw ce es sa sa sa iv
reply ERROR                iv cl cw cl es cl cl sa iv
reply COOKIE_ECHO          iv cl ce ce es ss sr sa iv
reply COOKIE_ACK           iv cl cw es es ss sr sa iv
reply SHUTDOWN_COMPLETE    iv cl cw ce es ss sr cl iv
reply HEARTBEAT            iv cl cw ce es ss sr sa hs
reply HEARTBEAT_ACK        iv cl cw ce es ss sr sa es
"""


def _rows() -> dict[tuple[str, str], dict[str, str]]:
    out = {}
    for line in _TABLE.split("\n"):
        words = line.split()
        if words:
            out[words[0], words[1]] = dict(zip(STATES, (_SHORT[w] for w in words[2:]), strict=True))
    return out


NEXT = _rows()
#: chunks that begin no connection: what they belong to must be known already
NO_BEGINNING = ("DATA", "SACK", "ABORT", "SHUTDOWN_COMPLETE", "COOKIE_ACK")


def moved(state: str, chunk: str, direction: str) -> str:
    """The state after a chunk, "" when the packet is invalid. DATA and SACK leave it as it is."""
    row = NEXT.get((direction, chunk))
    return state if row is None else row[state]
