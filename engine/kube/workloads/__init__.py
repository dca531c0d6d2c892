"""The workload controllers: Deployment, ReplicaSet, DaemonSet, StatefulSet, Job.

Theory. Each compares the Pods (or ReplicaSets) that it owns with what its spec asks for and makes or removes the
difference. Sources: pkg/controller/{deployment,replicaset,daemon,statefulset,job}; one file a controller here, what
they share in common.py, the revisions of DaemonSets and StatefulSets in history.py; run.py is what the cluster calls.

Rules. Level-triggered: `queue.py` tells which objects have to be looked at, and when one has to be looked at by
itself. Names have the real shapes: web-6d4cf56db6-abcde, ds-abcde, sts-0, job-abcde.
"""
