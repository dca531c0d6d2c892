"""What the API server warns of in a Pod or a pod template (pkg/api/pod/warnings.go): names that stand twice."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json, spec_of


def warnings(body: Json) -> Iterator[str]:
    pod = body["kind"] == "Pod"
    spec = spec_of(body) if pod else spec_of(spec_of(body).get("template") or {})
    head = "spec" if pod else "spec.template.spec"
    ports: dict[tuple[object, ...], str] = {}
    for key in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(key) or ()):
            path = f"{head}.{key}[{i}]"
            yield from port_warnings(container, path, ports)
            names: set[str] = set()
            for j, row in enumerate(container.get("env") or ()):
                name = str(row.get("name", ""))
                if name in names and "$(" + name + ")" not in str(row.get("value", "")):
                    hides = f'hides previous definition of "{name}", which may be dropped when using apply'
                    yield f"{path}.env[{j}]: {hides}"
                names.add(name)
    addresses: set[str] = set()
    for i, row in enumerate(spec.get("hostAliases") or ()):
        if row.get("ip") in addresses:
            yield f"{head}.hostAliases[{i}].ip: duplicate ip {row['ip']!r}".replace("'", '"')
        addresses.add(str(row.get("ip")))


def port_warnings(container: Json, path: str, ports: dict[tuple[object, ...], str]) -> Iterator[str]:
    """A container port (or its number on the node) that another entry of the pod has already."""
    for j, row in enumerate(container.get("ports") or ()):
        at = f"{path}.ports[{j}]"
        key = (
            row.get("protocol", "TCP"),
            row.get("containerPort"),
            row.get("hostPort", 0),
            row.get("hostIP", ""),
        )
        if key in ports:
            names = ports[key]
            yield f"{at}: duplicate port definition with {names}"
        else:
            ports[key] = at
