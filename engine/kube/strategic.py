"""Strategic merge patch: merging by the patchStrategy and patchMergeKey of the API's structs.

Theory. A patch is a tree like the object. A map is merged key by key, null takes away. A list replaces, unless the
struct's field says `merge`: then its items are found by their merge key (a container by its name) or, where they are
plain values, by themselves. Directives steer it: `$patch: replace|delete` in a map or an item,
`$deleteFromPrimitiveList/F`, `$setElementOrder/F` (the order that a list shall have afterwards) and `$retainKeys`
(what of a map survives). The other way round, `two_way` makes the patch between two objects, and `three_way` adds up
two of them: what wanted changes in live, and what wanted has lost against last_applied.

Rules. Behaves as apimachinery/pkg/util/strategicpatch; with a list's items that share a merge key (a Service's port
53 over TCP and UDP) too: the first one is found, the famous bug.
"""

from __future__ import annotations

from typing import Any

from engine.kube.merge_keys import field
from engine.kube.objects import Json, edited

PATCH, RETAIN = "$patch", "$retainKeys"
DELETE_FROM, ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


class PatchError(Exception):
    """A patch that cannot be applied. `text` is the library's; `reason` and `message` what the server answers."""

    def __init__(self, text: str, *, reason: str = "", message: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.reason = reason
        self.message = message or text


def strategic_patch(body: Json, patch: Json) -> Json:
    """The body with a strategic merge patch, by the struct of its kind. PatchError."""
    return merge_map(edited(body), edited(patch), str(body.get("kind", "?")), server=True)


def two_way(old: Json, new: Json) -> Json:
    """The patch that makes `new` of `old`; `{}` when they are equal."""
    return diff_maps(edited(old), edited(new), str(new.get("kind", "?")), additions=True, deletions=True)


def three_way(last_applied: Json, live: Json, wanted: Json) -> Json:
    """The patch of kubectl apply (CreateThreeWayMergePatch)."""
    struct = str(wanted.get("kind", "?"))
    delta = diff_maps(edited(live), edited(wanted), struct, additions=True, deletions=False)
    gone = diff_maps(edited(last_applied), edited(wanted), struct, additions=False, deletions=True)
    return merge_map(gone, delta, struct, server=False)


def go_text(value: Any) -> str:
    """A JSON value as Go prints it with %v: `map[name:web ports:[80 81]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{go_text(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_text(v) for v in value) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def no_merge_key(item: Json, key: str) -> PatchError:
    return PatchError(f"map: {go_text(item)} does not contain declared merge key: {key}")


def of_one_type(*lists: list[Any]) -> bool:
    """Are the items of these lists maps? PatchError when they are of several types, or lists."""
    found = {type(v) for rows in lists for v in rows}
    if list in found:
        raise PatchError("lists of lists are not supported", reason="Invalid",
                         message="The request is invalid: lists of lists are not supported")  # fmt: skip
    if len(found) > 1:
        raise PatchError(f"list element types are not identical: {go_text(list(lists))}")
    return dict in found


# ---- applying


def merge_map(original: Json, patch: Json, struct: str, *, server: bool) -> Json:
    """Merge a patch into a map, in place. `server` False: both are patches, whose directives stay."""
    if PATCH in patch:
        if patch[PATCH] == "replace":
            return {k: v for k, v in patch.items() if k != PATCH}
        if patch[PATCH] == "delete":
            return {}
        raise PatchError(f"unknown patch type: {go_text(patch[PATCH])} in map: {go_text(patch)}")
    retain_keys(original, patch, server)
    for key in [k for k in patch if k.startswith(ORDER)]:
        ordered(original, patch, key, struct, server)
    for key, value in patch.items():
        taken_away = key.startswith(DELETE_FROM)
        if taken_away and not server:
            original[key] = value
            continue
        name = key.removeprefix(DELETE_FROM)
        if value is None:
            original.pop(name, None)
            if server:
                continue
        if name not in original:
            if not taken_away:
                original[name] = without_directives(value) if server else value
            continue
        there = original[name]
        below, strategy, _, merge_key = field(struct, name)
        if isinstance(there, dict) and isinstance(value, dict) and strategy != "replace":
            original[name] = merge_map(there, value, below, server=server)
        elif isinstance(there, list) and isinstance(value, list) and strategy == "merge":
            if taken_away:
                original[name] = [v for v in there if v not in value]
            else:
                original[name] = merge_list(there, value, below, merge_key, server)
        elif taken_away:
            raise PatchError("invalid patch format of primitive list", reason="BadRequest")
        else:
            original[name] = value
    return original


def without_directives(value: Any) -> Any:
    """What a patch adds where nothing was: itself without its directives and nulls."""
    if isinstance(value, dict):
        return {k: without_directives(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [
            without_directives(v) for v in value if not (isinstance(v, dict) and v.get(PATCH) == "delete")
        ]
    return value


def retain_keys(original: Json, patch: Json, server: bool) -> None:
    if RETAIN not in patch:
        return
    kept = patch.pop(RETAIN)
    if not server:
        original[RETAIN] = kept
        return
    wrong = PatchError("invalid patch format of retainKeys", reason="BadRequest")
    if not isinstance(kept, list):
        raise wrong
    for key, value in patch.items():
        if value is not None and key not in kept and not key.startswith((DELETE_FROM, ORDER)):
            raise wrong
    for key in [k for k in original if k not in kept]:
        del original[key]


def ordered(original: Json, patch: Json, key: str, struct: str, server: bool) -> None:
    """Merge one list that the patch gives an order for, and put it into that order."""
    order, name = patch.pop(key), key.removeprefix(ORDER)
    wrong = PatchError("invalid patch format of setElementOrder list", reason="BadRequest")
    if not isinstance(order, list):
        raise wrong
    if not server and original.setdefault(key, order) != order:
        raise wrong
    live, new = original.get(name), patch.get(name)
    if (live is not None and not isinstance(live, list)) or (new is not None and not isinstance(new, list)):
        return
    below, _, _, merge_key = field(struct, name)
    agrees(new or [], order, merge_key)
    if live is None and new is None:
        return
    if live is not None and new is not None:
        merged = merge_list(live, new, below, merge_key, server)
    else:
        merged = live if live is not None else new or []
    patch.pop(name, None)
    original[name] = in_order(merged, order, live or [], merge_key)


def agrees(new: list[Any], order: list[Any], merge_key: str) -> None:
    """The items of a patch stand in the order that the patch itself gives. PatchError."""
    if not new or not order:
        return
    rest = iter(identity(v, merge_key) for v in order)
    for item in new:
        if isinstance(item, dict) and PATCH in item:
            continue
        if identity(item, merge_key) not in rest:
            raise PatchError(
                f"The order in patch list:\n{go_text(new)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
            )


def identity(item: Any, merge_key: str) -> Any:
    """What tells an item of a merged list from the others."""
    if not merge_key:
        return item
    if not isinstance(item, dict):
        raise PatchError(f"expected a map[string]interface {{}}, but received a {type(item).__name__}")
    if merge_key not in item:
        raise no_merge_key(item, merge_key)
    return item[merge_key]


def merge_list(original: list[Any], patch: list[Any], below: str, merge_key: str, server: bool) -> list[Any]:
    """Merge a list of strategy merge. Items of the patch stand in its order, what else is live keeps its place."""
    if not original and not patch:
        return original
    if not of_one_type(original, patch):
        merged = [*original, *(v for v in patch if v not in original)]
        return in_order(merged, patch, original, "")
    if not merge_key:
        raise PatchError(f"cannot merge lists without merge key for type {below}")
    plain: list[Json] = []
    replaces = False
    for item in patch:
        directive = item.get(PATCH)
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            gone = identity(item, merge_key)
            original = [v for v in original if v.get(merge_key) != gone]
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        else:
            raise PatchError(f"unknown patch type: {go_text(directive)} in map: {go_text(item)}")
    if replaces:
        return plain
    merged = list(original)
    for item in plain:
        same = identity(item, merge_key)
        at = next((i for i, v in enumerate(merged) if v.get(merge_key) == same), None)
        if at is None:
            merged.append(without_directives(item) if server else item)
        else:
            merged[at] = merge_map(merged[at], item, below, server=server)
    return in_order(merged, plain, original, merge_key)


def in_order(merged: list[Any], order: list[Any], live: list[Any], merge_key: str) -> list[Any]:
    """Items named in `order` in that order, the others in the live order, one sequence slid into the other."""
    wanted = [identity(v, merge_key) for v in order]
    there = [identity(v, merge_key) for v in live]
    said: list[Any] = []
    others: list[Any] = []
    deletions = [v for v in merged if isinstance(v, dict) and v.get(PATCH) == "delete"]
    for item in merged:
        if item not in deletions:
            (said if identity(item, merge_key) in wanted else others).append(item)
    said.sort(key=lambda v: wanted.index(identity(v, merge_key)))
    others.sort(key=lambda v: rank(there, identity(v, merge_key)))
    out: list[Any] = []
    while said and others:
        left, right = identity(others[0], merge_key), identity(said[0], merge_key)
        first = left in there and right in there and there.index(left) < there.index(right)
        out.append((others if first else said).pop(0))
    return [*out, *said, *others, *deletions]


def rank(rows: list[Any], value: Any) -> int:
    return rows.index(value) if value in rows else len(rows)


# ---- making patches


def diff_maps(
    original: Json, modified: Json, struct: str, *, additions: bool, deletions: bool, retain: bool = False
) -> Json:
    """The patch from original to modified: of what is new or changed (`additions`), of what is gone (`deletions`)."""
    patch: Json = {}
    for key, value in modified.items():
        if key not in original:
            if additions:
                patch[key] = value
            continue
        old = original[key]
        below, strategy, keys, merge_key = field(struct, key)
        if type(old) is not type(value):
            if additions:
                patch[key] = value
        elif isinstance(value, dict) and strategy != "replace":
            inner = diff_maps(old, value, below, additions=additions, deletions=deletions, retain=keys)
            if inner:
                patch[key] = inner
        elif isinstance(value, list) and strategy == "merge":
            diff_lists(patch, key, old, value, below, merge_key, additions, deletions, keys)
        elif additions and old != value:
            patch[key] = value
    if deletions:
        patch |= {key: None for key in original if key not in modified}
    kept = sorted(k for k, v in modified.items() if v is not None) if retain else []
    if kept and (patch or any(v is not None and k not in modified for k, v in original.items())):
        patch[RETAIN] = kept
    return patch


def diff_lists(
    patch: Json, key: str, old: list[Any], new: list[Any], below: str, merge_key: str, additions: bool,
    deletions: bool, keys: bool,
) -> None:  # fmt: skip
    """Put into `patch` what makes the list `new` of `old`, with the directives that it needs."""
    if not old:
        if new and additions:
            patch[key] = new
        return
    if not of_one_type(old, new):
        added = [v for v in new if v not in old] if additions else []
        gone = sorted({v for v in old if v not in new}, key=str) if deletions else []
        if added:
            patch[key] = added
        if gone:
            patch[DELETE_FROM + key] = gone
        if gone or (additions and old != new):
            patch[ORDER + key] = list(new)
        return
    rows, gone = diff_items(old, new, below, merge_key, additions, deletions, keys)
    rows.sort(key=lambda v: [identity(n, merge_key) for n in new].index(v[merge_key]))
    rows += gone
    same = [identity(v, merge_key) for v in old] == [identity(v, merge_key) for v in new]
    if rows:
        patch[key] = rows
    if (additions and (rows or not same)) or (deletions and rows):
        patch[ORDER + key] = [{merge_key: v[merge_key]} for v in new]


def diff_items(
    old: list[Json], new: list[Json], below: str, merge_key: str, additions: bool, deletions: bool, keys: bool
) -> tuple[list[Json], list[Json]]:
    """(items to change or add, items to delete): the two lists, sorted by merge key, are walked side by side."""

    def order(rows: list[Json]) -> list[Json]:
        # The real sort puts items with the same key in reverse order.
        return sorted(reversed(rows), key=lambda v: go_text(identity(v, merge_key)))

    left, right = order(old), order(new)
    rows: list[Json] = []
    gone: list[Json] = []
    while left or right:
        a = go_text(left[0][merge_key]) if left else None
        b = go_text(right[0][merge_key]) if right else None
        if a is not None and a == b:
            was, item = left.pop(0), right.pop(0)
            inner = diff_maps(was, item, below, additions=additions, deletions=deletions, retain=keys)
            if inner:
                rows.append({**inner, merge_key: item[merge_key]})
        elif a is None or (b is not None and a > b):
            item = right.pop(0)
            if additions:
                rows.append(item)
        else:
            was = left.pop(0)
            if deletions:
                gone.append({merge_key: was[merge_key], PATCH: "delete"})
    return rows, gone
