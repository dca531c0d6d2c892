"""What to look at next, by kind of finding: one sentence for each, in both languages.

Rules. A hint names a place to look and a command, never the repair. An exercise's own three hints come from its
author; these stand beside the finding that a check gave. Every kind of finding has one (a test says so). For an
`outcome`, the outcome itself says more than the kind.
"""

from __future__ import annotations

from typing import Final

from engine.grade.finding import Finding
from engine.linux.journey import Outcome
from engine.say import Phrase, Said

HINTS: Final[dict[str, Phrase]] = {
    "outcome": Phrase(
        en="Play the packet and look at the last step: its row is what decided.",
        ko="패킷을 재생해 마지막 단계를 보십시오. 그 단계의 행이 결과를 결정했습니다.",
    ),
    "at": Phrase(
        en="It arrived at another place: look at the destination after each NAT step, and at who owns that address.",
        ko="다른 곳에 도착했습니다. NAT 단계마다 목적지를 보고, 그 주소가 어디에 있는지 확인하십시오.",
    ),
    "seen-as": Phrase(
        en="Compare the source before and after POSTROUTING on each machine.",
        ko="머신마다 POSTROUTING 앞뒤의 출발지를 비교하십시오.",
    ),
    "rewritten-to": Phrase(
        en="Look for the DNAT row that the packet met: iptables -t nat -S.",
        ko="패킷에 일치한 DNAT 행을 찾으십시오: iptables -t nat -S.",
    ),
    "masqueraded": Phrase(
        en="Look at nat POSTROUTING: which row changes the source, and for which packets?",
        ko="nat POSTROUTING을 보십시오. 어느 행이 어떤 패킷의 출발지를 바꿉니까?",
    ),
    "via": Phrase(
        en="Look at the route that was chosen: ip route get ADDRESS on the machine where it turned off.",
        ko="선택된 경로를 보십시오. 길이 갈라진 머신에서 ip route get 주소를 실행합니다.",
    ),
    "encap": Phrase(
        en="Look at the device that the route names: ip -d link show.",
        ko="경로가 가리키는 장치를 ip -d link show로 보십시오.",
    ),
    "mtu": Phrase(
        en="Compare the MTUs along the way: ip link.", ko="가는 길의 MTU를 ip link로 비교하십시오."
    ),
    "harm": Phrase(
        en="Something that worked does not work any more: undo the last act, and look at what it changed for others.",
        ko="전에 되던 것이 이제 되지 않습니다. 마지막에 한 일을 되돌리고 무엇이 함께 바뀌었는지 보십시오.",
    ),
    "state": Phrase(
        en="The packets are not all: print the row that the task names.",
        ko="패킷만 통한다고 끝이 아닙니다. 과제에서 말하는 행을 출력해 보십시오.",
    ),
    "wrong-choice": Phrase(
        en="Try it in the lab before you choose again.", ko="다시 고르기 전에 실습 환경에서 해 보십시오."
    ),
    "missing-choice": Phrase(
        en="What you chose is right, and it is not all.", ko="고른 것은 맞지만 그것이 전부는 아닙니다."
    ),
    "wrong-value": Phrase(
        en="Check at which place you typed the command, and which column you read.",
        ko="명령을 어디에서 입력했고 어느 열을 읽었는지 확인하십시오.",
    ),
    "unreadable": Phrase(en="Write it as the tool prints it.", ko="도구가 출력하는 그대로 적으십시오."),
    "wrong-prediction": Phrase(
        en="Play on and read the row beside the step: it says why.",
        ko="계속 재생하고 단계 옆의 행을 읽으십시오. 거기에 이유가 있습니다.",
    ),
    "wrong-order": Phrase(
        en="Play the packet and watch which comes first.", ko="패킷을 재생해 무엇이 먼저인지 보십시오."
    ),
    "manifest": Phrase(
        en="kubectl refused the manifest: its message names the field.",
        ko="kubectl이 매니페스트를 거절했습니다. 메시지가 필드를 가리킵니다.",
    ),
    "answers": Phrase(
        en="Ask the name in the Pod (`nslookup`, `dig +search`): which records come back, and from whom?",
        ko="파드에서 그 이름을 물어보십시오(`nslookup`, `dig +search`). 어떤 레코드가 누구에게서 옵니까?",
    ),
    "rcode": Phrase(
        en="Read the answer's status (`dig`): NXDOMAIN is an answer, SERVFAIL a server in trouble, none is silence.",
        ko="응답의 상태를 읽으십시오(`dig`). NXDOMAIN은 응답이고, SERVFAIL은 서버의 문제이며, none은 침묵입니다.",
    ),
    "queries": Phrase(
        en="Read /etc/resolv.conf in the Pod: search list and ndots decide which names are asked, in which order.",
        ko="파드의 /etc/resolv.conf를 읽으십시오. search 목록과 ndots가 어떤 이름을 어떤 순서로 묻는지 정합니다.",
    ),
    "not-modelled": Phrase(
        en="Your way is true, but outside this model: take another one.",
        ko="실제로는 맞는 방법이지만 이 모델 밖입니다. 다른 방법을 쓰십시오.",
    ),
}

#: nothing could be sent: what the row names is not there
NO_JOURNEY: Final = Phrase(
    en="Nothing was sent: compare what the row names with what is there (kubectl get pods,services -A).",
    ko="아무것도 보내지 못했습니다. 행에 적힌 이름과 실제로 있는 것을 비교하십시오(kubectl get pods,services -A).",
)

BY_OUTCOME: Final[dict[Outcome, Phrase]] = {
    Outcome.DELIVERED: Phrase(
        en="It still arrives: find the last place that could have stopped it.",
        ko="아직 도착합니다. 막을 수 있었던 마지막 곳을 찾으십시오.",
    ),
    Outcome.REFUSED: Phrase(
        en="The packet reached the machine, but nothing listens on that port: ss -lnt there.",
        ko="패킷은 머신에 닿았지만 그 포트에서 수신 대기하는 것이 없습니다. 그곳에서 ss -lnt를 보십시오.",
    ),
    Outcome.REJECTED: Phrase(
        en="A rule answered with an error: look for REJECT in iptables -S where it halted.",
        ko="규칙이 오류로 응답했습니다. 멈춘 곳에서 iptables -S의 REJECT를 찾으십시오.",
    ),
    Outcome.DROPPED: Phrase(
        en="It vanished in silence: look at policies and DROP rows, at ip_forward, and at devices that are down.",
        ko="아무 응답 없이 사라졌습니다. 정책과 DROP 행, ip_forward, DOWN 상태인 장치를 보십시오.",
    ),
    Outcome.NO_ROUTE: Phrase(
        en="No route matched: ip route on the machine where it halted.",
        ko="맞는 경로가 없었습니다. 멈춘 머신에서 ip route를 보십시오.",
    ),
    Outcome.UNRESOLVED_NEIGHBOUR: Phrase(
        en="Nobody answered ARP: ip neigh where it halted, then who should have that address?",
        ko="ARP에 아무도 답하지 않았습니다. 멈춘 곳에서 ip neigh를 보십시오. 그 주소는 누가 가져야 합니까?",
    ),
    Outcome.REVERSE_PATH_FILTERED: Phrase(
        en="The way back to the source leads out of another device: ip route get SOURCE, and sysctl rp_filter.",
        ko="출발지로 돌아가는 길은 다른 장치로 나갑니다. ip route get 출발지와 sysctl rp_filter를 보십시오.",
    ),
    Outcome.NO_ANSWER: Phrase(
        en="The way there is fine. Follow the answer: where does it go?",
        ko="가는 길은 정상입니다. 응답을 따라가 보십시오. 어디로 갑니까?",
    ),
    Outcome.TOO_BIG: Phrase(
        en="Compare the packet's length with the MTU of the device where it halted.",
        ko="패킷의 길이와 멈춘 장치의 MTU를 비교하십시오.",
    ),
    Outcome.LOOP: Phrase(
        en="Two machines send it to each other: compare their routes.",
        ko="두 머신이 서로에게 계속 보내고 있습니다. 경로를 비교하십시오.",
    ),
}


def hint(finding: Finding) -> Said:
    """The sentence that stands beside a finding."""
    if finding.kind == "outcome" and finding.journey is None:
        return NO_JOURNEY()
    if finding.kind in ("outcome", "harm") and finding.journey is not None:
        phrase = BY_OUTCOME.get(finding.journey.outcome)
        if phrase is not None:
            return phrase()
    return HINTS[finding.kind]()
