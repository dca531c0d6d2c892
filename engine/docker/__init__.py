"""A model of dockerd 29: networks, containers, published ports, images, on one machine.

Reading order: records.py (what it remembers), names.py (ids, names, times), ipam.py (who gets which address),
rules.py (its iptables rules as text), firewall.py (putting them in and out), network.py (bridges), ports.py
(published ports and docker-proxy), files.py (hosts, resolv.conf, logs), endpoint.py (a container in a network),
spawn.py (its processes), start.py (its life), daemon.py (the daemon itself, and what people call), show.py (inspect),
load.py (from a lab file).

Rules. Like the real daemon it changes the machine only by what any root could do: devices, addresses, rules,
processes, files, all by ops. It programs rules when it acts, never in between: what a person deletes stays deleted
until the daemon restarts. Source: moby/moby v29 (daemon/libnetwork), iptables backend, on a host without IPv6.
"""
