"""`real LAB|FLOWS [--keep]`: the same lab in the real kernel, rows read back and every flow compared step by step.
Exit code 0: no difference; 1: a difference; 2: bad input, or this machine cannot do it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course.cli.common import Paint, Parser, guarded, make_parser, open_lab, print_json, words
from engine.lab.lab import Lab
from engine.linux.journey import Journey, Outcome
from engine.say import Phrase

ABOUT = (
    "The lab in the real Linux kernel, compared with the model.",
    "실습 환경을 실제 리눅스 커널에서 만들어 모델과 비교합니다.",
)
ROWS = Phrase(en="rows: {count} compared, {bad} differ", ko="행: {count}개 비교, {bad}개 다름")
FLOWS = Phrase(
    en="flows: {count} compared, {records} steps, {bad} differ",
    ko="흐름: {count}개 비교, {records}단계, {bad}개 다름",
)
NOTHING = Phrase(
    en="no flow of this table can be sent in the real kernel",
    ko="이 표에는 실제 커널에서 보낼 수 있는 흐름이 없습니다",
)


def parser() -> Parser:
    p = make_parser("real", ABOUT)
    p.add_argument("what", metavar="LAB|FLOWS", help=both_help())
    p.add_argument("way", nargs="*", metavar="FROM TO", help=way_help())
    p.add_argument("--proto", choices=("tcp", "udp", "icmp"), default="tcp")
    p.add_argument("--keep", action="store_true", help=keep_help())
    return p


def both_help() -> str:
    from course.cli.common import both

    return both("a lab, a lesson's id, or a flow table", "실습 환경, 레슨 id, 또는 흐름 표")


def way_help() -> str:
    from course.cli.common import both

    return both("only this flow, written as for trace", "이 흐름만. trace와 같이 적습니다")


def keep_help() -> str:
    from course.cli.common import both

    return both("open a shell in the namespaces afterwards", "비교한 뒤 네임스페이스 안의 셸을 엽니다")


def open_what(word: str, lang: str) -> tuple[Lab, list[Any]]:
    """The lab, and the flows of a table (empty for a lab)."""
    path = Path(word)
    if path.is_file() and "flows:" in path.read_text(encoding="utf-8", errors="replace"):
        from course.cli.flows import open_table_lab
        from engine.grade.flows import read_table

        table = read_table(path)
        return open_table_lab(table, path, lang), list(table.flows)
    return open_lab(word, lang=lang), []


def table_flows(lab: Lab, rows: list[Any]) -> list[Any]:
    """The rows of a table that are one packet flow by tcp, udp or icmp, as the kernel's worker sends them."""
    from engine.real.compare import Flow

    out = []
    for row in rows:
        if row.proto not in ("tcp", "udp", "icmp", "http") or not row.to:
            continue
        proto = "tcp" if row.proto == "http" else row.proto
        leg = lab.trace(row.source, row.to, proto=row.proto, enter=row.enter).legs
        if not leg or leg[0].forward.packet is None or not leg[0].forward.packet.has_ip:
            continue
        packet = leg[0].forward.packet
        sport, dport = packet.ports
        from engine.linux.addr import text4

        place = leg[0].forward.hops[0].place
        out.append(
            Flow(netns=place.netns, proto=proto, dst=text4(packet.ip.dst), dport=dport, sport=sport or 20001)
        )
    return out


def chosen(lab: Lab, args: argparse.Namespace, rows: list[Any]) -> list[Any]:
    """The flow FROM TO, or those of a table."""
    if not args.way:
        return table_flows(lab, rows)
    from engine.grade.table import Flow as Row

    return table_flows(lab, [Row(source=args.way[0], to=args.way[1], proto=args.proto)])


def shown(lab: Lab, args: argparse.Namespace, results: list[Any]) -> Journey | None:
    """The journey beside the shell: FROM TO, else the longest that arrived."""
    if args.way:
        return lab.trace(args.way[0], args.way[1], proto=args.proto)
    good = [r for r in results if r.journey.outcome is Outcome.DELIVERED]
    return max(good or results, key=lambda r: r.count).journey if results else None


def run(argv: Sequence[str] | argparse.Namespace) -> int:
    args = words(argv, parser())
    return guarded(args, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from engine.real.compare import compare
    from engine.real.kernel import Kernel
    from engine.real.pairs import all_pairs
    from engine.real.rows import compare_rows

    lab, rows = open_what(args.what, args.lang)
    net = lab.world.net
    flows = chosen(lab, args, rows) if rows or args.way else all_pairs(net)
    paint = Paint()
    with Kernel() as kernel:
        kernel.build(net)
        read = compare_rows(kernel, net)
        results = [compare(kernel, net, flow) for flow in flows]
        bad_rows, bad_flows = [r for r in read if not r.same], [r for r in results if not r.same]
        count, records = sum(r.count for r in read), sum(r.count for r in results)
        if args.json:
            print_json(
                {
                    "rows": {"compared": count, "different": [_row_json(r) for r in bad_rows]},
                    "flows": {
                        "compared": len(results),
                        "steps": records,
                        "different": [{"flow": vars_of(r.flow), "grid": r.grid()} for r in bad_flows],
                    },
                }
            )
        else:
            for r in bad_rows:
                print(f"{r.netns} {r.kind}")
                for mark, lines in (("-", r.only_model), ("+", r.only_kernel)):
                    for line in lines:
                        print(paint("red", f"  {mark} {line}"))
            for one in bad_flows:
                print(one.grid())
            if rows and not flows:
                print(NOTHING().text(args.lang))
            print(ROWS(count=count, bad=len(bad_rows)).text(args.lang))
            print(FLOWS(count=len(results), records=records, bad=len(bad_flows)).text(args.lang))
    if args.keep:
        from course.cli.beside import shell

        shell(net, shown(lab, args, results), args.lang, paint)
    return 1 if bad_rows or bad_flows else 0


def _row_json(r: Any) -> dict[str, Any]:
    return {
        "namespace": r.netns, "kind": r.kind, "only_model": list(r.only_model), "only_kernel": list(r.only_kernel)
    }  # fmt: skip


def vars_of(flow: Any) -> dict[str, Any]:
    return {
        "netns": flow.netns,
        "proto": flow.proto,
        "dst": flow.dst,
        "dport": flow.dport,
        "sport": flow.sport,
    }
