"""The CNI: configuration lists on a node's disk, and models of the reference plugins.

Reading order: conf.py (which file wins), call.py (what a plugin gets and gives), bridge.py, host_local.py,
portmap.py, loopback.py, masq.py, kernel.py (their netlink and iptables calls as ops), chain.py (ADD and DEL
over a list, with the result cache).
"""
