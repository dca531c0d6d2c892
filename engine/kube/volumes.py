"""Volumes as far as files go: what a container sees at its mount paths (pkg/volume, pkg/kubelet/volumemanager).

Rules. ConfigMaps, Secrets, the account's token, emptyDir and hostPath are folders of the node that are shown in the
container; other kinds of volume stay out of its tree. A ConfigMap that is not there keeps the whole pod waiting, as
kubelet mounts every volume before it makes the sandbox. A ConfigMap that changes later is remount.py's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from engine.kube.objects import Json, meta, namespace_of, spec_of
from engine.kube.podenv import data_of
from engine.kube.store import Store

KINDS = {"configMap": "configmap", "secret": "secret", "emptyDir": "empty-dir", "projected": "projected"}


def folder(pod: Json, volume: Json) -> str:
    """Where a volume is on the node; "" for a kind that has no files here."""
    for kind, word in KINDS.items():
        if kind in volume:
            return f"/var/lib/kubelet/pods/{meta(pod)['uid']}/volumes/kubernetes.io~{word}/{volume['name']}"
    return str((volume.get("hostPath") or {}).get("path", "")).rstrip("/")


def missing(pod: Json, store: Store) -> str:
    """kubelet's FailedMount message for the first ConfigMap or Secret that is not there; "" when all are."""
    for volume in spec_of(pod).get("volumes") or ():
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            source = volume.get(key)
            if not isinstance(source, dict) or source.get("optional"):
                continue
            name = str(source.get("name") or source.get("secretName") or "")
            if store.get(kind, namespace_of(pod), name) is None:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind.lower()} "{name}" not found'
    return ""


def files(pod: Json, store: Store) -> Iterator[tuple[str, str | None]]:
    """(path, text) of every file of the pod's volumes; text None for an empty folder."""
    for volume in spec_of(pod).get("volumes") or ():
        at = folder(pod, volume)
        if "emptyDir" in volume:
            yield at, None
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            source = volume.get(key)
            if isinstance(source, dict):
                name = str(source.get("name") or source.get("secretName") or "")
                body = store.get(kind, namespace_of(pod), name)
                data = data_of(body) if body is not None else {}
                items = source.get("items") or [{"key": k, "path": k} for k in data]
                for item in items:
                    if item.get("key") in data:
                        yield f"{at}/{item.get('path')}", data[item["key"]]
        for part in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in part:
                yield f"{at}/token", f"(the token of {spec_of(pod).get('serviceAccountName', 'default')})"
            if "configMap" in part:
                body = store.get("ConfigMap", namespace_of(pod), str(part["configMap"].get("name")))
                for key, text in (data_of(body) if body is not None else {}).items():
                    yield f"{at}/{key}", text
            if "downwardAPI" in part:
                yield f"{at}/namespace", namespace_of(pod)


def mounts(pod: Json, container: Json) -> list[tuple[str, str]]:
    """(path in the container, path on the node) of a container's mounts, the longest path first."""
    known = {v.get("name"): v for v in spec_of(pod).get("volumes") or ()}
    out = []
    for mount in container.get("volumeMounts") or ():
        source = folder(pod, known.get(mount.get("name"), {}))
        if source and mount.get("mountPath"):
            if mount.get("subPath"):
                source = posixpath.join(source, str(mount["subPath"]))
            out.append((posixpath.normpath(str(mount["mountPath"])), source))
    return sorted(out, key=lambda pair: -len(pair[0]))
