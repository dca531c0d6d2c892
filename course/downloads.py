"""Files that leave a lab: where they are put on the learner's own machine.

Rules. A name from a lab is only a name: folders in it are dropped. Nothing is written over; the next free name is
taken, `a.pcap`, `a-1.pcap`, `a-2.pcap`.
"""

from __future__ import annotations

from pathlib import Path


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
