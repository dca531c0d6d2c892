"""kubectl, one file per verb or printer.

Reading order: flags.py (command lines), client.py (how the API is reached, names to objects), table.py and
columns.py (what `get` prints), output.py with jsonpath.py (-o), get.py, describe.py and describe_*.py, write.py
(apply, create, replace), delete.py, generate.py (run, create deployment ...), change.py (label, scale, taint, cordon
...), containers.py (logs, exec), about.py (version, api-resources, config, cluster-info), wait.py.
"""
