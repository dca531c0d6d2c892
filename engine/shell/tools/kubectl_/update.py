"""How a verb that changes an object reaches the API server: the strategic patch from the old object to the new."""

from __future__ import annotations

from engine.kube.objects import BY_KIND, Json, meta, name_of, namespace_of
from engine.kube.patch import two_way
from engine.kube.validate import Refused
from engine.shell.tool import Fail
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.write import warnings


def send(
    client: Client, old: Json, new: Json, dry: str = "", failed: str = "", told: list[str] | None = None
) -> Json | None:
    """Patch the object; what is stored then, None when there is nothing to change. `dry` as write.dry_run has it;
    `failed` stands before the server's refusal; the server's warnings go to `told`."""
    change = two_way(old, new)
    if not change:
        return None
    if dry == " (dry run)":
        return new
    cluster = client.cluster.copy() if dry else client.cluster
    try:
        stored = cluster.patch(str(old["kind"]), namespace_of(old), name_of(old), change, client.clock)
    except Refused as error:
        raise refusal(error, failed) from None
    if told is not None:
        told += warnings(cluster)
    return None if meta(stored).get("resourceVersion") == meta(old).get("resourceVersion") else stored


def refusal(error: Refused, failed: str = "") -> Fail:
    """A server's refusal as kubectl prints it."""
    if failed:
        return Fail(f"error: {failed}{error.message}")
    if error.reason == "Invalid":
        return Fail(error.message)
    return Fail(f"Error from server{f' ({error.reason})' if error.reason else ''}: {error.message}")


def plural(body: Json) -> str:
    """`deployments/web`, as errors of a single object name it (resource.Info.ObjectName)."""
    return f"{BY_KIND[str(body['kind'])].plural}/{name_of(body)}"
