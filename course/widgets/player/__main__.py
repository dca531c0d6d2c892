"""`python -m course.widgets.player LAB FROM TO [--proto tcp] [--ko] [--ascii] [--theme NAME]`: the player alone.

A tool for people who work on the player: one journey of a real lab, without the rest of the course. LAB is what
`k8snet-tutor trace` takes; FROM and TO are endpoints as in a flow table. Exit 2 with one line when the lab is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Trace, then open the player on what happened."""
    parser = argparse.ArgumentParser(prog="python -m course.widgets.player")
    parser.add_argument("lab")
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("to", metavar="TO")
    parser.add_argument("--proto", default="tcp")
    parser.add_argument("--ko", action="store_true")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--still", action="store_true", help="no motion")
    parser.add_argument("--theme", default="")
    args = parser.parse_args(argv)
    os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")

    from engine.errors import EngineError
    from engine.lab.lab import Lab

    lang = "ko" if args.ko else "en"
    try:
        lab = Lab.load(args.lab, lang=lang)
        journey = lab.trace(args.source, args.to, proto=args.proto)
    except EngineError as error:
        print(error.text(lang), file=sys.stderr)
        return 2

    from textual.app import App, ComposeResult
    from textual.widgets import Footer

    from course.widgets.player import Player

    class Alone(App[None]):
        """A player and a footer."""

        def compose(self) -> ComposeResult:
            yield Player(lang=lang, ascii=args.ascii, motion=False if args.still else None)
            yield Footer()

        def on_mount(self) -> None:
            if args.theme:
                self.theme = args.theme
            player = self.query_one(Player)
            player.load(journey, lab.world.net)
            player.focus()

    Alone().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
