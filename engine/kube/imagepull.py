"""kubelet's image manager: is the image there, may it be pulled, did the pull work (pkg/kubelet/images).

Theory. A failed pull starts a back-off of 10 s, doubled up to 5 minutes. The sandbox's own start event makes
kubelet look at the pod once more right away, so ErrImagePull turns into ImagePullBackOff after about a second.
"""

from __future__ import annotations

import json

from engine.kube.node import Backoff
from engine.kube.objects import Json
from engine.kube.registry import PullError
from engine.kube.runtime import StoredImage
from engine.kube.sync import Sync, Wait
from engine.l7.images import ReferenceError_, normal

BACKOFF_START, BACKOFF_MAX = 10.0, 300.0
#: How fast a simulated registry gives its bytes, per second.
RATE = 90_000_000


def ensure(s: Sync, pod: Json, container: Json, key: str, *, init: bool) -> StoredImage:
    """EnsureImageExists. Wait when the container cannot have its image now."""
    name, text, policy = str(container["name"]), str(container["image"]), container.get("imagePullPolicy")
    try:
        full = normal(text)
    except ReferenceError_:
        why = f'couldn\'t parse image name "{text}": invalid reference format'
        message = f'Failed to apply default image tag "{text}": {why}'
        s.event(pod, "Warning", "InspectFailed", message, name, init=init)
        s.event(pod, "Warning", "Failed", "Error: InvalidImageName", name, init=init)
        raise Wait("InvalidImageName", message) from None
    found = s.node.runtime.image(full)
    if found is not None and policy != "Always":
        s.node.pulls.pop(key, None)
        message = f'Container image "{text}" already present on machine'
        if s.minor >= 35:
            message += " and can be accessed by the pod"
        s.event(pod, "Normal", "Pulled", message, name, init=init)
        return found
    if policy == "Never":
        message = f'Container image "{text}" is not present with pull policy of Never'
        s.event(pod, "Warning", "ErrImageNeverPull", message, name, init=init)
        s.event(pod, "Warning", "Failed", "Error: ErrImageNeverPull", name, init=init)
        raise Wait("ErrImageNeverPull", message)
    return pull(s, pod, name, key, text, init=init)


def pull(s: Sync, pod: Json, name: str, key: str, text: str, *, init: bool) -> StoredImage:
    """Pull with its events and its back-off."""
    entry = s.node.pull.get(key)
    if entry is not None and s.now - entry.since < entry.delay:
        message = f'Back-off pulling image "{text}"'
        s.event(pod, "Normal", "BackOff", message, name, init=init)
        s.event(pod, "Warning", "Failed", "Error: ImagePullBackOff", name, init=init)
        raise Wait("ImagePullBackOff", f"{message}: ErrImagePull: {s.node.pulls.get(key, '')}")
    s.event(pod, "Normal", "Pulling", f'Pulling image "{text}"', name, init=init)
    try:
        image = s.cri.puller.pull(text, s.now)
    except PullError as error:
        delay = BACKOFF_START if entry is None else min(entry.delay * 2, BACKOFF_MAX)
        s.node.pull[key] = Backoff(delay, s.now)
        full = f'failed to pull image "{text}": {error.text}'
        cri = f"rpc error: code = {error.code} desc = {error.text}"
        s.node.pulls[key] = cri
        s.event(pod, "Warning", "Failed", f'Failed to pull image "{text}": {cri}', name, init=init)
        s.event(pod, "Warning", "Failed", "Error: ErrImagePull", name, init=init)
        s.log(f'"Failed to pull image" err={json.dumps(cri)} image="{text}"', "kuberuntime_image.go:43")
        s.containerd_log(f"msg={json.dumps(f'PullImage {json.dumps(text)} failed')} error={json.dumps(full)}")
        raise Wait("ErrImagePull", cri, again=s.now + 1 if entry is None else 0.0) from None
    s.node.runtime.store_image(image)
    s.node.pull.pop(key, None)
    s.node.pulls.pop(key, None)
    took = f"{0.4 + image.size / RATE:.3f}".rstrip("0").rstrip(".") + "s"
    message = f'Successfully pulled image "{text}" in {took} ({took} including waiting). '
    message += f"Image size: {image.size} bytes."
    s.event(pod, "Normal", "Pulled", message, name, init=init)
    return image
