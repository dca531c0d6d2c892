"""Makes tests/real/recorded/second/*.json from the second kernel: every scene of second_scenes.py, step by step.

    python tests/real/capture_second.py [--to FOLDER] [SCENE ...]

Needs user-mode-linux, ipvsadm, ipset, iptables and conntrack; no root. A packet socket tells every device hop, TRACE
every rule; after each step the connections and what the scene wants shown. Nothing of the model is used here.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real.second import Second
from tests.real import saying
from tests.real.scene import Scene, Send
from tests.real.second_scenes import SCENES
from tests.real.wirings import LAN, NODES, SPACES

HERE = Path(__file__).parent / "recorded" / "second"
FIRST_PORT = 40001
BUILTIN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
#: conntrack -L: seconds to live and the use count are left out
SECONDS, USE = re.compile(r"^(\S+ +\d+) \d+ "), re.compile(r" use=\d+$")


def chains(kernel: Second, name: str) -> dict[tuple[str, str], int]:
    """(table, chain) -> how many rules stand in it."""
    out: dict[tuple[str, str], int] = {}
    table = ""
    for line in kernel.sh(f"ip netns exec {name} iptables-save")[1].splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            out[table, line[1:].split()[0]] = 0
        elif line.startswith("-A ") and not line.endswith("-j TRACE"):
            out[table, line.split()[1]] += 1
    return out


def told(records: list[dict[str, Any]], rules: dict[tuple[str, str], int]) -> list[str]:
    """One namespace's records as lines: devices, and for each chain that a packet walked the numbers of its rules."""
    out: list[str] = []
    head = ""
    for record in records:
        packet, prefix = bytes.fromhex(record["packet"]), record["prefix"]
        line = saying.from_bytes(packet)
        if prefix.startswith("DEV:"):
            _, way, device = prefix.split(":", 2)
            if " > 224." not in line:
                out.append(f"{way} {device} {line}")
            head = ""
            continue
        table, chain, kind, text = prefix.removeprefix("TRACE: ").rsplit(":", 3)
        if table == "raw":
            continue
        number, count = int(text), rules.get((table, chain), 0)
        where = f"{record['iif'] and ' iif ' + record['iif']}{record['oif'] and ' oif ' + record['oif']}"
        if chain in BUILTIN and not head.startswith(f"{table} {chain} "):
            head = f"{table} {chain}{where} {line.partition(' | ')[0]}"
            out.append(f"{head}:")
        if kind == "rule" or number <= count:
            out[-1] += f" {chain}#{number}"
        elif kind == "policy":
            out[-1] += " policy"
        if chain in BUILTIN and kind == "policy":
            head = ""
    return [line for line in out if not line.endswith(": policy") or has_rules(line, rules)]


def has_rules(line: str, rules: dict[tuple[str, str], int]) -> bool:
    table, chain = line.split()[:2]
    return rules.get((table, chain), 0) > 0


def connections(text: str) -> list[str]:
    return sorted(USE.sub("", SECONDS.sub(r"\1 ", line)) for line in text.splitlines())


def warm(kernel: Second, scene: Scene) -> None:
    """Every neighbour known, so that no ARP is in the way of a recorded packet; then nothing else is remembered."""
    ends = sorted(
        {
            *LAN.pods.values(),
            *LAN.nodes.values(),
            *re.findall(r"addr add (\d+\.\d+\.\d+\.\d+)", "\n".join(scene.lines)),
        }
    )
    kernel.ask("warm", addresses=[end for end in ends if not end.startswith("10.96.")])
    kernel.records()


def record(kernel: Second, scene: Scene) -> dict[str, object]:
    kernel.fresh()
    kernel.ask("build", lines=list(scene.lines))
    kernel.ask("watch")
    for name, proto, address, port in scene.listening:
        kernel.ask("listen", name=name, proto=proto, address=address, port=port, echo=True)
    warm(kernel, scene)
    rules = {name: chains(kernel, name) for name in SPACES}
    steps: list[dict[str, object]] = []
    began = kernel.ask("records")["at"]
    for sport, step in enumerate(scene.steps, FIRST_PORT):
        if isinstance(step, str):
            code, _, error = kernel.sh(step)
            if code:
                raise SystemExit(f"{scene.name}: {step}: {error}")
            lines: dict[str, list[str]] = {}
            said, at = "", kernel.ask("records")["at"]
        else:
            said = send(kernel, step, sport)
            seen = kernel.ask("records")
            found = {name: told(rows, rules[name]) for name, rows in seen["records"].items()}
            at = seen["at"]
            lines = {name: rows for name, rows in sorted(found.items()) if rows}
        asked = [*((name, "conntrack -L") for name in NODES), *scene.shown]
        texts: list[str] = kernel.ask("show", lines=asked)["texts"]
        tracked = {name: connections(text) for name, text in zip(NODES, texts, strict=False)}
        shown = {
            f"{name}: {line}": text
            for (name, line), text in zip(scene.shown, texts[len(NODES) :], strict=True)
        }
        steps.append(
            {
                "sport": sport,
                "at": round(at - began, 2),
                "error": said,
                "lines": lines,
                "conntrack": {k: v for k, v in tracked.items() if v},
            }
            | ({"shown": shown} if shown else {})
        )
    return {"kernel": kernel.sh("uname -r")[1].strip(), "steps": steps}


def send(kernel: Second, step: Send, sport: int) -> str:
    answer = kernel.ask(
        "send", name=step.netns, proto=step.proto, dst=step.dst, dport=step.dport, sport=sport, size=step.size,
        df=step.df, wait=step.wait,
    )  # fmt: skip
    return str(answer["error"])


def main(names: list[str]) -> None:
    folder = HERE
    if names[:1] == ["--to"]:
        folder, names = Path(names[1]), names[2:]
    wanted = [SCENES[name] for name in names or SCENES]
    modules = sorted({m for scene in wanted for m in scene.modules})
    folder.mkdir(parents=True, exist_ok=True)
    with Second(*modules) as kernel:
        for scene in wanted:
            found = record(kernel, scene)
            (folder / f"{scene.name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(scene.name, len(scene.steps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
