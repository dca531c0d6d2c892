"""Calico as its manifest installs it into kube-system: DaemonSet calico-node, Deployment calico-kube-controllers.

Rules. The bodies are manifests/calico.yaml of v3.32.1, with the lab's mode and range in the places that its comments
name. Its CRDs are not objects here: what they hold (IPPool, IPAMBlock) is written by the programs themselves.
"""

from __future__ import annotations

from engine.kube.objects import Json
from engine.kube.options import CniOptions, Options


def objects(options: Options) -> list[Json]:
    """What `kubectl apply -f calico.yaml` creates; nothing where the lab has another network."""
    if options.cni.name != "calico":
        return []
    accounts = [_account("calico-kube-controllers"), _account("calico-node"), _account("calico-cni-plugin")]
    return [_disruption_budget(), *accounts, _config(options.cni), daemon_set(options.cni), _controllers()]


def images() -> tuple[str, ...]:
    """What the manifest pulls."""
    from engine.kube.cni.calico_conf import VERSION

    return tuple(f"quay.io/calico/{name}:{VERSION}" for name in ("cni", "node", "kube-controllers"))


def _account(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": "kube-system"},
    }


def _disruption_budget() -> Json:
    name = "calico-kube-controllers"
    return {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": name}},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"k8s-app": name}}},
    }  # fmt: skip


def _config(cni: CniOptions) -> Json:
    from engine.kube.cni import calico_conf

    text = calico_conf.conflist("__KUBERNETES_NODE_NAME__", cni)
    text = text.replace(f'"mtu": {cni.mtu}', '"mtu": __CNI_MTU__')
    text = text.replace(calico_conf.KUBECONFIG, "__KUBECONFIG_FILEPATH__")
    backend = "bird" if calico_conf.mode(cni).bird else "vxlan"
    data = {
        "typha_service_name": "none",
        "calico_backend": backend,
        "veth_mtu": str(cni.mtu),
        "cni_network_config": text,
    }
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "calico-config", "namespace": "kube-system"},
        "data": data,
    }  # fmt: skip


def _from_config(name: str, key: str) -> Json:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": "calico-config", "key": key}}}


def _node_name(name: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}


def _value(name: str, value: str) -> Json:
    return {"name": name, "value": value}


def _mount(path: str, name: str) -> Json:
    return {"mountPath": path, "name": name}


def _host_path(name: str, path: str, type: str = "") -> Json:
    return {"name": name, "hostPath": {"path": path, **({"type": type} if type else {})}}


ENDPOINT = [{"configMapRef": {"name": "kubernetes-services-endpoint", "optional": True}}]
PRIVILEGED: Json = {"privileged": True}


def daemon_set(cni: CniOptions) -> Json:
    """calico-node: felix, confd and bird in one container, behind two init containers that put the plugin in place."""
    from engine.kube.cni import calico_conf

    cni_image, node_image, _ = images()
    mode = calico_conf.mode(cni)
    ipip, vxlan = mode.words
    bird = ["-bird-live"] if mode.bird else []
    ready = ["-bird-ready"] if mode.bird else []
    env = [
        _value("DATASTORE_TYPE", "kubernetes"), _value("WAIT_FOR_DATASTORE", "true"), _node_name("NODENAME"),
        _from_config("CALICO_NETWORKING_BACKEND", "calico_backend"), _value("CLUSTER_TYPE", "k8s,bgp"),
        _value("IP", "autodetect"), _value("CALICO_IPV4POOL_IPIP", ipip), _value("CALICO_IPV4POOL_VXLAN", vxlan),
        _value("CALICO_IPV6POOL_VXLAN", "Never"), _from_config("FELIX_IPINIPMTU", "veth_mtu"),
        _from_config("FELIX_VXLANMTU", "veth_mtu"), _from_config("FELIX_WIREGUARDMTU", "veth_mtu"),
        _value("CALICO_IPV4POOL_CIDR", str(cni.pod_cidr)), _value("CALICO_DISABLE_FILE_LOGGING", "true"),
        _value("FELIX_DEFAULTENDPOINTTOHOSTACTION", "ACCEPT"), _value("FELIX_IPV6SUPPORT", "false"),
        _value("FELIX_HEALTHENABLED", "true"),
    ]  # fmt: skip
    program = "/bin/calico-node"
    node: Json = {
        "name": "calico-node", "image": node_image, "imagePullPolicy": "IfNotPresent", "envFrom": ENDPOINT, "env": env,
        "securityContext": PRIVILEGED, "resources": {"requests": {"cpu": "250m"}},
        "lifecycle": {"preStop": {"exec": {"command": [program, "-shutdown"]}}},
        "livenessProbe": {
            "exec": {"command": [program, "-felix-live", *bird]}, "periodSeconds": 10, "initialDelaySeconds": 10,
            "failureThreshold": 6, "timeoutSeconds": 10,
        },
        "readinessProbe": {
            "exec": {"command": [program, "-felix-ready", *ready]}, "periodSeconds": 10, "timeoutSeconds": 10,
        },
        "volumeMounts": [
            _mount("/host/etc/cni/net.d", "cni-net-dir"), {**_mount("/lib/modules", "lib-modules"), "readOnly": True},
            _mount("/run/xtables.lock", "xtables-lock"), _mount("/var/run/calico", "var-run-calico"),
            _mount("/var/lib/calico", "var-lib-calico"), _mount("/var/run/nodeagent", "policysync"),
            {**_mount("/var/log/calico/cni", "cni-log-dir"), "readOnly": True},
        ],
    }  # fmt: skip
    install: Json = {
        "name": "install-cni", "image": cni_image, "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/cni/bin/install"], "envFrom": ENDPOINT,
        "env": [
            _value("CNI_CONF_NAME", "10-calico.conflist"), _from_config("CNI_NETWORK_CONFIG", "cni_network_config"),
            _node_name("KUBERNETES_NODE_NAME"), _from_config("CNI_MTU", "veth_mtu"), _value("SLEEP", "false"),
        ],
        "volumeMounts": [_mount("/host/opt/cni/bin", "cni-bin-dir"), _mount("/host/etc/cni/net.d", "cni-net-dir")],
        "securityContext": PRIVILEGED,
    }  # fmt: skip
    upgrade: Json = {
        "name": "upgrade-ipam", "image": cni_image, "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/cni/bin/calico-ipam", "-upgrade"], "envFrom": ENDPOINT,
        "env": [
            _node_name("KUBERNETES_NODE_NAME"), _from_config("CALICO_NETWORKING_BACKEND", "calico_backend"),
        ],
        "volumeMounts": [_mount("/var/lib/cni/networks", "host-local-net-dir"),
                         _mount("/host/opt/cni/bin", "cni-bin-dir")],
        "securityContext": PRIVILEGED,
    }  # fmt: skip
    bootstrap: Json = {
        "name": "ebpf-bootstrap", "image": node_image, "imagePullPolicy": "IfNotPresent",
        "command": ["calico-node", "-init", "-best-effort"],
        "volumeMounts": [_mount("/var/run/calico", "var-run-calico")], "securityContext": PRIVILEGED,
    }  # fmt: skip
    spec: Json = {
        "nodeSelector": {"kubernetes.io/os": "linux"}, "hostNetwork": True,
        "tolerations": [
            {"effect": "NoSchedule", "operator": "Exists"}, {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoExecute", "operator": "Exists"},
        ],
        "serviceAccountName": "calico-node", "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 0, "priorityClassName": "system-node-critical",
        "initContainers": [upgrade, install, bootstrap], "containers": [node],
        "volumes": [
            _host_path("lib-modules", "/lib/modules"),
            _host_path("var-run-calico", "/var/run/calico", "DirectoryOrCreate"),
            _host_path("var-lib-calico", "/var/lib/calico", "DirectoryOrCreate"),
            _host_path("xtables-lock", "/run/xtables.lock", "FileOrCreate"), _host_path("cni-bin-dir", "/opt/cni/bin"),
            _host_path("cni-net-dir", "/etc/cni/net.d"), _host_path("cni-log-dir", "/var/log/calico/cni"),
            _host_path("host-local-net-dir", "/var/lib/cni/networks"),
            _host_path("policysync", "/var/run/nodeagent", "DirectoryOrCreate"),
        ],
    }  # fmt: skip
    labels = {"k8s-app": "calico-node"}
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "calico-node", "namespace": "kube-system", "labels": dict(labels)},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": dict(labels)}, "spec": spec},
        },
    }  # fmt: skip


def _controllers() -> Json:
    name = "calico-kube-controllers"
    labels = {"k8s-app": name}
    container: Json = {
        "name": name, "image": images()[2], "imagePullPolicy": "IfNotPresent",
        "env": [_value("ENABLED_CONTROLLERS", "node,loadbalancer"), _value("DATASTORE_TYPE", "kubernetes")],
        "livenessProbe": {
            "exec": {"command": ["/usr/bin/check-status", "-l"]}, "periodSeconds": 10, "initialDelaySeconds": 10,
            "failureThreshold": 6, "timeoutSeconds": 10,
        },
        "readinessProbe": {"exec": {"command": ["/usr/bin/check-status", "-r"]}, "periodSeconds": 10},
        "securityContext": {"runAsNonRoot": True},
    }  # fmt: skip
    spec: Json = {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "serviceAccountName": name, "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "priorityClassName": "system-cluster-critical", "containers": [container],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "kube-system", "labels": dict(labels)},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": dict(labels)}, "strategy": {"type": "Recreate"},
            "template": {"metadata": {"name": name, "namespace": "kube-system", "labels": dict(labels)}, "spec": spec},
        },
    }  # fmt: skip
