"""The same lab in the real kernel: built in namespaces of an unprivileged user namespace, driven, read, compared.

    plan.py      a Net's rows as a plan of namespaces, `ip -batch` lines, sysctls and iptables text
    nfttrace.py  nft's own trace: every rule of nft that a packet matched, in one stream with the device hops
    worker.py    runs inside `unshare -Urnm`: builds the plan, sends packets, reads the kernel's own record
    arpframes.py ARP messages put on a wire by hand
    getroute.py  RTM_GETROUTE: what the kernel would do with flows
    netlink.py   nfnetlink messages: the log of every device hop and every iptables rule (NFLOG, TRACE)
    kernel.py    the handle on a worker process, one JSON line a request
    records.py   a Journey and a kernel's record in the same words, normalised
    compare.py   both sides of one flow, and the grid that shows where they part

Rules. This room alone may run programs. The worker imports nothing of the engine but this room and only the
standard library. Everything lives in namespaces that vanish with the worker; loops are bounded.
"""
