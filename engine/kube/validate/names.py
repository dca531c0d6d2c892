"""Forms of names, labels, annotations, addresses and ports, in the words of apimachinery/pkg/util/validation.

Rules. Each function yields errors for one value; `path` is where it stands in the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.errors import EngineError
from engine.kube.objects import Json, meta
from engine.kube.validate.errors import bad, forbidden, required, too_long
from engine.linux.addr import ip4, text4

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
WILDCARD = re.compile(r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PORT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    "regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
TWO_SLASHES = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)
CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
PORT_TEXT = "must be between 1 and 65535, inclusive"
IP_TEXT = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
#: the minor release from which a network is taken without stray bits only (kubernetes/kubernetes#137053)
STRICT_SINCE = 36
CIDR_TEXT = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
#: The most that all annotations of an object may be, in bytes.
ANNOTATIONS_MOST = 256 * 1024

#: Kinds whose names are not DNS subdomains.
LABEL_KINDS = ("Namespace",)
LABEL_1035_KINDS = ("Service",)
PATH_KINDS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Event", "IPAddress")


def metadata_errors(body: Json) -> Iterator[str]:
    yield from name_errors(body)
    m = meta(body)
    yield from labels_errors(m.get("labels") or {}, "metadata.labels")
    yield from annotation_errors(m.get("annotations") or {}, "metadata.annotations")
    for i, name in enumerate(m.get("finalizers") or ()):
        path = f"metadata.finalizers[{i}]"
        yield from qualified_errors(name, path)
        if "/" not in name and name not in ("orphan", "foregroundDeletion", "kubernetes"):
            yield bad(path, name, "name is neither a standard finalizer name nor is it fully qualified")


def name_errors(body: Json) -> Iterator[str]:
    m = meta(body)
    kind, name = body["kind"], m.get("name", "")
    if not name:
        if not m.get("generateName"):
            yield required("metadata.name", "name or generateName is required")
        return
    if kind in LABEL_KINDS:
        yield from label_errors(name, "metadata.name")
    elif kind in LABEL_1035_KINDS:
        yield from label_1035_errors(name, "metadata.name")
    elif kind in PATH_KINDS:
        for sign in ("/", "%"):
            if sign in name:
                yield bad("metadata.name", name, f"may not contain '{sign}'")
    else:
        yield from subdomain_errors(name, "metadata.name")


def label_errors(name: str, path: str) -> Iterator[str]:
    """IsDNS1123Label."""
    if len(name) > 63:
        yield bad(path, name, "must be no more than 63 characters")
    if not LABEL.fullmatch(name):
        yield bad(path, name, LABEL_TEXT)


def label_1035_errors(name: str, path: str) -> Iterator[str]:
    """IsDNS1035Label."""
    if len(name) > 63:
        yield bad(path, name, "must be no more than 63 characters")
    if not LABEL_1035.fullmatch(name):
        yield bad(path, name, LABEL_1035_TEXT)


def subdomain_errors(name: str, path: str) -> Iterator[str]:
    """IsDNS1123Subdomain."""
    if len(name) > 253:
        yield bad(path, name, "must be no more than 253 characters")
    elif not SUBDOMAIN.fullmatch(name):
        yield bad(path, name, SUBDOMAIN_TEXT)


def wildcard_errors(name: str, path: str) -> Iterator[str]:
    """IsWildcardDNS1123Subdomain."""
    if not WILDCARD.fullmatch(name):
        yield bad(path, name, WILDCARD_TEXT)


def qualified_errors(name: str, path: str) -> Iterator[str]:
    """IsQualifiedName: a name with an optional `prefix/`."""
    head, slash, tail = name.rpartition("/")
    if "/" in head:
        yield bad(path, name, TWO_SLASHES)
        return
    if slash:
        if not head:
            yield bad(path, name, "prefix part must be non-empty")
        elif not SUBDOMAIN.fullmatch(head):
            yield bad(path, name, f"prefix part {SUBDOMAIN_TEXT}")
    if not tail:
        yield bad(path, name, "name part must be non-empty")
    elif len(tail) > 63:
        yield bad(path, name, "name part must be no more than 63 characters")
    if not QUALIFIED.fullmatch(tail):
        yield bad(path, name, QUALIFIED_TEXT)


def label_value_errors(value: Any, path: str) -> Iterator[str]:
    """IsValidLabelValue."""
    if not isinstance(value, str):
        return
    if len(value) > 63:
        yield bad(path, value, "must be no more than 63 characters")
    if not LABEL_VALUE.fullmatch(value):
        yield bad(path, value, LABEL_VALUE_TEXT)


def labels_errors(labels: Json, path: str) -> Iterator[str]:
    for key, value in labels.items():
        yield from qualified_errors(key, path)
        yield from label_value_errors(value, path)


def annotation_errors(rows: Json, path: str) -> Iterator[str]:
    total = 0
    for key, value in rows.items():
        yield from qualified_errors(key.lower(), path)
        total += len(key.encode()) + len(str(value).encode())
    if total > ANNOTATIONS_MOST:
        yield too_long(path, ANNOTATIONS_MOST)


def selector_errors(selector: Any, path: str) -> Iterator[str]:
    """ValidateLabelSelector."""
    if not isinstance(selector, dict):
        return
    yield from labels_errors(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for i, rule in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{i}]"
        operator, values = rule.get("operator", ""), rule.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                yield forbidden(
                    f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        else:
            yield bad(f"{at}.operator", operator, "not a valid selector operator")
        yield from qualified_errors(rule.get("key", ""), f"{at}.key")
        for j, value in enumerate(values):
            yield from label_value_errors(value, f"{at}.values[{j}]")


# ---- addresses and ports


def address(text: str) -> int | None:
    """An IPv4 address as int, None when it is none."""
    try:
        return ip4(text)
    except EngineError:
        return None


def is_ip6(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def ip_errors(text: str, path: str) -> Iterator[str]:
    """IsValidIP."""
    if address(text) is None and not is_ip6(text):
        yield bad(path, text, IP_TEXT)


def special_ip_errors(text: str, path: str) -> Iterator[str]:
    """ValidateNonSpecialIP: what may not be an endpoint's or an external address."""
    found = address(text)
    if found is None:
        return
    for head, length, why in (
        (0, 32, "may not be unspecified (0.0.0.0 or ::)"),
        (127 << 24, 8, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (169 << 24 | 254 << 16, 16, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (224 << 24, 24, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ):
        if found >> (32 - length) == head >> (32 - length):
            yield bad(path, text, why)


def cidr(text: str) -> tuple[int, int] | None:
    """(first address, length) of an IPv4 CIDR, None when it is none."""
    head, slash, length = text.partition("/")
    first = address(head)
    if not slash or first is None or not length.isdigit() or int(length) > 32:
        return None
    return first & (0xFFFFFFFF << (32 - int(length)) & 0xFFFFFFFF), int(length)


def cidr_errors(text: str, path: str, minor: int = 0) -> Iterator[str]:
    """IsValidCIDR. `minor`, of a field that takes a network: from 1.36 on its bits must end where its length says
    (StrictIPCIDRValidation, beta there)."""
    head, slash, length = text.partition("/")
    six = slash and is_ip6(head) and length.isdigit() and int(length) <= 128
    found = cidr(text)
    if found is None and not six:
        yield bad(path, text, CIDR_TEXT)
    elif minor >= STRICT_SINCE and found is not None and found[0] != address(head):
        yield bad(path, text, "must not have bits set beyond the prefix length")


def cidr_warnings(text: str, path: str, minor: int) -> Iterator[str]:
    """GetWarningsForCIDR, of a value that was accepted."""
    head, found = text.partition("/")[0], cidr(text)
    if minor < STRICT_SINCE and found is not None and found[0] != address(head):
        network = f"{text4(found[0])}/{found[1]}"
        yield f'{path}: CIDR value "{text}" is ambiguous in this context (should be "{network}" or "{head}/32"?)'


def port_number_errors(value: Any, path: str) -> Iterator[str]:
    """IsValidPortNum."""
    if not isinstance(value, int) or not 0 < value < 65536:
        yield bad(path, value if value is not None else 0, PORT_TEXT)


def port_name_errors(name: str, path: str) -> Iterator[str]:
    """IsValidPortName: an IANA service name, lower case."""
    if len(name) > 15:
        yield bad(path, name, "must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", name):
        yield bad(path, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        yield bad(path, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield bad(path, name, "must not contain consecutive hyphens")
    if name[:1] == "-" or name[-1:] == "-":
        yield bad(path, name, "must not begin or end with a hyphen")


def port_errors(value: Any, path: str) -> Iterator[str]:
    """ValidatePortNumOrName."""
    if isinstance(value, str):
        yield from port_name_errors(value, path)
    else:
        yield from port_number_errors(value, path)
