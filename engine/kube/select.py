"""Labels, selectors, taints and tolerations (apimachinery/pkg/labels, component-helpers/scheduling)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.kube.objects import Json


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector over labels. None matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels")
    if wanted:
        for key, value in wanted.items():
            if labels.get(key) != value:
                return False
    rules = selector.get("matchExpressions")
    return not rules or all(requirement(r, labels) for r in rules)


def requirement(rule: Json, labels: Mapping[str, str]) -> bool:
    """One matchExpressions entry: In NotIn Exists DoesNotExist, and Gt Lt of node selectors."""
    key, operator, values = rule.get("key", ""), rule.get("operator"), rule.get("values") or []
    found = labels.get(key)
    if operator == "In":
        return found in values
    if operator == "NotIn":
        return found is None or found not in values
    if operator == "Exists":
        return found is not None
    if operator == "DoesNotExist":
        return found is None
    if operator in ("Gt", "Lt") and found is not None and values:
        try:
            left, right = int(found), int(values[0])
        except ValueError:
            return False
        return left > right if operator == "Gt" else left < right
    return False


def node_fits(terms: Iterable[Json], name: str, labels: Mapping[str, str]) -> bool:
    """nodeSelectorTerms: any of them, each with all its expressions and fields; an empty term fits nothing."""
    for term in terms:
        expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
        if not expressions and not fields:
            continue
        if all(requirement(e, labels) for e in expressions) and all(
            requirement(f, {"metadata.name": name}) for f in fields
        ):
            return True
    return False


def tolerated(taint: Json, tolerations: Iterable[Json]) -> bool:
    """Does one of the tolerations cover this taint? (v1.Toleration.ToleratesTaint)"""
    for t in tolerations:
        if t.get("effect") and t["effect"] != taint.get("effect"):
            continue
        if t.get("key") and t["key"] != taint.get("key"):
            continue
        operator = t.get("operator") or "Equal"
        if operator == "Exists":
            return True
        if operator == "Equal" and t.get("key") and (t.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def parse(text: str) -> Json:
    """What kubectl -l takes (`app=web,tier in (a,b),!old`) -> a LabelSelector. ValueError for anything else."""
    import re

    expressions: list[Json] = []
    for part in re.split(r",(?![^(]*\))", text):
        part = part.strip()
        if not part:
            continue
        if match := re.fullmatch(r"([\w./-]+)\s+(in|notin)\s+\(([^()]*)\)", part):
            values = [v.strip() for v in match[3].split(",")]
            expressions.append(
                {"key": match[1], "operator": "In" if match[2] == "in" else "NotIn", "values": values}
            )
        elif match := re.fullmatch(r"([\w./-]+)\s*(==?|!=)\s*([\w./-]*)", part):
            operator = "NotIn" if match[2] == "!=" else "In"
            expressions.append({"key": match[1], "operator": operator, "values": [match[3]]})
        elif match := re.fullmatch(r"(!?)\s*([\w./-]+)", part):
            expressions.append({"key": match[2], "operator": "DoesNotExist" if match[1] else "Exists"})
        else:
            raise ValueError(part)
    return {"matchExpressions": expressions}


def text(selector: Mapping[str, str] | None) -> str:
    """`app=web,tier=front`, as kubectl prints labels; `<none>` for none."""
    return ",".join(f"{k}={v}" for k, v in sorted(selector.items())) if selector else "<none>"


def selector_text(selector: Json | None) -> str:
    """A LabelSelector as kubectl prints it (metav1.FormatLabelSelector)."""
    if not selector:
        return "<none>"
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for e in selector.get("matchExpressions") or ():
        values = ",".join(sorted(e.get("values") or ()))
        parts.append(
            {
                "In": f"{e['key']} in ({values})",
                "NotIn": f"{e['key']} notin ({values})",
                "Exists": e["key"],
                "DoesNotExist": f"!{e['key']}",
            }.get(str(e.get("operator")), str(e.get("operator")))
        )
    return ",".join(parts) or "<none>"
