"""What a CNI plugin gets and gives: the call, its result, its error.

Rules. A plugin is a pair of functions over a `Call`. It changes the lab only through `call.changes`, as its
real program does through netlink, iptables and files. It fails with `CniError`, whose text is the plugin's
own. A key of the configuration that the real plugin acts on and the model does not is `NotModelled`.
Source: CNI SPEC.md 1.1.0; facts 10 section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field

from engine.errors import NotModelled
from engine.kube.ids import Ids
from engine.kube.objects import Json
from engine.kube.store import Store
from engine.linux.net import Netns
from engine.linux.ops.base import Changes
from engine.record import dataclass
from engine.say import Phrase

USE_OTHER_KEYS = Phrase(
    en="Take the key {key} out of the configuration.",
    ko="설정에서 {key} 키를 빼십시오.",
)


class CniError(Exception):
    """A plugin's error: `{"code": code, "msg": msg}` on its standard output."""

    def __init__(self, msg: str, code: int = 999) -> None:
        super().__init__(msg)
        self.msg = msg
        self.code = code


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of one plugin. `netns` is the pod's namespace id, `path` its /var/run/netns path; `conf` the
    plugin's own entry with `name` and `cniVersion` merged in; `runtime` the runtimeConfig (portMappings); `namespace`
    and `pod_name` the K8S_POD_* of CNI_ARGS; `store` what the API server says to a plugin that asks it, None while it
    cannot be reached."""

    changes: Changes
    box: str
    netns: str
    path: str
    container: str
    ifname: str
    conf: Json
    ids: Ids
    prev: Json = field(default_factory=dict)
    runtime: Json = field(default_factory=dict)
    find: Callable[[str], None] = lambda name: None
    namespace: str = ""
    pod_name: str = ""
    store: Store | None = None

    @property
    def host(self) -> Netns:
        """The node's own namespace, in which plugins run."""
        return self.changes.net.spaces[self.box]

    @property
    def pod(self) -> Netns:
        return self.changes.net.spaces[self.netns]

    @property
    def network(self) -> str:
        return str(self.conf.get("name", ""))

    def flag(self, key: str) -> bool:
        """A boolean key as Go's JSON decoder reads it."""
        value = self.conf.get(key, False)
        if not isinstance(value, bool):
            raise CniError(
                f"failed to load netconf: json: cannot unmarshal {go_type(value)} into Go struct field "
                f"NetConf.{key} of type bool"
            )
        return value

    def number(self, key: str) -> int:
        value = self.conf.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int):
            raise CniError(
                f"failed to load netconf: json: cannot unmarshal {go_type(value)} into Go struct field "
                f"NetConf.{key} of type int"
            )
        return value

    def refuse(self, plugin: str, keys: Iterable[str]) -> None:
        """Stop at keys that the real plugin acts on and the model does not."""
        for key in keys:
            if self.conf.get(key) not in (None, False, "", 0, [], {}):
                raise NotModelled(f'the key "{key}" of the CNI plugin {plugin}', USE_OTHER_KEYS(key=key))


def go_type(value: object) -> str:
    """How encoding/json calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    words = ((str, "string"), (list, "array"), (dict, "object"))
    return next((word for kind, word in words if isinstance(value, kind)), "null")
