"""kubectl, one file per verb family or printer.

Reading order: flags.py (command lines), usage.py (help), client.py (how the API is reached, names to objects),
completing.py; table.py, cells.py and columns*.py (what `get` prints), output.py with jsonpath.py (-o), get.py with
watching.py, describe.py and describe_*.py, events.py, explain.py with explain_texts.py; manifests.py (what -f brings),
write.py (apply, create -f, replace), diff.py, delete.py, update.py (changes go as patches) with patching.py,
editing.py, labels.py, scaling.py, setting.py, rollout.py, rollout_status.py; made.py and merge.py, create.py with
create_*.py, generate.py (run), expose.py (with autoscale); nodes.py (taint, cordon), drain.py; containers.py (logs,
exec), copying.py, forward.py; auth.py, kubeconfig.py (config), about.py (version, api-resources, top ...), wait.py,
pick.py (which objects).
"""
