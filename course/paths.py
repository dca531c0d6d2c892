"""Where the program keeps a learner's things. Nothing is created here."""

from __future__ import annotations

from pathlib import Path

APPLICATION = "k8snet-tutor"


def data_dir(chosen: Path | None = None) -> Path:
    """The folder for progress and crash files: `--data-dir`, else the user's data directory of this system."""
    if chosen is not None:
        return chosen.expanduser()
    from platformdirs import user_data_path

    return user_data_path(APPLICATION, appauthor=False)
