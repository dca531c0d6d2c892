"""The player's keys, in both languages."""

from engine.say import Phrase

PLAY = Phrase("play", "재생")
PLAY_ABOUT = Phrase("play or pause", "재생하거나 멈춥니다")
PLAY_BOTH_ABOUT = Phrase("play or pause both sides", "양쪽을 함께 재생하거나 멈춥니다")
HOP = Phrase("hop", "홉")
HOP_ABOUT = Phrase("one hop on", "한 홉 앞으로 갑니다")
HOP_BACK = Phrase("hop back", "홉 뒤로")
HOP_BACK_ABOUT = Phrase("one hop back", "한 홉 뒤로 갑니다")
STEP = Phrase("step", "단계")
STEP_ABOUT = Phrase(
    "one step inside the hop: the next decision", "홉 안에서 한 단계 나아가 다음 결정을 봅니다"
)
ZOOM = Phrase("zoom", "확대")
ZOOM_ABOUT = Phrase(
    "into the hop: the kernel's pipeline, stage by stage", "홉 안으로 들어가 커널의 처리 과정을 차례로 봅니다"
)
ZOOM_OUT = Phrase("zoom out", "축소")
SCROLL = Phrase("scroll", "스크롤")
SCROLL_ABOUT = Phrase("the rules met, further up or down", "일치한 규칙을 위아래로 더 봅니다")
SCENE = Phrase("scene", "그림")
LADDER = Phrase("ladder", "사다리")
LADDER_ABOUT = Phrase(
    "the scene, or the same journey as a list of text", "그림으로 보거나 같은 여정을 글 목록으로 봅니다"
)
FASTER = Phrase("speed", "속도")
FASTER_ABOUT = Phrase("faster (+) or slower (-)", "빠르게(+) 또는 느리게(-) 합니다")
SLOWER = Phrase("slower", "느리게")
SLOWER_ABOUT = Phrase("slower", "느리게 합니다")
REPLAY = Phrase("replay", "다시")
REPLAY_ABOUT = Phrase("from the beginning again", "처음부터 다시 봅니다")
ARP = Phrase("ARP", "ARP")
ARP_ABOUT = Phrase("show or hide the ARP exchanges on the way", "가는 길의 ARP 문답을 보이거나 숨깁니다")
LATER = Phrase("later packets", "이후 패킷")
LATER_ABOUT = Phrase("show the later packets of the connection too", "같은 연결의 이후 패킷도 봅니다")
GOTO = Phrase("go to", "이동")
GOTO_ABOUT = Phrase("type the number of a hop", "홉의 번호를 입력해 갑니다")
FIRST = Phrase("start", "처음")
FIRST_ABOUT = Phrase("to the first hop", "첫 홉으로 갑니다")
LAST = Phrase("end", "끝")
LAST_ABOUT = Phrase("to the last hop", "마지막 홉으로 갑니다")
ROW = Phrase("row", "행")
ROW_ABOUT = Phrase("type the command that prints the deciding row", "결정한 행을 출력하는 명령을 입력합니다")
CHAINS = Phrase("chains", "체인")
CHAINS_ABOUT = Phrase(
    "open the chains that the packet meets here, rule by rule",
    "패킷이 여기서 만나는 체인을 규칙 하나하나까지 엽니다",
)
CHAIN = Phrase("chain", "체인")
CHAIN_ABOUT = Phrase("the next or previous chain", "다음이나 이전 체인으로 갑니다")
RULE = Phrase("rule", "규칙")
RULE_ABOUT = Phrase("the next or previous rule", "다음이나 이전 규칙으로 갑니다")
FOLLOW = Phrase("follow", "따라가기")
FOLLOW_ABOUT = Phrase("into the chain that the rule jumps to", "규칙이 점프하는 체인으로 들어갑니다")
