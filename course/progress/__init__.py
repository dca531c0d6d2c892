"""A learner's progress in SQLite, under the user's data directory.

records.py   the values: Attempt, ExerciseState, Position, Visit, Settings
schema.py    the tables, and the steps that lead to them
rows.py      all rows of a file: read, checked, merged
transfer.py  the JSON document for export and import
database.py  opening the file: journal, read-only look, memory
rescue.py    a damaged file: kept aside, read as far as possible
store.py     Progress, the one thing that screens use
"""

from course.progress.records import (
    Animation,
    Attempt,
    ExerciseState,
    Imported,
    Json,
    Language,
    Outcome,
    Position,
    Settings,
    Visit,
)
from course.progress.schema import ProgressTooNew
from course.progress.store import Progress

__all__ = [
    "Animation",
    "Attempt",
    "ExerciseState",
    "Imported",
    "Json",
    "Language",
    "Outcome",
    "Position",
    "Progress",
    "ProgressTooNew",
    "Settings",
    "Visit",
]
