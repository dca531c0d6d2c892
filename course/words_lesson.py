"""What the lesson screen and its panes say, in both languages."""

from engine.say import Phrase, Said

RUN = Phrase("run", "실행")
RUN_ABOUT = Phrase("run the typed line in the lab", "입력한 줄을 실습 환경에서 실행합니다")
COMPLETE = Phrase("complete", "자동 완성")
COMPLETE_ABOUT = Phrase(
    "complete the word: commands, options, devices, Pods, files",
    "단어를 완성합니다: 명령, 옵션, 장치, 파드, 파일",
)
PLACES = Phrase("place", "장소")
PLACES_ABOUT = Phrase("type on another machine, Pod or container", "다른 머신, 파드, 컨테이너에서 입력합니다")
UNDO = Phrase("undo", "되돌리기")
UNDO_ABOUT = Phrase("undo the last act in the lab", "실습 환경에서 마지막에 한 일을 되돌립니다")
RESET = Phrase("reset", "초기화")
RESET_ABOUT = Phrase("put the lab back to its beginning", "실습 환경을 처음 상태로 되돌립니다")
UNDONE = Phrase("# undone: {act}", "# 되돌렸습니다: {act}")
NOTHING_TO_UNDO = Phrase("# nothing to undo", "# 되돌릴 것이 없습니다")
WAS_RESET = Phrase("# the lab is as it was at the beginning", "# 실습 환경이 처음 상태로 돌아갔습니다")

EDITOR_KEYS = Phrase("F2 or Ctrl+S saves · Esc leaves", "F2 또는 Ctrl+S 저장 · Esc 나가기")
EDITOR_UNSAVED = Phrase(
    "not saved: F2 saves, Esc again leaves without",
    "저장하지 않았습니다. F2 저장, Esc 한 번 더 누르면 버리고 나갑니다",
)
NOT_SAVED = Phrase("# nothing was changed", "# 바꾼 것이 없습니다")

READ = Phrase("Read", "읽기")
SEE = Phrase("See", "보기")
DO = Phrase("Do", "하기")
READ_ABOUT = Phrase("the lesson's text", "레슨 본문으로 갑니다")
SEE_ABOUT = Phrase("the packet", "패킷으로 갑니다")
DO_ABOUT = Phrase("the exercise, or the terminal", "연습 또는 터미널로 갑니다")
TERMINAL = Phrase("terminal", "터미널")
TERMINAL_ABOUT = Phrase("type commands in the lab", "실습 환경에서 명령을 입력합니다")
EXERCISE = Phrase("exercise", "연습")
EXERCISE_ABOUT = Phrase("open the next exercise of this step", "이 단계의 다음 연습을 엽니다")
PLAY = Phrase("play", "재생")
PLAY_ABOUT = Phrase("let the packet move, or pause it", "패킷을 움직이거나 멈춥니다")
NEXT = Phrase("next", "다음")
NEXT_ABOUT = Phrase("the next step of the lesson", "레슨의 다음 단계로 갑니다")
BEFORE = Phrase("back a step", "이전")
BEFORE_ABOUT = Phrase("the step before", "이전 단계로 갑니다")
MAXIMISE = Phrase("one pane", "한 창")
MAXIMISE_ABOUT = Phrase(
    "give the whole window to this pane, or share it again", "이 창을 크게 보거나 다시 나눕니다"
)
CHOOSE = Phrase("choose", "고르기")
CHOOSE_ABOUT = Phrase(
    "do the marked block: type the command, play, open the exercise",
    "표시된 명령을 실행하거나 패킷을 재생하거나 연습을 엽니다",
)
MOVE = Phrase("move", "이동")
MOVE_ABOUT = Phrase(
    "to the next or previous block; the text scrolls with it",
    "다음이나 이전 블록으로 갑니다. 글도 함께 스크롤됩니다",
)

STEP_OF = Phrase("step {step} of {all}", "{all}단계 중 {step}단계")
STEP_SHORT = Phrase("step {step}/{all}", "{step}/{all}단계")
OPENING = Phrase("Opening the lab ...", "실습 환경을 준비하는 중입니다 ...")
PLAY_BLOCK = Phrase("play: {flow}", "재생: {flow}")
PLAY_PREDICT = Phrase("predict, then play: {flow}", "예측하고 재생: {flow}")
PLAY_BESIDE = Phrase("play side by side: {one} | {two}", "나란히 재생: {one} | {two}")
EXERCISE_BLOCK = Phrase("exercise: {title}", "연습: {title}")
SOLVED = Phrase("solved", "풀었음")
WATCHED = Phrase("watched", "풀이를 봄")
NO_PACKET = Phrase(
    "No packet yet. Play one from the text, or type ping or curl in the terminal.",
    "아직 패킷이 없습니다. 본문에서 재생하거나 터미널에서 ping이나 curl을 입력하십시오.",
)
PLACES_TITLE = Phrase("Where to type", "어디에서 입력할까요")
PACKET_SENT = Phrase("# the packet is in See: F7 plays it", "# 패킷이 보기 창에 있습니다. F7로 재생합니다")
LAST_STEP = Phrase(
    "This is the last step. Esc goes back to the course map.",
    "마지막 단계입니다. Esc로 과정 지도로 돌아갑니다.",
)
LESSON_DONE = Phrase(
    "Lesson finished: every exercise is solved. The next one is {title}.",
    "레슨을 마쳤습니다. 모든 연습을 풀었습니다. 다음은 {title}입니다.",
)
LESSON_FAILED = Phrase("This lesson cannot be opened:\n\n{error}", "이 레슨을 열 수 없습니다.\n\n{error}")
LAB_OF_STEP = Phrase("# the lab of this step · {place}", "# 이 단계의 실습 환경 · {place}")
LAB_OF_EXERCISE = Phrase("# the lab of the exercise: {title}", "# 연습의 실습 환경: {title}")

ANSWER = Phrase("answer", "답하기")
ANSWER_ABOUT = Phrase("give this answer and have it checked", "이 답을 내고 확인받습니다")
INTO_ABOUT = Phrase("go to where the answer is given", "답을 쓰거나 고르는 곳으로 갑니다")
MARK = Phrase("mark", "표시")
MARK_ABOUT = Phrase("mark or unmark this option", "이 선택지를 표시하거나 지웁니다")
NOW_REPAIR = Phrase(
    "Now repair it: t goes to the terminal, c checks.", "이제 고치십시오. t로 터미널에 가고 c로 확인합니다."
)
GO_EXERCISE = Phrase("e opens the next exercise: {title}", "e로 다음 연습을 엽니다: {title}")
GO_STEP = Phrase("n goes on to the next step: {title}", "n으로 다음 단계로 갑니다: {title}")
GO_OR_STEP = Phrase("n leaves them for later: {title}", "나중에 하려면 n으로 넘어갑니다: {title}")
GO_MAP = Phrase(
    "This was the last step. Esc goes back to the course map.",
    "마지막 단계였습니다. Esc로 과정 지도로 돌아갑니다.",
)
PREDICT_ASK = Phrase(
    "Space lets it move to the question: {question}", "Space로 재생하면 묻습니다: {question}"
)
PREDICT_NOW = Phrase("{question}  p answers", "{question}  p로 답합니다")
PREDICT = Phrase("predict", "예측")
PREDICT_ABOUT = Phrase("answer the question about the packet", "패킷에 대한 질문에 답합니다")
SKIP = Phrase("skip", "건너뛰기")
SKIP_ABOUT = Phrase("see and read on without an answer", "답하지 않고 계속 보고 읽습니다")
FOLDED = Phrase(
    "The rest is folded: answer first (p), or Enter here reads on.",
    "나머지는 접혀 있습니다. 먼저 답하거나(p), 여기서 Enter로 계속 읽습니다.",
)
NO_TERMINAL_THERE = Phrase(
    "{place} has no terminal in this lab; its row is: {row}",
    "이 실습 환경의 {place}에는 터미널이 없습니다. 결정한 행은 다음과 같습니다: {row}",
)
SEE_PACKET = Phrase("see it", "보기")
SEE_PACKET_ABOUT = Phrase("go to the packet and let it move", "패킷 화면으로 가서 재생합니다")

CHECK = Phrase("check", "확인")
CHECK_ABOUT = Phrase("check the answer or the goal", "답이나 목표를 확인합니다")
HINT = Phrase("hint", "힌트")
HINT_ABOUT = Phrase("open the next of three hints", "세 힌트 중 다음 것을 엽니다")
SOLUTION = Phrase("solution", "풀이")
SOLUTION_ABOUT = Phrase(
    "watch the solution; the exercise does not count as solved then",
    "풀이를 봅니다. 풀이를 보는 것은 푼 것으로 치지 않습니다",
)
AGAIN = Phrase("new task", "새 문제")
AGAIN_ABOUT = Phrase("the same exercise with other values", "같은 연습을 다른 값으로 다시 냅니다")
SEED = Phrase("seed", "시드")
SEED_ABOUT = Phrase(
    "type a seed, so that a group has the same task", "시드를 입력해 여럿이 같은 문제를 풉니다"
)
SEED_TITLE = Phrase("Seed (a number)", "시드 (숫자)")
CLOSE = Phrase("close", "닫기")
CLOSE_ABOUT = Phrase(
    "leave the exercise; its lab is kept until you leave the lesson",
    "연습에서 나갑니다. 레슨을 떠날 때까지 실습 환경은 그대로 남습니다",
)
UP_DOWN = Phrase("move the line", "줄 옮기기")
UP_DOWN_ABOUT = Phrase("move the marked line up or down", "표시된 줄을 위아래로 옮깁니다")
KINDS = {
    "choice": Phrase("choose", "고르기"),
    "answer": Phrase("find a value", "값 찾기"),
    "predict": Phrase("predict", "예측"),
    "order": Phrase("put in order", "순서 맞추기"),
    "repair": Phrase("repair", "수리"),
    "build": Phrase("build", "만들기"),
}
SEED_IS = Phrase("seed {seed}", "시드 {seed}")
GOAL = Phrase("Goal", "목표")
KEEP = Phrase("and what worked before still works", "그리고 전에 되던 것은 계속 되어야 합니다")
GOAL_NOW = Phrase("is {now}", "지금은 {now}")
RIGHT = Phrase("Right.", "맞았습니다.")
REACHED = Phrase("The goal holds.", "목표를 이루었습니다.")
NOT_YET = Phrase("Not yet:", "아직 아닙니다:")
NOT_RIGHT = Phrase("Not so:", "그렇지 않습니다:")
SHOWN_IN_SEE = Phrase(
    "The packet that shows it stands in See (key 2), at the hop where it breaks.",
    "그 까닭을 보여 주는 패킷이 보기 창(2 키)에서 문제가 생긴 홉에 멈춰 있습니다.",
)
HINT_N = Phrase("hint {n}: {text}", "힌트 {n}: {text}")
NO_MORE_HINTS = Phrase(
    "all three hints are open; the solution can be watched (key s)",
    "세 힌트를 모두 열었습니다. 풀이를 볼 수 있습니다 (s 키)",
)
SOLUTION_IS = Phrase("solution ({place}):", "풀이 ({place}):")
SOLUTION_TITLE = Phrase("The solution:", "풀이:")
NUMBERED = Phrase("{number}. {text}", "{number}. {text}")
SOLUTION_NOTE = Phrase(
    "Watching does not solve it: do it yourself now, with the same values or new ones.",
    "풀이를 보는 것만으로는 푼 것이 되지 않습니다. 같은 값이나 새 값으로 직접 해 보십시오.",
)
TYPE_ANSWER = Phrase("type the answer, Enter checks it", "답을 입력하고 Enter로 확인합니다")
TYPE_MANIFEST = Phrase("write the manifest; F9 checks it", "매니페스트를 쓰고 F9로 확인합니다")
MANY = Phrase("several are right: Space marks, c checks", "답이 여럿입니다. Space로 표시하고 c로 확인합니다")
ORDER_HELP = Phrase("u and d move the line, c checks", "u와 d로 줄을 옮기고 c로 확인합니다")
REPAIR_HELP = Phrase("repair it in the terminal (t), then check (c)", "터미널(t)에서 고치고 확인(c)합니다")
BUILD_HELP = Phrase("build it in the terminal (t), then check (c)", "터미널(t)에서 만들고 확인(c)합니다")
DIAGNOSE = Phrase(
    "First, name where it breaks (it counts by itself):",
    "먼저 어디에서 고장 났는지 고르십시오 (점수를 따로 셉니다):",
)
ASKS = {
    "outcome": Phrase("How does it end?", "어떻게 끝납니까?"),
    "next-hop": Phrase("Which place does the packet come to next?", "패킷은 다음에 어디로 갑니까?"),
    "device": Phrase("By which device does it leave?", "어느 장치로 나갑니까?"),
    "rule": Phrase("Which rule decides?", "어느 규칙이 결정합니까?"),
    "header": Phrase("What is {field} after this step?", "이 단계 뒤의 {field}은(는) 무엇입니까?"),
}
#: what a header question calls a field of the packet
FIELDS = {
    "eth.src": Phrase("the source MAC", "출발지 MAC 주소"),
    "eth.dst": Phrase("the destination MAC", "목적지 MAC 주소"),
    "ip.src": Phrase("the source address", "출발지 주소"),
    "ip.dst": Phrase("the destination address", "목적지 주소"),
    "ip.ttl": Phrase("the TTL", "TTL"),
    "l4.sport": Phrase("the source port", "출발지 포트"),
    "l4.dport": Phrase("the destination port", "목적지 포트"),
}


def asked(ask: str, field: str) -> Said:
    """The words of a question; `field` counts for `header` only."""
    return ASKS[ask](field=FIELDS[field]()) if ask == "header" else ASKS[ask]()


ON_PLACE = Phrase("on {place}", "{place}에서")
