"""Ids, names, MAC addresses and times, always the same for the same lab.

Rules. Real docker draws them at random; here they are hashes of the machine and a running number, so that a lab
can be replayed. Times are made from the virtual clock, printed as Go prints RFC 3339 with nanoseconds.
"""

from __future__ import annotations

import hashlib
import re

from engine.linux.clock import rfc3339

NEVER = "0001-01-01T00:00:00Z"
VALID_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def _words(text: str) -> list[str]:
    return text.split()


#: a part of moby's namesgenerator lists
LEFT = _words(
    "admiring adoring agitated amazing angry awesome beautiful bold brave busy charming clever compassionate cool "
    "cranky crazy dazzling determined eager ecstatic elastic elegant eloquent epic exciting fervent festive "
    "flamboyant focused friendly frosty funny gallant gifted goofy gracious great happy hardcore heuristic "
    "hopeful hungry infallible inspiring intelligent interesting jolly jovial keen kind laughing loving lucid "
    "magical modest musing mystifying naughty nervous nice nifty nostalgic objective optimistic peaceful pedantic "
    "pensive practical priceless quirky quizzical recursing relaxed reverent romantic sad serene sharp silly "
    "sleepy stoic strange stupefied suspicious sweet tender thirsty trusting unruffled upbeat vibrant vigilant "
    "vigorous wizardly wonderful xenodochial youthful zealous zen"
)
RIGHT = _words(
    "albattani allen archimedes babbage banach bardeen bell bohr boyd brahmagupta brown carson chandrasekhar "
    "clarke colden cori cray curie darwin davinci dijkstra dirac easley edison einstein elion engelbart euclid "
    "euler faraday fermat fermi feynman franklin galileo gates germain goldberg goldstine goodall hamilton "
    "hawking heisenberg herschel hodgkin hoover hopper hypatia jackson jang jennings johnson joliot jones kalam "
    "kare keller kepler khorana kilby knuth kowalevski lalande lamarr lamport leakey leavitt lewin lichterman "
    "liskov lovelace lumiere mahavira matsumoto mccarthy mcclintock mclean mcnulty meitner mendel mestorf "
    "mirzakhani morse murdock newton nobel noether northcutt noyce panini pare pasteur payne perlman pike "
    "poincare ptolemy raman ramanujan ride ritchie roentgen rosalind saha sammet shannon shaw shirley shockley "
    "sinoussi snyder spence stallman stonebraker swanson swartz swirles tesla thompson torvalds turing "
    "varahamihira visvesvaraya volhard wescoff wiles williams wilson wing wozniak wright yalow yonath"
)


def make_id(*words: object) -> str:
    """64 hex digits, never all digits in the first 12 (docker avoids ids that look like numbers)."""
    text = "/".join(str(w) for w in words)
    while True:
        found = hashlib.sha256(text.encode()).hexdigest()
        if not found[:12].isdigit():
            return found
        text += "+"


def make_name(number: int, machine: str, taken: set[str]) -> str:
    """A name such as `quirky_hopper` that no container has."""
    for attempt in range(len(LEFT) * len(RIGHT)):
        digest = hashlib.sha256(f"{machine}/name/{number}/{attempt}".encode()).digest()
        name = f"{LEFT[digest[0] % len(LEFT)]}_{RIGHT[digest[1] % len(RIGHT)]}"
        if name not in taken and name != "boring_wozniak":
            return name
    return f"container_{number}"


def make_veth(endpoint: str, taken: set[str]) -> str:
    """`veth` and 7 hex digits, free on the machine."""
    text = endpoint
    while True:
        name = f"veth{hashlib.sha256(f'veth {text}'.encode()).hexdigest()[:7]}"
        if name not in taken:
            return name
        text += "+"


def make_mac(*words: object) -> int:
    """A locally administered unicast MAC, as dockerd draws one at every start since v28."""
    raw = bytearray(hashlib.sha256("/".join(str(w) for w in words).encode()).digest()[:6])
    raw[0] = raw[0] & 0xFE | 0x02
    return int.from_bytes(raw)


def stamp(clock: float) -> str:
    """`2026-11-21T09:00:07.25Z`"""
    return rfc3339(clock)


def human_size(size: float, digits: int = 3) -> str:
    """go-units HumanSizeWithPrecision: `224MB`, `12.8MB`, in powers of 1000 and Go's %.Ng."""
    units = ("B", "kB", "MB", "GB", "TB")
    at = 0
    while size >= 1000 and at < len(units) - 1:
        size /= 1000
        at += 1
    text = f"{size:.{digits}g}"
    if "e" in text:
        text = f"{float(text):.0f}"
    return text + units[at]
