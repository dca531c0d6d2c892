"""The lab: its description, what it is built of, and the log of what was done to it.

doc.py       YAML text -> plain values that remember their lines
reader.py    asking a document for what it should hold; all problems at once
describe.py  the lab file's keys -> Description
manifests.py Kubernetes YAML, folders of it, kinds that the model does not know
faults.py    the table of faults
places.py    endpoints and places by name
build.py     Description -> World
lab.py       Lab: open, type, undo, reset, trace
"""
