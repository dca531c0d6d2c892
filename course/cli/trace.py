"""`trace LAB FROM TO`: one journey, hop by hop, with the rows that decided and why. Exit code 0: it was walked
(whatever its outcome); 1: `not-modelled`; 2: bad input."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from course.cli.common import (
    Paint,
    Parser,
    both,
    guarded,
    make_parser,
    open_lab,
    print_json,
    say_notes,
    words,
)
from engine.errors import InputError, Problem
from engine.grade.finding import Halt
from engine.lab.lab import Lab
from engine.lab.places import place_name, scheme_of
from engine.lab.trace import OTHER_SCHEME, PROTOS
from engine.linux.journey import OUTCOMES, Fidelity, Journey, Leg, Outcome, Step, Walk
from engine.linux.packet import describe
from engine.say import Phrase

ABOUT = ("One journey, hop by hop: LAB FROM TO.", "패킷 한 번의 여정을 홉마다 봅니다: LAB FROM TO.")
BACK = Phrase(en="the way back", ko="돌아오는 길")
LEG = Phrase(en="flow {number}: {purpose}", ko="흐름 {number}: {purpose}")
VISITED = Phrase(en="{count} rules tried", ko="규칙 {count}개 확인")
MODELLED = {
    Fidelity.DOCUMENTED: Phrase(en="modelled from documents", ko="문서를 따라 만든 모델"),
    Fidelity.SIMPLIFIED: Phrase(en="simplified", ko="단순화한 모델"),
}
BAD_HEADER = Phrase(
    en="{found!r} is not a header; write NAME: VALUE",
    ko="{found!r}은(는) 헤더가 아닙니다. 이름: 값으로 적으십시오",
)
NOT_WRITTEN = Phrase(en="cannot write {file}: {reason}", ko="{file}에 쓸 수 없습니다: {reason}")


def parser() -> Parser:
    p = make_parser("trace", ABOUT)
    p.add_argument(
        "lab",
        metavar="LAB",
        help=both("a lab file, a lesson's id, a folder of manifests", "실습 파일, 레슨 id, 매니페스트 폴더"),
    )
    p.add_argument(
        "source", metavar="FROM", help="pod/NAME, pod/NS/NAME, node/N, host/N, container/H/N, ADDRESS"
    )
    p.add_argument("to", metavar="TO", help="pod/NAME:PORT, node/N:PORT, ADDRESS:PORT, http://HOST/PATH ...")
    p.add_argument("--proto", choices=PROTOS, default=None, help=both("tcp when not given", "없으면 tcp"))
    p.add_argument(
        "--enter",
        metavar="node/N",
        default="",
        help=both("with an address: where it comes in", "주소일 때 들어오는 노드"),
    )
    p.add_argument(
        "--header", metavar="'NAME: VALUE'", action="append", default=[], help=both("http only", "http에서만")
    )
    p.add_argument("--seed", type=int, default=0, help=both("for random choices", "무작위 선택의 씨앗"))
    p.add_argument("--pcap", metavar="FILE", type=Path, help=both("write a capture", "캡처 파일로 저장"))
    p.add_argument("--svg", metavar="FILE", type=Path, help=both("write a picture", "그림 파일로 저장"))
    p.add_argument("--markdown", metavar="FILE", type=Path, help=both("write a transcript", "글로 저장"))
    return p


def run(argv: Sequence[str] | argparse.Namespace) -> int:
    args = words(argv, parser())
    return guarded(args, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    headers = dict(_header(text) for text in args.header)
    lab = open_lab(args.lab, seed=args.seed, lang=args.lang)
    scheme = scheme_of(args.to)
    if scheme and args.proto not in (None, scheme):
        said = OTHER_SCHEME(to=args.to, scheme=scheme, proto=args.proto)
        raise InputError([Problem(where="--proto", said=said)])
    proto = args.proto or scheme or "tcp"
    journey = lab.trace(args.source, args.to, proto, headers, enter=args.enter)
    for kind in ("pcap", "svg", "markdown"):
        if getattr(args, kind) is not None:
            export(kind, getattr(args, kind), lab, journey, args.lang)
    if args.json:
        print_json(journey.to_json())
    else:
        say_notes(lab, args.lang)
        for line in ladder(journey, args.lang, Paint()):
            print(line)
    return 1 if journey.outcome is Outcome.NOT_MODELLED else 0


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise InputError([Problem(where="--header", said=BAD_HEADER(found=text))])
    return name.strip(), value.strip()


def export(kind: str, path: Path, lab: Lab, journey: Journey, lang: str) -> None:
    """Write the journey by engine.export.KIND, which is imported only when it is asked for."""
    try:
        import_module(f"engine.export.{kind}").write(path, journey, lab.world.net, lang)
    except OSError as error:
        said = NOT_WRITTEN(file=str(path), reason=error.strerror or str(error))
        raise InputError([Problem(where=f"--{kind}", said=said)]) from None


# ---- the text


def ladder(journey: Journey, lang: str, paint: Paint) -> Iterator[str]:
    """The journey as lines: a heading, then hops with their steps."""
    good = journey.outcome is Outcome.DELIVERED
    outcome = paint("green" if good else "red", str(journey.outcome))
    yield f"{paint('bold', journey.act)}: {outcome}, {OUTCOMES[journey.outcome]().text(lang)}"
    if journey.why is not None:
        yield f"  {journey.why.text(lang)}"
    for number, leg in enumerate(journey.legs, 1):
        if len(journey.legs) > 1:
            yield ""
            yield paint("bold", LEG(number=number, purpose=leg.purpose).text(lang))
        yield from _leg(leg, lang, paint)


def ladder_before(journey: Journey, halt: Halt, lang: str, paint: Paint) -> Iterator[str]:
    """The hops before `halt`, without how it ends: what may be seen while its question is open."""
    index, way, hop = halt
    yield paint("bold", journey.act)
    for number, leg in enumerate(journey.legs[: index + 1]):
        if len(journey.legs) > 1:
            yield paint("bold", LEG(number=number + 1, purpose=leg.purpose).text(lang))
        if number < index:
            yield from _leg(leg, lang, paint)
        elif way == "forward" or leg.back is None:
            yield from _walk(leg.forward, lang, paint, most=hop)
        else:
            yield from _walk(leg.forward, lang, paint)
            yield paint("dim", f"-- {BACK().text(lang)} --")
            yield from _walk(leg.back, lang, paint, most=hop)


def _leg(leg: Leg, lang: str, paint: Paint) -> Iterator[str]:
    yield from _walk(leg.forward, lang, paint)
    if leg.back is not None:
        yield paint("dim", f"-- {BACK().text(lang)} --")
        yield from _walk(leg.back, lang, paint)


def _walk(
    walk: Walk, lang: str, paint: Paint, indent: str = "", most: int | None = None
) -> Iterator[str]:  # fmt: skip
    width = max((len(place_name(h.place)) for h in walk.hops), default=0)
    for number, hop in enumerate(walk.hops[:most], 1):
        packet = hop.packet
        where = place_name(hop.place).ljust(width)
        way = {"in": "in ", "out": "out"}.get(hop.place.direction, "   ")
        text = describe(packet) if packet is not None else ""
        yield f"{indent}{number:>3}  {paint('cyan', where)}  {way}  {text}"
        for step in hop.steps:
            yield from _step(step, lang, paint, indent)


def _step(step: Step, lang: str, paint: Paint, indent: str) -> Iterator[str]:
    why = step.why.text(lang) if step.why is not None else ""
    chain = " ".join(w for w in (step.table, step.chain, f"#{step.number}" if step.number else "") if w)
    head = f"{indent}       {step.kind!s:<12}"
    yield f"{head}{f'[{chain}] ' if chain else ''}{why}".rstrip()
    more = f"{indent}                   "
    if step.row:
        yield more + paint("yellow", step.row)
    if step.changed and step.before is not None and step.after is not None:
        before, after = describe(step.before), describe(step.after)
        if before != after:
            yield f"{more}{before}  =>  {after}"
    if step.visited > 1:
        yield more + paint("dim", VISITED(count=step.visited).text(lang))
    if step.trust in MODELLED:
        yield more + paint("dim", f"({MODELLED[step.trust]().text(lang)})")
    for aside in step.aside:
        yield from _walk(aside, lang, paint, indent + "          ")
