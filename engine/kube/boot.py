"""A node on the day it joined: the files, daemons and sysctls that kubeadm, containerd and the CNI leave on it.

Rules. Everything here happens once, by ops; what a person changes afterwards stays changed. What a daemon keeps
true while it runs is not here but in that daemon's own file.
"""

from __future__ import annotations

import json

from engine.kube import controlplane, masqagent, registry
from engine.kube.addons import coredns, nodelocaldns
from engine.kube.cni.conf import BIN_DIR, BINARIES, CONF_DIR
from engine.kube.containerd import CONFIG, DEFAULT_PAUSE, KUBEADM_PAUSE
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.options import Options, addon
from engine.linux.addr import Prefix, text4
from engine.linux.net import Net
from engine.linux.ops import AddRoute, MakeFolder, WriteFile
from engine.linux.ops.base import Changes

#: What the administrator brought to a node that reaches no registry.
ARCHIVE = "/root/pause.tar"
CONFLIST = f"{CONF_DIR}/10-bridge.conflist"
#: What stands in for the bytes of a program.
BINARY = "\x7fELF\x02\x01\x01\n"


def node_address(net: Net, name: str) -> int:
    """The address that kubelet registers: the first global one on the lowest NIC. 0 when there is none."""
    if net.asleep is not None and name in net.asleep:
        return net.asleep.address(name)
    ns = net.spaces[name]
    for index in sorted(ns.links):
        if ns.links[index].kind == "physical":
            for row in ns.addresses.get(index, ()):
                if row.scope == "global":
                    return row.addr
    return 0


def prepare(changes: Changes, node: NodeState, options: Options, clock: float) -> None:
    """Files, images and sysctls of one node."""

    def write(path: str, text: str) -> None:
        changes.do(WriteFile(box=node.name, path=path, text=text))

    from engine.kube.cni.kernel import set_sysctl

    name = node.name
    write("/etc/modules-load.d/k8s.conf", "overlay\nbr_netfilter\n")
    write("/etc/sysctl.d/k8s.conf", SYSCTL_FILE)
    for key in ("net.bridge.bridge-nf-call-iptables", "net.ipv4.ip_forward"):
        set_sysctl(changes, name, key, "1")
    write(CONFIG, containerd_config(options, node.options.sandbox))
    write("/etc/crictl.yaml", "runtime-endpoint: unix:///run/containerd/containerd.sock\n"
                              "image-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 10\n")  # fmt: skip
    write("/var/lib/kubelet/config.yaml", kubelet_config(options))
    write("/var/lib/kubelet/kubeadm-flags.env", 'KUBELET_KUBEADM_ARGS=""\n')
    write("/etc/kubernetes/kubelet.conf", kubeconfig(changes.net, options, f"system:node:{name}"))
    for binary in BINARIES:
        write(f"{BIN_DIR}/{binary}", BINARY)
    changes.do(MakeFolder(box=name, path=CONF_DIR))
    changes.do(MakeFolder(box=name, path=controlplane.MANIFESTS))
    if options.cni.name == "bridge":
        write(CONFLIST, conflist(options, node))
        if not plugin_masquerades(options):
            write(masqagent.CONFIG, masqagent.config(options.cni.pod_cidr))
    if node.options.air_gapped:
        write(ARCHIVE, registry.archive([f"registry.k8s.io/pause:{kubeadm_pause(options)}"]))
    if node.options.control_plane:
        address = node_address(changes.net, name)
        texts = controlplane.static_pods(
            name, address, options.kubernetes, str(options.cni.pod_cidr), str(options.service_cidr)
        )
        for file, text in texts.items():
            write(f"{controlplane.MANIFESTS}/{file}", text)
        write("/etc/kubernetes/admin.conf", kubeconfig(changes.net, options, "kubernetes-admin"))
        for file, user in controlplane.CONFS.items():
            write(f"/etc/kubernetes/{file}", kubeconfig(changes.net, options, user))
        for file in controlplane.CERTIFICATES:
            write(f"{controlplane.PKI}/{file}", certificate(file))
        changes.do(MakeFolder(box=name, path="/var/lib/etcd"))
    else:
        write(f"{controlplane.PKI}/ca.crt", certificate("ca.crt"))
    write("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", KUBELET_DROP_IN)
    for program in ("kubelet", "kubeadm", "kubectl", "containerd", "crictl"):
        write(f"/usr/bin/{program}", BINARY)
    store_images(node, options, clock)


def certificate(name: str) -> str:
    """What stands in for a certificate or a key: its name between the lines that everybody knows."""
    kind = (
        "CERTIFICATE"
        if name.endswith(".crt")
        else "PUBLIC KEY"
        if name.endswith(".pub")
        else "RSA PRIVATE KEY"
    )
    return f"-----BEGIN {kind}-----\n({name} of this lab)\n-----END {kind}-----\n"


#: as the kubeadm package installs it
KUBELET_DROP_IN = """\
# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# This is a file that "kubeadm init" and "kubeadm join" generates at runtime, populating the KUBELET_KUBEADM_ARGS variable dynamically
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# This is a file that the user can use for overrides of the kubelet args as a last resort. Preferably, the user should use
# the .NodeRegistration.KubeletExtraArgs object in the configuration files instead. KUBELET_EXTRA_ARGS should be sourced from this file.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""  # noqa: E501


def plugin_masquerades(options: Options) -> bool:
    """Does the bridge plugin masquerade, or the node-wide agent? Across nodes the plugin's own rule would hide the
    sender of pod-to-pod packets, so it is used on a single node only unless the lab says otherwise."""
    given = options.cni.ip_masq
    return len(options.nodes) == 1 if given is None else given


def kubeadm_pause(options: Options) -> str:
    """The pause image's tag that this release's `kubeadm config images list` names."""
    return KUBEADM_PAUSE.get(options.kubernetes, "3.10.1")


def store_images(node: NodeState, options: Options, clock: float) -> None:
    """What is on the node beforehand: kubeadm's images, the pause image, the lab's list."""
    names = list(node.options.images)
    if node.options.pause:
        names.append(node.options.sandbox or DEFAULT_PAUSE[options.containerd])
        names.append(f"registry.k8s.io/pause:{kubeadm_pause(options)}")
    if node.options.control_plane:
        names += controlplane.images(options.kubernetes)
    if options.proxy.mode != "none":
        names.append(f"registry.k8s.io/kube-proxy:{options.version}")
    if addon(options, coredns.NAME) is not None:
        names.append(coredns.image(options))
    if addon(options, nodelocaldns.NAME) is not None:
        names.append(nodelocaldns.IMAGE)
    for image in names:
        node.runtime.store_image(registry.stored(image, clock))


def static_routes(changes: Changes, nodes: dict[str, NodeState], options: Options) -> None:
    """A route to every other node's Pods, as an administrator without a routing CNI adds them, on all nodes."""
    for node in nodes.values():
        if node.dream is None:
            routes_of(changes, node, nodes, options)


def routes_of(changes: Changes, node: NodeState, nodes: dict[str, NodeState], options: Options) -> None:
    """The same on one node."""
    if options.cni.name != "bridge" or not options.cni.routes:
        return
    name, net = node.name, changes.net
    subnets = [Prefix(a.addr, a.length).network for rows in net.spaces[name].addresses.values() for a in rows]
    for other, state in nodes.items():
        address = node_address(net, other) if other != name else 0
        if address and any(address in subnet for subnet in subnets):
            changes.do(AddRoute(netns=name, dst=state.pod_cidr, gateway=address))


SYSCTL_FILE = """\
net.bridge.bridge-nf-call-iptables  = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.ip_forward                 = 1
"""


def conflist(options: Options, node: NodeState) -> str:
    """/etc/cni/net.d/10-bridge.conflist, as in Kubernetes the Hard Way with portmap behind."""
    cni = options.cni
    bridge: Json = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": plugin_masquerades(options),
    }
    if cni.hairpin:
        bridge["hairpinMode"] = True
    if cni.mtu:
        bridge["mtu"] = cni.mtu
    bridge["ipam"] = {
        "type": "host-local",
        "ranges": [[{"subnet": str(node.pod_cidr)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return (
        json.dumps({"cniVersion": "1.0.0", "name": "bridge", "plugins": [bridge, portmap]}, indent=2) + "\n"
    )


def containerd_config(options: Options, sandbox: str) -> str:
    """/etc/containerd/config.toml: version 2 of containerd 1.x, version 3 of 2.x."""
    image = sandbox or DEFAULT_PAUSE[options.containerd]
    if options.containerd.startswith("1."):
        return f"""\
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{BIN_DIR}"
    conf_dir = "{CONF_DIR}"
"""
    return f"""\
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{image}'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['{BIN_DIR}']
  conf_dir = '{CONF_DIR}'
"""


def kubelet_config(options: Options) -> str:
    dns = nodelocaldns.own_address(options)
    return f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS:
- {dns}
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
healthzBindAddress: 127.0.0.1
healthzPort: 10248
kind: KubeletConfiguration
rotateCertificates: true
staticPodPath: {controlplane.MANIFESTS}
"""


def api_address(net: Net, options: Options) -> int:
    """Where the API server is: the first control-plane node; 0 when the lab has none (it is managed elsewhere)."""
    for node in options.nodes:
        if node.control_plane:
            return node_address(net, node.name)
    return 0


def kubeconfig(net: Net, options: Options, user: str) -> str:
    address = api_address(net, options)
    server = text4(address) if address else "cluster.lab"
    return f"""\
apiVersion: v1
clusters:
- cluster:
    server: https://{server}:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: {user}
  name: {user}@kubernetes
current-context: {user}@kubernetes
kind: Config
users:
- name: {user}
"""
