"""What the screens say, in both languages. Lessons, labs and journeys bring their own words."""

from engine.say import Phrase

APP = Phrase("k8snet-tutor", "k8snet-tutor")
HELP = Phrase("help", "도움말")
HELP_ABOUT = Phrase(
    "what the keys of this pane do; type to filter, Enter to run",
    "이 창의 키 설명입니다. 입력해서 거르고 Enter로 실행합니다",
)
QUIT = Phrase("quit", "종료")
QUIT_ABOUT = Phrase(
    "leave the course; everything is saved already", "과정을 나갑니다. 모두 이미 저장되어 있습니다"
)
HOW_TO_QUIT = Phrase("Ctrl+Q quits; everything is saved", "Ctrl+Q로 종료합니다. 모두 저장되어 있습니다")
BACK = Phrase("back", "뒤로")
BACK_ABOUT = Phrase("go back one screen; nothing is lost", "이전 화면으로 갑니다. 사라지는 것은 없습니다")
PALETTE = Phrase("commands", "명령")
PALETTE_ABOUT = Phrase(
    "every command, lesson, theme and setting, by name", "모든 명령, 레슨, 테마, 설정을 이름으로 찾습니다"
)
LANGUAGE = Phrase("한국어", "English")
LANGUAGE_ABOUT = Phrase("read the course in Korean (한국어로 보기)", "과정을 영어로 봅니다 (read in English)")
THEME = Phrase("theme", "테마")
THEME_ABOUT = Phrase(
    "next theme: dark, light, high contrast, the terminal's own",
    "다음 테마: 어두움, 밝음, 고대비, 터미널 색",
)
THEME_NAMED = Phrase("theme: {name}", "테마: {name}")
ASCII = Phrase("ASCII drawing", "ASCII 그림")
ASCII_ABOUT = Phrase(
    "draw with + - | instead of box glyphs, or back", "상자 문자 대신 + - | 로 그리거나 되돌립니다"
)
MOTION = Phrase("motion", "움직임")
MOTION_ABOUT = Phrase(
    "let the packet glide, or jump from hop to hop",
    "패킷을 부드럽게 움직이거나 홉에서 홉으로 건너뛰게 합니다",
)
MOTION_IS = Phrase("motion: {state}", "움직임: {state}")
ON = Phrase("on", "켜짐")
OFF = Phrase("off", "꺼짐")
OPEN = Phrase("open", "열기")
OPEN_ABOUT = Phrase("open the chosen lesson where you left it", "고른 레슨을 지난번에 멈춘 곳에서 엽니다")
CONTINUE = Phrase("continue", "이어서")
FIND = Phrase("find", "찾기")
FIND_ABOUT = Phrase("find a lesson by its words", "단어로 레슨을 찾습니다")
START_OVER = Phrase("from the start", "처음부터")
START_OVER_ABOUT = Phrase(
    "open the chosen lesson at its first step; solved stays solved",
    "고른 레슨을 첫 단계에서 엽니다. 푼 것은 그대로입니다",
)
COURSE = Phrase("Course", "과정")
COMING = Phrase("coming", "준비 중")
COMING_ABOUT = Phrase(
    "This lesson is being written. The ones above it are ready.",
    "이 레슨은 아직 쓰고 있습니다. 위쪽의 레슨은 준비되어 있습니다.",
)
PROGRESS = Phrase("{done} of {all} lessons · {solved} exercises", "레슨 {done}/{all} · 연습 {solved}개")
STREAK = Phrase(" · day {days} in a row", " · {days}일 연속")
LESSON_FACTS = Phrase(
    "{steps} steps · {exercises} exercises · about {minutes} min",
    "{steps}단계 · 연습 {exercises}개 · 약 {minutes}분",
)
LESSON_FACTS_SHORT = Phrase("about {minutes} min", "약 {minutes}분")
LESSON_AT = Phrase("you are at step {step}, {solved} solved", "{step}단계까지 왔고 {solved}개를 풀었습니다")
LESSON_NEW = Phrase("Enter starts it", "Enter로 시작합니다")
LESSON_DONE = Phrase("every exercise solved", "모든 연습을 풀었습니다")
WELCOME = Phrase(
    "Press Enter: a packet is waiting. Space lets it move, → takes it hop by hop.",
    "Enter를 누르십시오. 패킷이 기다리고 있습니다. Space로 움직이고 →로 한 홉씩 갑니다.",
)
TYPE_TO_FILTER = Phrase("type to filter", "입력해서 거르기")
NOTHING_FOUND = Phrase("nothing has these words", "찾는 단어가 들어 있는 것이 없습니다")
TOO_SMALL = Phrase(
    "This window is {width}x{height}. The course needs 80x24:\n"
    "make it larger, or the font smaller.\n\nq quits; nothing is lost.",
    "창이 {width}x{height}입니다. 과정에는 80x24가 필요합니다.\n"
    "창을 키우거나 글꼴을 줄이십시오.\n\nq로 종료합니다. 사라지는 것은 없습니다.",
)
TOO_LARGE = Phrase(
    "This window claims {width}x{height}; nothing larger than 500x200 is drawn.",
    "창 크기가 {width}x{height}라고 합니다. 500x200보다 크게는 그리지 않습니다.",
)
HELP_OF = Phrase("Help: {what}", "도움말: {what}")
COMMANDS_TITLE = Phrase("Commands", "명령")
NO_SUCH_LESSON = Phrase(
    "There is no lesson {found}. Ready: {ready}.", "{found} 레슨은 없습니다. 준비된 레슨: {ready}."
)
EVERYWHERE = Phrase("everywhere", "어디서나")
OPEN_LESSON = Phrase("open lesson {title}", "레슨 열기: {title}")
HOME = Phrase("course map", "과정 지도")
