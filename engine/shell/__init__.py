"""The lab's shell: typed lines -> ops and packets, rows -> the real tools' text.

Read world.py (what a shell works on), place.py (where it stands), tool.py (what a command is), words.py (the
line's grammar), shell.py (who runs it), then tools/: one file a real tool.

Rules. Whatever is typed gives a Result. What a real tool knows and we do not model is refused by name; it is
never ignored. Tools print what the real tool prints; our own sentences go to stderr, in the learner's language.
"""
