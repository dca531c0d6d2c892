"""What the mode without screens says, in both languages."""

from engine.say import Phrase

PICK = Phrase("Lesson number (Enter: {default}, q quits): ", "레슨 번호 (Enter: {default}, q 종료): ")
NOT_READY = Phrase(
    "Lesson {number} is not ready; choose one of {ready}.",
    "{number}번 레슨은 아직 없습니다. {ready} 중에서 고르십시오.",
)
STEP = Phrase("Step {step} of {all}: {title}", "{all}단계 중 {step}단계: {title}")
AFTER = Phrase(
    "Enter next step, b step before, e exercises, lab PLACE, m map, q quit: ",
    "Enter 다음 단계, b 이전 단계, e 연습, lab 장소, m 지도, q 종료: ",
)
END = Phrase("That was the last step.", "마지막 단계였습니다.")
UNKNOWN = Phrase("{word!r} is none of these.", "{word!r}은(는) 여기에 없습니다.")
EXERCISE = Phrase("Exercise: {title} ({kind}), seed {seed}", "연습: {title} ({kind}), 시드 {seed}")
ALREADY = Phrase("It is solved already.", "이미 풀었습니다.")
KEYS = Phrase("h hint, s solution, n new task, Enter leave it", "h 힌트, s 풀이, n 새 문제, Enter 그만두기")
ONE = Phrase("Answer with a letter; {keys}: ", "글자 하나로 답하십시오. {keys}: ")
PREDICT = Phrase(
    "Answer with a letter, or Enter to read on: ",
    "글자 하나로 답하십시오. Enter를 누르면 답하지 않고 계속합니다: ",
)
SEVERAL = Phrase("Answer with letters, like a c; {keys}: ", "글자들로 답하십시오. 예: a c. {keys}: ")
ORDER = Phrase(
    "Answer with the letters in order, like b a c; {keys}: ", "글자를 순서대로 쓰십시오. 예: b a c. {keys}: "
)
VALUE = Phrase("Type the value; {keys}: ", "값을 입력하십시오. {keys}: ")
GOAL = Phrase("lab PLACE to work, c to check; {keys}: ", "lab 장소로 작업하고 c로 확인합니다. {keys}: ")
MANIFEST = Phrase(
    "m to write the manifest (a line with one . ends it), lab PLACE to look; {keys}: ",
    "m으로 매니페스트를 씁니다 (점 하나뿐인 줄로 끝냄). lab 장소로 살펴봅니다. {keys}: ",
)
PLACES = Phrase("Places: {places}", "장소: {places}")
LAB = Phrase(
    "You are at {place}. An empty line or :back leaves; :places, :place NAME, :undo, :reset.",
    "지금 {place}에 있습니다. 빈 줄이나 :back으로 나갑니다. :places, :place 이름, :undo, :reset.",
)
FROM_TO = Phrase("Packet: {flow}", "패킷: {flow}")
