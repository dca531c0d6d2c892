"""The course: the command line, the screens, and what is kept of a learner's progress.

Nothing is imported here: `python -m course --help` must stay cheap, so each part is imported by the
one who needs it. `__version__` is the version of the whole program; the build reads it from this line.
"""

__version__ = "0.1.0"
