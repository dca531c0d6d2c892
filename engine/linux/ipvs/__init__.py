"""IPVS: virtual services, their real servers, the connections that it balances, and how it chooses.

    rows.py     services, destinations, connections: what a kernel holds
    states.py   what TCP and UDP packets do to a connection
    table.py    Ipvs: everything of one namespace; binding, expiry, counters
    sched.py    the schedulers that look at the servers' load: rr wrr lc wlc sed nq
    hashing.py  the schedulers that look at addresses: sh dh mh

What happens to a packet is in walk/ipvs.py. Sources: net/netfilter/ipvs of Linux 6.1, compared with that very kernel
(tests/golden/second, docs/lab-notes/ipvs.md).
"""
