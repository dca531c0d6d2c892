"""The four wirings once more, for the second kernel: two kernels and the model must walk them alike."""

from __future__ import annotations

from tests.real.scene import Scene, Send
from tests.real.wirings import LISTENING, WIRINGS, flows, wiring


def scene(name: str) -> Scene:
    built = wiring(name)
    steps = [Send(f.netns, f.proto, f.dst, f.dport) for f in flows(built.addresses).values()]
    return Scene(name, built.lines, tuple(steps), LISTENING, ("vxlan",) if name == "vxlan" else ())


WIRING_SCENES = [scene(name) for name in WIRINGS]
