"""Goals, findings, hints, exercises and lessons: who judges what packets now do.

finding.py   Finding, Verdict, and the hop where a counter-example halts
steps.py     naming a step of a journey
facts.py     what a journey says about delivery, sources, rewriting, places, encapsulation, MTU
flows.py     flow tables: read, run, judge over all random branches
state.py     words of `state`, one table
goal.py      goal = flows + keep + state
draw.py      values drawn from a seed
exercise.py  exercises.yaml -> Exercise;  pose.py: Exercise + seed -> Posed;  check.py: Posed + answer -> Verdict
hints.py     what to look at next, by kind of finding
lesson.py    lesson.LANG.md -> Lesson;  course.py: course.yaml and the lessons' folders
prove.py     the linter: every exercise fails untouched, passes solved, accepts its ways, refuses near-misses
"""
