"""Felix's chains for pods and policies: dispatch by device, one pair of chains a pod, one pair a policy and a profile.

Theory. cali-tw-DEV judges what goes to a pod (ingress), cali-fw-DEV what comes from it (egress). A packet of a known
connection passes at once. Then each policy that selects the pod for this direction is asked; the first that accepts
ends it. Where a policy selects the pod and none accepted, the end of the tier drops. Where none selects the pod, its
namespace's profile accepts everything. A policy's rule is two rows: one sets the accept bit for what it lets in, the
next returns with it.

Rules. The order and the words are felix's (felix/rules/{dispatch,endpoints,policy}.go; facts 10 section 6.6).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence

from engine.kube.cni.calico_conf import VXLAN_PORT
from engine.kube.cni.calico_ipam import fnv32
from engine.kube.policy.convert import EGRESS, INGRESS, Allow, Policy
from engine.kube.policy.endpoint import Endpoint
from engine.kube.policy.render import (
    ACCEPT,
    ACCEPTED,
    DROP,
    ENDPOINT,
    NON_CALI,
    PASSED,
    RETURN,
    SCRATCH0,
    SCRATCH1,
    Chain,
    Part,
    Rule,
    came_in,
    clear_mark,
    dports,
    goes_out,
    goto,
    in_set,
    jump,
    limited,
    mark_clear,
    mark_is,
    mark_not_clear,
    mark_set,
    net,
    proto,
    proto_number,
    set_mark,
    set_masked,
    set_name,
    state,
)
from engine.kube.policy.selector import EVERYBODY, Selector, unique_id
from engine.record import dataclass

KIND = "KubernetesNetworkPolicy"
UNKNOWN = Rule(do=DROP, comments=("Unknown interface",))
TIER = "default"
#: port slots of one multiport match: a range takes two
SLOTS = 15
#: of a group's policies, how many are asked before the bits are looked at again
STRIDE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNeed:
    """An ipset that a rule asks: pods by a selector, or by a selector and a named port."""

    id: str
    selector: Selector
    port: str = ""
    proto: str = ""


def policy_chain(direction: str, policy: Policy) -> str:
    return limited("cali-pi-" if direction == INGRESS else "cali-po-", f"knp/{policy.text}")


def profile_chain(direction: str, profile: str) -> str:
    return limited("cali-pri-" if direction == INGRESS else "cali-pro-", profile)


def pod_chain(direction: str, device: str) -> str:
    return limited("cali-tw-" if direction == INGRESS else "cali-fw-", device)


def profiles(one: Endpoint) -> tuple[str, str]:
    """The profile of its namespace, which accepts everything, and that of its service account, which is empty."""
    return f"kns.{one.namespace}", f"ksa.{one.namespace}.{one.account}"


# ---- dispatch


def dispatch(direction: str, devices: Iterable[str]) -> list[Chain]:
    """cali-to-wl-dispatch or cali-from-wl-dispatch: a tree by the first character in which names differ."""
    root = "cali-to-wl-dispatch" if direction == INGRESS else "cali-from-wl-dispatch"
    side = goes_out if direction == INGRESS else came_in
    names = sorted(set(devices))
    common = shared(names)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name[: len(common) + 1], []).append(name)
    rules: list[Rule] = []
    children: list[Chain] = []
    for prefix, found in groups.items():
        leaves = [Rule(match=(side(name),), do=goto(pod_chain(direction, name))) for name in found]
        if len(found) == 1:
            rules += leaves
            continue
        child = f"{root}-{prefix[len(common) :]}"
        rules.append(Rule(match=(side(f"{prefix}+"),), do=goto(child)))
        children.append(Chain(child, (*leaves, UNKNOWN)))
    return [*children, Chain(root, (*rules, UNKNOWN))]


def endpoint_marks(devices: Iterable[str]) -> dict[str, int]:
    """Device -> the mark that stands for it: an FNV-1 of the name among the endpoint bits, the next free one where it
    is taken. 0 and the mark of strangers are nobody's (felix/rules/epmark.go)."""
    low = NON_CALI.bit_length() - 1
    size = (ENDPOINT >> low) + 1
    taken = {0, NON_CALI >> low}
    out: dict[str, int] = {}
    for name in sorted(set(devices)):
        begin = fnv32(name.encode())
        place = next((p for n in range(size) if (p := (begin + n) % size) not in taken), 0)
        taken.add(place)
        out[name] = place << low
    return out


def mark_dispatch(devices: Iterable[str]) -> list[Chain]:
    """For IPVS: cali-set-endpoint-mark marks a packet with its device, cali-from-endpoint-mark goes back from the mark
    to the pod's own chain."""
    marks = endpoint_marks(devices)
    root = "cali-set-endpoint-mark"
    common = shared(list(marks))
    byname: dict[str, list[str]] = {}
    for name in marks:
        byname.setdefault(name[: len(common) + 1], []).append(name)
    rules: list[Rule] = []
    out = [
        Chain(limited("cali-sm-", name), (Rule(do=set_masked(mark, ENDPOINT)),))
        for name, mark in marks.items()
    ]
    for prefix, found in byname.items():
        leaves = [Rule(match=(came_in(name),), do=goto(limited("cali-sm-", name))) for name in found]
        if len(found) == 1:
            rules += leaves
            continue
        child = f"{root}-wep-{prefix[len(common) :]}"
        rules.append(Rule(match=(came_in(f"{prefix}+"),), do=goto(child)))
        out.append(Chain(child, tuple(leaves)))
    rules += [
        Rule(match=(came_in("cali+"),), do=DROP, comments=("Unknown endpoint",)),
        Rule(do=set_masked(NON_CALI, ENDPOINT), comments=("Non-Cali endpoint mark",)),
    ]
    back = [
        Rule(match=(mark_is(mark, ENDPOINT),), do=goto(pod_chain(EGRESS, name)))
        for name, mark in marks.items()
    ]
    return [*out, Chain(root, tuple(rules)), Chain("cali-from-endpoint-mark", (*back, UNKNOWN))]


def shared(names: Sequence[str]) -> str:
    """The characters with which all of sorted names begin."""
    if not names:
        return ""
    first, last = names[0], names[-1]
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


# ---- a pod


def groups(policies: Sequence[Policy]) -> list[list[Policy]]:
    """Neighbours in the order of policies that are about the same pods: asked together where they are several."""
    out: list[list[Policy]] = []
    for policy in policies:
        if out and out[-1][0].subject.text == policy.subject.text:
            out[-1].append(policy)
        else:
            out.append([policy])
    return out


def group_chain(direction: str, found: Sequence[Policy]) -> str:
    """`cali-gi-` or `cali-go-` and a SHA3-224 over the selector, the direction and the policies."""
    word = "inbound" if direction == INGRESS else "outbound"
    lines = [found[0].subject.text, word, str(len(found))]
    lines += [f"{{Name: {p.name}, Namespace: {p.namespace}, Kind: {KIND}}}" for p in found]
    digest = hashlib.sha3_224("".join(f"{line}\n" for line in lines).encode()).digest()
    head = "cali-gi-" if direction == INGRESS else "cali-go-"
    return head + base64.urlsafe_b64encode(digest).decode().rstrip("=")[: 28 - len(head)]


def group(direction: str, found: Sequence[Policy]) -> Chain:
    rules: list[Rule] = []
    for at, policy in enumerate(found):
        if at and at % STRIDE == 0:
            rules.append(
                Rule(match=(mark_not_clear(PASSED | ACCEPTED),), do=RETURN, comments=("Return on verdict",))
            )
        match = () if at % STRIDE == 0 else (mark_clear(PASSED | ACCEPTED),)
        rules.append(Rule(match=match, do=jump(policy_chain(direction, policy))))
    return Chain(group_chain(direction, found), tuple(rules))


def pod(direction: str, one: Endpoint, policies: Sequence[Policy]) -> list[Chain]:
    """The chain of a pod for a direction, and those of its groups. `policies` select it, in their order."""
    rules = [
        Rule(match=(state("RELATED,ESTABLISHED"),), do=ACCEPT),
        Rule(match=(state("INVALID"),), do=DROP),
        Rule(do=clear_mark(ACCEPTED | PASSED)),
    ]
    if direction != INGRESS:
        port = dports([(VXLAN_PORT, VXLAN_PORT)])
        rules += [
            Rule(match=(proto_number(17), port), do=DROP,
                 comments=("Drop VXLAN encapped packets originating in workloads",)),
            Rule(match=(proto_number(4),), do=DROP,
                 comments=("Drop IPinIP encapped packets originating in workloads",)),
        ]  # fmt: skip
    made: list[Chain] = []
    asked = [p for p in policies if direction in p.types]
    if asked:
        rules.append(Rule(do=clear_mark(PASSED), comments=(f"Start of tier {TIER}",)))
        for found in groups(asked):
            target = policy_chain(direction, found[0])
            if len(found) > 1:
                made.append(group(direction, found))
                target = made[-1].name
            rules += [
                Rule(match=(mark_clear(PASSED),), do=jump(target)),
                Rule(match=(mark_set(ACCEPTED),), do=RETURN, comments=("Return if policy accepted",)),
            ]
        said = f"End of tier {TIER}. Drop if no policies passed packet"
        rules.append(Rule(match=(mark_clear(PASSED),), do=DROP, comments=(said,)))
    for profile in profiles(one):
        rules += [
            Rule(do=jump(profile_chain(direction, profile))),
            Rule(match=(mark_set(ACCEPTED),), do=RETURN, comments=("Return if profile accepted",)),
        ]
    rules.append(Rule(do=DROP, comments=("Drop if no profiles matched",)))
    return [*made, Chain(pod_chain(direction, one.device), tuple(rules))]


# ---- profiles and policies


def profile(direction: str, name: str) -> Chain:
    """kns.NAMESPACE accepts everything, ksa.NAMESPACE.ACCOUNT has no rule."""
    do = set_mark(ACCEPTED) if name.startswith("kns.") else None
    said = f"Profile {name} {direction}"
    return Chain(profile_chain(direction, name), (Rule(do=do, comments=(said,)),))


def policy(direction: str, one: Policy) -> Chain:
    """A policy's chain: its rules in order; the last RETURN is left out, and the first rule names the policy."""
    rules = [row for rule in one.rules(direction) for row in allow(direction, rule)]
    while rules and rules[-1].do == RETURN:
        rules.pop()
    rules = rules or [Rule()]
    first = rules[0]
    said = (*first.comments, f"{KIND} {one.text} {direction}")
    rules[0] = Rule(match=first.match, do=first.do, comments=said)
    return Chain(policy_chain(direction, one), tuple(rules))


def needs(direction: str, rule: Allow) -> list[SetNeed]:
    """The ipsets that a rule asks."""
    out = []
    for name in rule.names:
        chosen = rule.peers if rule.peers is not None and direction != INGRESS else EVERYBODY
        id = unique_id("n", f"{chosen.id},{rule.proto or 'any'},{name}")
        out.append(SetNeed(id=id, selector=chosen, port=name, proto=rule.proto))
    if rule.peers is not None and (direction == INGRESS or rule.ports or not rule.names):
        out.append(SetNeed(id=rule.peers.id, selector=rule.peers))
    return out


def split(ranges: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Ports in parts that one multiport match takes (SplitPortList)."""
    out: list[list[tuple[int, int]]] = []
    free = 0
    for low, high in ranges:
        size = 1 if low == high else 2
        if free < size:
            out.append([])
            free = SLOTS
        out[-1].append((low, high))
        free -= size
    return out


def allow(direction: str, rule: Allow) -> list[Rule]:
    """The rows of one rule. Ports or networks that do not fit one match go through two scratch bits: a block of rows
    sets the first where one of them fits, and the rule then asks for that bit."""
    inward = direction == INGRESS
    wanted = needs(direction, rule)
    named = [set_name(n.id) for n in wanted if n.port]
    parts: list[Part] = [proto(rule.proto)] if rule.proto else []
    blocks: list[Rule] = []
    ranges = split(rule.ports)
    if len(ranges) + len(named) > 1:
        blocks.append(Rule(do=set_masked(0, SCRATCH0 | SCRATCH1)))
        blocks += [Rule(match=(*parts, dports(r)), do=set_mark(SCRATCH0)) for r in ranges]
        blocks += [Rule(match=(in_set(n, "dst,dst"),), do=set_mark(SCRATCH0)) for n in named]
        ranges, named = [], []
    except_nets = rule.not_nets
    if len(rule.nets) + len(except_nets) > 1:
        if not blocks:
            blocks.append(Rule(do=set_masked(SCRATCH0, SCRATCH0 | SCRATCH1)))
        blocks += [Rule(match=(net(n, source=inward),), do=clear_mark(SCRATCH0)) for n in except_nets]
        except_nets = ()
    way = "src" if inward else "dst"
    sets = [in_set(set_name(n.id), way) for n in wanted if not n.port]
    nets = [net(n, source=inward) for n in rule.nets]
    ports = [*(dports(r) for r in ranges), *(in_set(n, "dst,dst") for n in named)]
    parts += [*nets, *sets, *ports]
    parts += [net(n, source=inward, invert=True) for n in except_nets]
    if blocks:
        parts.append(mark_set(SCRATCH0))
    return [
        *blocks,
        Rule(match=tuple(parts), do=set_mark(ACCEPTED)),
        Rule(match=(mark_set(ACCEPTED),), do=RETURN),
    ]
