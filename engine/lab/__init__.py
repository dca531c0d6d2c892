"""The lab: its description, what it is built of, and the log of what was done to it.

doc.py       YAML text -> plain values that remember their lines
reader.py    asking a document for what it should hold; all problems at once
describe.py  the lab file's keys -> Description;  describe_docker.py: those of hosts[].docker
source.py    where a lab comes from: a file, a folder of plain manifests, a mapping
faults.py    the table of faults
places.py    endpoints and places by name
build.py     Description -> World
trace.py     one flow through a world
deeds.py     what a file asks to be done: commands, files, manifests
lab.py       Lab: open, type, undo, reset, trace
"""
