"""The lab whose objects a real kubectl was shown: pods in many states, a deployment, a job, a ConfigMap."""

from __future__ import annotations

from engine.kube import NodeOptions
from tests.kube.labs import Lab

TEXT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {a: b}}
data: {mode: "fast\\nand slow\\n"}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, tier: front}, annotations: {note: "a short one", other: x}}
spec:
  nodeName: w1
  nodeSelector: {kubernetes.io/os: linux}
  containers:
  - name: web
    image: nginx:1.27
    command: [nginx, "-g", "daemon off;"]
    ports: [{containerPort: 80, name: http, hostPort: 8080}]
    resources: {limits: {cpu: 500m, memory: 128Mi}, requests: {cpu: 250m, memory: 64Mi}}
    readinessProbe: {httpGet: {path: /, port: 80}, initialDelaySeconds: 5}
    livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 3}
    env:
    - {name: PLAIN, value: hello}
    - {name: NODE, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}}
    - {name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}
    volumeMounts: [{name: work, mountPath: /work}, {name: conf, mountPath: /conf, readOnly: true}]
  volumes: [{name: work, emptyDir: {}}, {name: conf, configMap: {name: settings}}]
---
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {app: web}}
spec:
  nodeName: w2
  tolerations: [{key: gpu, operator: Equal, value: "yes", effect: NoSchedule}]
  containers:
  - {name: a, image: "nginx:1.27", ports: [{containerPort: 80}, {containerPort: 443}]}
  - {name: b, image: busybox, args: [sleep, "36000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec: {nodeName: w1, containers: [{name: c, image: busybox, command: [sh, -c, "exit 3"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: pending}
spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: init}
spec:
  nodeName: w2
  initContainers: [{name: first, image: busybox, command: [sleep, "360000"]}]
  containers: [{name: c, image: nginx}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: api}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: hashicorp/http-echo, args: ["-text=hi"], ports: [{containerPort: 5678}]}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sleep, "5"]}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, containers: [{name: c, image: busybox, args: [sleep, infinity]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: busybox, args: [sleep, infinity]}]}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {password: c2VjcmV0}
"""


def lab() -> Lab:
    """Three hours old, with nothing that happened in the last quarter of an hour."""
    nodes = (NodeOptions(name="w1"), NodeOptions(name="w2", taints=(("gpu", "yes", "NoSchedule"),)))
    made = Lab(TEXT, nodes=nodes)
    made.wait(3 * 3600)
    made.net.clock += 20 * 60
    return made
