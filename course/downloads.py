"""Files that leave a lab: where they are put on the learner's own machine.

Rules. A name from a lab is only a name: folders in it are dropped. Nothing is written over; the next free name is
taken, `a.pcap`, `a-1.pcap`, `a-2.pcap`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.say import Phrase, Said

KEPT = Phrase(en="{path}: {size} bytes", ko="{path}: {size}바이트")
NOT_KEPT = Phrase(en="{name} could not be written: {why}", ko="{name}을(를) 쓰지 못했습니다: {why}")


def keep(files: Iterable[tuple[str, bytes]], folder: Path | None = None) -> list[Said]:
    """Put a command's downloads into the folder (the current one by default) and say of each where it is."""
    told: list[Said] = []
    for name, data in files:
        try:
            path = put((folder or Path.cwd()).resolve(), name, data)
        except OSError as error:
            told.append(NOT_KEPT(name=name, why=error.strerror or str(error)))
        else:
            told.append(KEPT(path=str(path), size=len(data)))
    return told


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write the file into `folder` (made when it is missing) and return where it is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Path(name.replace("\\", "/")).name.lstrip(".") or "file"
    stem, dot, end = wanted.partition(".")
    for number in range(10000):
        path = folder / (wanted if not number else f"{stem}-{number}{dot}{end}")
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(17, f"too many files named {wanted}")
