"""Goals, findings, hints, exercises and lessons: who judges what packets now do.

finding.py   Finding, Verdict, and the hop where a counter-example halts
steps.py     naming a step of a journey
facts.py     what a journey says about delivery, sources, rewriting, places, encapsulation, MTU
table.py     flow tables as files;  flows.py: judged over all random branches
state.py     words of `state`, one table
goal.py      goal = flows + keep + state
draw.py      values drawn from a seed
ways.py      accepted, refused, solution
exercise.py  exercises.yaml -> Exercise;  pose.py: Exercise + seed -> Posed;  check.py: Posed + answer -> Verdict
hints.py     what to look at next, by kind of finding
lesson.py    lesson.LANG.md -> Lesson;  course.py: course.yaml and the lessons' folders
proof.py     one exercise: fails untouched, passes solved, accepts its ways, refuses near-misses
prove.py     the linter: one lesson, or all
"""
