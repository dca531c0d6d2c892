"""Scenes for the second kernel that a number draws: schedulers, weights, flags, what is sent and changed on the way.

Left out, as two runs of one kernel differ in it: connections of which one side never hears the other (their packets
come again by timers).
"""

from __future__ import annotations

import random

from tests.real.ipvs_scenes import DNS, IPVS_MODULES, IPVS_SHOWN, NP, VIP, ipvs
from tests.real.scene import ALL, P, Scene, Step, icmp, tcp, udp
from tests.real.tunnel_scenes import geneve, ipip, one_to_one
from tests.real.wirings import LAN, NODES

SCHEDULERS = ("rr", "wrr", "lc", "sh", "mh")
FLAGS = {"sh": ("", " -b sh-port", " -b sh-fallback", " -b sh-fallback,sh-port"), "mh": ("", " -b mh-port")}
ENDS = (P["p11"], P["p21"], P["p12"])
STEPS = 36
#: entries that end while the scene lasts would depend on how fast the machine is
PATIENT = tuple(
    f"ip netns exec {node} sysctl -qw net.netfilter.nf_conntrack_{key}=900"
    for node in NODES
    for key in ("udp_timeout", "udp_timeout_stream", "tcp_timeout_close", "icmp_timeout")
)


def ipvs_scene(seed: int) -> Scene:
    """kube-proxy's IPVS mode with everything drawn, and the table of n1 changed under way."""
    rng = random.Random(seed)
    scheduler = rng.choice(SCHEDULERS)
    weights = tuple(rng.randint(1, 5) for _ in range(rng.choice((2, 3))))
    flags = rng.choice(FLAGS.get(scheduler, ("",)))
    if rng.random() < 0.3:
        flags += f" -p {rng.choice((60, 600, 10800))}"
    there = {VIP: set(ENDS[: len(weights)])}
    steps: list[Step] = []
    while len(steps) < STEPS:
        if rng.random() < 0.2:
            steps.append(change(rng, there))
        else:
            steps.append(packet(rng))
    return Scene(
        name=f"ipvs-random-{seed}", lines=(*ipvs(scheduler=scheduler, weights=weights, flags=flags), *PATIENT),
        steps=tuple(steps), listening=ALL, modules=IPVS_MODULES, shown=IPVS_SHOWN,
    )  # fmt: skip


def change(rng: random.Random, there: dict[str, set[str]]) -> str:
    """A line of ipvsadm that the service of TCP bears now."""
    run, service = "ip netns exec n1 ipvsadm", f"-t {VIP}:80"
    here = sorted(there[VIP])
    absent = [end for end in ENDS if end not in here]
    kind = rng.choice(("weight", "weight", "add", "delete", "scheduler"))
    if kind == "add" and absent:
        end = rng.choice(absent)
        there[VIP].add(end)
        return f"{run} -a {service} -r {end}:8080 -m -w {rng.randint(0, 4)}"
    if kind == "delete" and len(here) > 1:
        end = rng.choice(here)
        there[VIP].discard(end)
        return f"{run} -d {service} -r {end}:8080"
    if kind == "scheduler":
        return f"{run} -E {service} -s {rng.choice(SCHEDULERS)}"
    return f"{run} -e {service} -r {rng.choice(here)}:8080 -m -w {rng.randint(0, 4)}"


def packet(rng: random.Random) -> Step:
    who = rng.choice(("p11", "p12", "p12", "p21", "p22", "n1", "n1", "n2"))
    return rng.choice(
        (
            tcp(who, VIP, 80), tcp(who, VIP, 80), tcp(who, VIP, 80), udp(who, DNS, 53), udp(who, DNS, 53),
            tcp("sw", *NP), tcp(rng.choice(("n1", "p12")), *NP), tcp(who, VIP, 81), udp(who, VIP, 54), icmp(who, VIP),
            tcp(who, rng.choice(ENDS), 8080),
        )
    )  # fmt: skip


def tunnel_scene(seed: int) -> Scene:
    """IPIP or Geneve between the nodes, datagrams of any size."""
    rng = random.Random(seed)
    kind = rng.choice(("tunl0", "ends", "geneve"))
    how = rng.choice(("", " ttl 64", " ttl 9"))
    lines = ipip() if kind == "tunl0" else one_to_one(how) if kind == "ends" else geneve(how)
    steps: list[Step] = []
    for _ in range(STEPS):
        who = rng.choice(("p11", "p12", "p21", "p22", "n1", "n2"))
        dst = rng.choice((*P.values(), LAN.nodes["n1"], LAN.nodes["n2"], "10.244.1.0", "10.244.2.0"))
        size = rng.choice((1, 500, 1400, 1422, 1423, 1424, 1450, 1452, 1453, 1472))
        steps.append(
            rng.choice(
                (
                    tcp(who, dst, 8080), tcp(who, dst, 22), udp(who, dst, 5353, size, df=True), udp(who, dst, 9),
                    icmp(who, dst), icmp(who, dst, min(size, 1400)),
                )
            )
        )  # fmt: skip
    return Scene(f"tunnel-random-{seed}", tuple(lines), tuple(steps), ALL, ("ipip", "geneve"))


RANDOM_SCENES = [*(ipvs_scene(seed) for seed in range(1, 5)), *(tunnel_scene(seed) for seed in range(1, 4))]
