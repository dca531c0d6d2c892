"""ADD and DEL over a configuration list, as libcni runs them, with its result cache on disk.

Rules. ADD goes through the list in order, each plugin getting the result before; DEL goes backwards with the
final result. Errors carry libcni's wrapping: `plugin type="T" failed (add): ...`; `name="N"` is put in only for
a plugin whose own entry had a name (facts 10 section 3.4). Source: libcni/api.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from engine.errors import NotModelled
from engine.kube.cni import bridge, conf, host_local, loopback, portmap
from engine.kube.cni.call import Call, CniError
from engine.kube.objects import Json
from engine.linux.ops.box import RemoveFile, WriteFile
from engine.record import replace
from engine.say import Phrase

CACHE_DIR = "/var/lib/cni/results"

KNOWN_PLUGINS = Phrase(
    en="The plugins that work here are {names}.", ko="여기에서 작동하는 플러그인은 {names}입니다."
)


class Plugin(NamedTuple):
    add: Callable[[Call], Json]
    delete: Callable[[Call], None]


PLUGINS: dict[str, Plugin] = {
    "bridge": Plugin(bridge.add, bridge.delete),
    "portmap": Plugin(portmap.add, portmap.delete),
    "loopback": Plugin(loopback.add, loopback.delete),
}
#: Plugins that only some labs have: loaded when a configuration names them.
LATER = {"calico": "engine.kube.cni.calico"}
IPAMS = ("host-local", "calico-ipam")


def add(call: Call, network: conf.ConfList) -> Json:
    """ADD of a whole list. CniError with libcni's text; NotModelled for a plugin outside the model."""
    box = call.changes.net.boxes[call.box]
    result: Json = {}
    for entry in network.plugins:
        one = _prepare(call, entry, result)
        try:
            conf.require(box, str(entry["type"]))
        except LookupError as error:
            raise CniError(str(error)) from None
        plugin = _plugin(str(entry["type"]))
        try:
            result = plugin.add(one)
        except CniError as error:
            raise CniError(f'plugin type="{entry["type"]}" failed (add): {error.msg}', error.code) from None
    result = {"cniVersion": network.version, **result}
    call.changes.do(
        WriteFile(box=call.box, path=cache_path(call, network.name), text=cached(call, network, result))
    )
    return result


def delete(call: Call, network: conf.ConfList) -> None:
    """DEL of a whole list, backwards. The cached result is prevResult; it is removed at the end."""
    box = call.changes.net.boxes[call.box]
    path = cache_path(call, network.name)
    try:
        result = json.loads(box.files[path])["result"]
    except (KeyError, ValueError):
        result = {}
    for entry in reversed(network.plugins):
        one = _prepare(call, entry, result)
        try:
            conf.require(box, str(entry["type"]))
        except LookupError as error:
            raise CniError(str(error)) from None
        try:
            _plugin(str(entry["type"])).delete(one)
        except CniError as error:
            raise CniError(
                f'plugin type="{entry["type"]}" failed (delete): {error.msg}', error.code
            ) from None
    if path in box.files:
        call.changes.do(RemoveFile(box=call.box, path=path))


def _prepare(call: Call, entry: Json, prev: Json) -> Call:
    """One plugin's call: its own entry, the result so far, and only the capabilities that it declares."""

    def find(name: str) -> None:
        try:
            conf.require(call.changes.net.boxes[call.box], name)
        except LookupError as error:
            raise CniError(str(error)) from None
        if name not in IPAMS:
            raise NotModelled(f"the IPAM plugin {name}", KNOWN_PLUGINS(names=", ".join(IPAMS)))

    wanted = entry.get("capabilities") or {}
    runtime = {k: v for k, v in call.runtime.items() if wanted.get(k)}
    return replace(call, conf=entry, prev=prev, runtime=runtime, find=find)


def _plugin(kind: str) -> Plugin:
    if kind in LATER:
        module = import_module(LATER[kind])
        return Plugin(module.add, module.delete)
    if kind not in PLUGINS:
        raise NotModelled(
            f"the CNI plugin {kind}", KNOWN_PLUGINS(names=", ".join(sorted((*PLUGINS, *LATER))))
        )
    return PLUGINS[kind]


def cache_path(call: Call, network: str) -> str:
    return f"{CACHE_DIR}/{network}-{call.container}-{call.ifname}"


def cached(call: Call, network: conf.ConfList, result: Json) -> str:
    """The cache file's text: libcni's cniCacheV1."""
    body = {
        "kind": "cniCacheV1", "containerId": call.container, "ifName": call.ifname, "networkName": network.name,
        "netns": call.path, "result": result,
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":"))


__all__ = ["CACHE_DIR", "PLUGINS", "add", "delete", "host_local"]
