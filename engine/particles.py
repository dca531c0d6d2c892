"""Korean particles after a value: `eth0은(는)` becomes `eth0은`, by the last sound of what stands before.

Rules. Pure text, standard library only. Templates keep both forms written out; this module picks one when the sentence
is made. A word is read as a Korean engineer reads it aloud: Hangul by its final consonant, a number by its last
digit, an acronym by its last letter's name, a lower-case word by the few endings below and the exceptions
in `WORDS`. A parenthesis that hangs on a word is not read, as in Korean spelling: `veth(eth0)은(는)` follows veth.
Where nothing can be read aloud, the two forms stay as they are written.
"""

from __future__ import annotations

import re
from typing import Final, Literal

#: How a reading ends: in a vowel, in ㄹ, or in another consonant.
Sound = Literal["vowel", "rieul", "consonant"]

#: What stands in a template -> (after a consonant, after a vowel).
PAIRS: Final[dict[str, tuple[str, str]]] = {
    "은(는)": ("은", "는"), "는(은)": ("은", "는"), "이(가)": ("이", "가"), "가(이)": ("이", "가"),
    "을(를)": ("을", "를"), "를(을)": ("을", "를"), "과(와)": ("과", "와"), "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"), "(이)": ("이", ""),
}  # fmt: skip
_WRITTEN: Final = re.compile("|".join(re.escape(pair) for pair in sorted(PAIRS, key=len, reverse=True)))

_DIGITS: Final[dict[str, Sound]] = {
    "0": "consonant", "1": "rieul", "2": "vowel", "3": "consonant", "4": "vowel",
    "5": "vowel", "6": "consonant", "7": "rieul", "8": "rieul", "9": "vowel",
}  # fmt: skip
#: Letters whose names end in a consonant: 엘, 엠, 엔, 알. All others end in a vowel.
_LETTERS: Final[dict[str, Sound]] = {"l": "rieul", "m": "consonant", "n": "consonant", "r": "rieul"}
_MARKS: Final[dict[str, Sound]] = {"%": "vowel", "+": "vowel"}

#: Words that the rules below would get wrong.
WORDS: Final[dict[str, Sound]] = {
    "web": "consonant", "job": "consonant", "lab": "consonant", "tab": "consonant", "hub": "consonant",
    "pub": "consonant", "sub": "consonant", "app": "consonant", "up": "consonant", "drop": "consonant",
    "mac": "consonant", "group": "consonant", "cgroup": "consonant", "sleep": "consonant", "cronjob": "consonant",
    "private": "consonant", "bit": "vowel", "check": "vowel", "ipip": "vowel", "vip": "vowel",
}  # fmt: skip
#: The endings of an English word that Korean writes with a final consonant; every other ending is a vowel.
ENDINGS: Final[tuple[tuple[re.Pattern[str], Sound], ...]] = (
    (re.compile("le?$"), "rieul"),  # table 테이블, flannel 플란넬
    (re.compile("[mn]e?$|ng$"), "consonant"),  # system 시스템, name 네임, ping 핑
    (re.compile("[^aeiou][aeiou]p$|ook$"), "consonant"),  # map 맵, hop 홉, hook 훅
    (re.compile("[^aeiou][aeiou]t$|out$"), "consonant"),  # packet 패킷, subnet 서브넷, timeout 타임아웃
    (re.compile("[aeiou]ck$|[^aeiou][aeiou]c$"), "consonant"),  # block 블록, static 스태틱
)
_CLOSING: Final = "\"'`”’»>]}*_.,:;!?~-/ "


def joined(text: str) -> str:
    """The text with one form of each particle, chosen by the sound before it."""
    out: list[str] = []
    end = 0
    for found in _WRITTEN.finditer(text):
        out.append(text[end : found.start()])
        sound = last_sound(text[: found.start()])
        out.append(found[0] if sound is None else chosen(found[0], sound))
        end = found.end()
    return "".join([*out, text[end:]])


def chosen(written: str, sound: Sound) -> str:
    """One of a pair: `(으)로` takes 로 after ㄹ too."""
    closed, opened = PAIRS[written]
    if written == "(으)로" and sound == "rieul":
        return opened
    return opened if sound == "vowel" else closed


def last_sound(text: str) -> Sound | None:
    """How the text ends when it is read aloud; None when there is nothing to read."""
    text = _readable(text)
    if not text:
        return None
    last = text[-1]
    if "가" <= last <= "힣":
        final = (ord(last) - ord("가")) % 28
        return "vowel" if final == 0 else "rieul" if final == 8 else "consonant"
    if last in _DIGITS:
        return _DIGITS[last]
    if last.isascii() and last.isalpha():
        return _latin(text)
    return _MARKS.get(last)


def _readable(text: str) -> str:
    """Without what is not read at the end: closing quotes and brackets, and a parenthesis that hangs on a word."""
    while (text := text.rstrip(_CLOSING)).endswith(")"):
        depth, at = 1, len(text) - 1
        while depth and at:
            at -= 1
            depth += (text[at] == ")") - (text[at] == "(")
        hangs = not depth and at > 0 and not text[at - 1].isspace()
        text = text[:at] if hangs else text[:-1]
    return text


def _latin(text: str) -> Sound:
    """The last Latin word: capitals by letter names, hexadecimal by its last letter, others by their endings."""
    found = re.search("[A-Za-z]+$", text)
    word, before = (found[0], text[: found.start()]) if found is not None else ("", text)
    capitals = re.search("[A-Z]*$", word)
    acronym = capitals is not None and (0 < len(capitals[0]) < 5 or not re.search("[AEIOUYaeiouy]", word))
    word = word.lower()
    if word in WORDS:
        return WORDS[word]
    hexadecimal = re.fullmatch("[a-f]+", word) and re.search("[0-9]$|[0-9a-f]:$", before)
    if acronym or len(word) == 1 or hexadecimal:
        return _LETTERS.get(word[-1:], "vowel")
    return next((sound for pattern, sound in ENDINGS if pattern.search(word)), "vowel")
