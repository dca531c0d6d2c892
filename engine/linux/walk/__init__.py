"""How a packet crosses a kernel, in reading order: frames (wires, bridges, ARP), then packets (hooks, routes).

    words.py      every why the walker gives, in both languages
    walker.py     Walker: the steps of one packet, its events and its end
    l2.py         devices, wires, bridges with br_netfilter
    devices.py    what each other kind of device does with a frame: tunnels (tunnel.py vxlan.py ipip.py wireguard.py),
                  devices on devices (upper.py), tun
    arp.py        the neighbour table and the question behind it
    timers.py     what time alone does to neighbours and learned addresses
    routing.py    the routing decision and its why
    hooks.py      what is registered at netfilter's hooks, in the kernel's order
    programs.py   what eBPF programs at a device do with a frame
    inbound.py    receive, check the source, route, forward or take in
    outbound.py   send, and put out
    track.py      conntrack: look up, begin, confirm
    nattuple.py   which address and port a connection is translated to
    nat.py        NAT set-up and rewriting
    ipvs.py       virtual services (words_ipvs.py: its whys)
    deliver.py    sockets, ICMP, resets: what a kernel answers by itself

Theory. One packet is one `Walker` run. Functions take a frame or an skb and return an Event: the frame's next
arrival at a device, or the End. The loop in walker.py turns events into one list of steps; only a flooded frame
forks. Order at a hook is `hooks.registered`. Sources: facts 10 section 1 and net/ipv4/*.c, net/bridge/*.c.
"""

from engine.linux.walk.walker import End, Walker

__all__ = ["End", "Walker"]
