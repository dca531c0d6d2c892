"""eBPF: programs attached to a machine's hooks, and the maps that they share with user space.

    rows.py      maps, programs and attachments of one machine
    maps.py      what the bpf(2) calls do to a map: look up, update, delete, with their errnos
    context.py   what a program is given and what it may decide, one pair a program type
    hooks.py     the hooks: tc and XDP at devices, cgroup connect/sendmsg/recvmsg/getpeername, sock_ops

Theory. The model does not run bytecode: a program is a Python function named by its row (`module:function`), which
sees what the real program's context would show it, reads and writes maps only, and returns one verdict with its why.
So a dataplane of such programs has its whole state in map rows that bpftool prints. Sources: kernel
Documentation/bpf, net/core/dev.c, net/core/filter.c, net/ipv4/af_inet.c, kernel/bpf/*.c.

Rules. A program keeps nothing between calls. An attach type that is not in `rows.ATTACH` is refused by name.
"""
