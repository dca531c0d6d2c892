"""ipset: sets of addresses, ports and devices that rules ask about (`-m set`) and change (`-j SET`).

    kinds.py     the types (hash:ip, hash:net,port, bitmap:port, list:set ...): their parts, options, sizes
    rows.py      an element, what stands beside it (timeout, counters, comment), a set's options
    buckets.py   the kernel's hash table as far as it shows: the order of a listing, "Size in memory"
    sets.py      one set: add, delete, test
    held.py      the sets of a namespace, copied when they are written to
    expand.py    what a person types (a range, a prefix) as elements
    packet.py    an element made of a packet, for rules
    refused.py   the errors of ipset 7.17
    text.py      list, save and XML
    spell.py     numbers, addresses, ports read;  read.py  elements and options
    command.py   the command itself: an argv, ops, output and exit code

Rules. Rows are frozen. Sources: ipset 7.17 (lib/), net/netfilter/ipset of Linux; measured on Linux 6.18.
"""
