"""The cluster for Pods: API objects, store, scheduler, kubelets, containerd, CNI.

Reading order: options.py and cluster.py (what is set up, and `settle`), objects.py, manifests.py, apiserver.py
with schema.py, fields.py, defaults.py, admission.py, validate/ and services/ (what people bring), patch.py, store.py
with index.py, watch.py (what has to be looked at), scheduler.py with scheduling/, workloads/, eviction.py,
nodes.py, controlplane.py, then one node: boot.py, system.py, node.py, kubelet.py with sync.py, containers.py,
imagepull.py, volumes.py, podenv.py and podstatus.py, containerd.py with runtime.py and registry.py, and cni/; sleep.py:
nodes that nobody has touched.
"""

from engine.kube.cluster import Cluster, Skipped
from engine.kube.manifests import from_texts
from engine.kube.options import CniOptions, NodeOptions, Options

__all__ = ["Cluster", "CniOptions", "NodeOptions", "Options", "Skipped", "from_texts"]
