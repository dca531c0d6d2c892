"""Every row of IPVS prints and reads again; so does a tracked connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.linux.conntrack import CtEntry, Tuple, Zone
from engine.linux.ipvs.rows import FULL_MASK, Dest, Service
from engine.linux.text.conntrack import parse, to_text
from engine.linux.text.ipvs import dest_text, parse_dest, parse_service, service_text

addresses = st.integers(1, 0xDFFFFFFF)
ports = st.integers(1, 65535)


@st.composite
def services(draw: st.DrawFn) -> Service:
    scheduler = draw(st.sampled_from(("rr", "wrr", "lc", "wlc", "sh", "dh", "mh", "sed", "nq")))
    timeout = draw(st.sampled_from((0, 1, 360, 10800)))
    mark = draw(st.sampled_from((0, 0, 7)))
    return Service(
        proto=0 if mark else draw(st.sampled_from((6, 17))), addr=0 if mark else draw(addresses),
        port=0 if mark else draw(ports), fwmark=mark, scheduler=scheduler, timeout=timeout,
        netmask=draw(st.sampled_from((FULL_MASK, 0xFFFFFF00))) if timeout else FULL_MASK,
        flags=draw(st.frozensets(st.integers(1, 3))), ops=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def servers(draw: st.DrawFn) -> Dest:
    weight = draw(st.integers(0, 65535))
    upper = draw(st.integers(0, 100))
    return Dest(
        addr=draw(addresses), port=draw(ports), weight=weight, 
        method=draw(st.sampled_from(("masq", "route", "tunnel"))),
        upper=upper, lower=draw(st.integers(0, upper)), last_weight=weight,
    )  # fmt: skip


@given(services())
def test_services(svc: Service) -> None:
    text = service_text(svc)
    assert parse_service(text) == svc
    assert service_text(parse_service(text)) == text


@given(services(), servers())
def test_servers(svc: Service, dest: Dest) -> None:
    text = dest_text(svc.key, dest)
    assert parse_dest(text) == (svc.key, dest)


@pytest.mark.parametrize(
    "line", ["", "-A", "-A -t 10.0.0.1 -s rr", "-a -t 10.0.0.1:80 -s rr", "-A -x 1:2 -s rr"]
)
def test_what_is_no_line(line: str) -> None:
    for read in (parse_service, parse_dest):
        with pytest.raises(InputError):
            read(line)


@st.composite
def entries(draw: st.DrawFn) -> CtEntry:
    proto = draw(st.sampled_from((6, 17, 1, 47, 99)))
    ends = [draw(st.integers(0, 65535)) if proto in (6, 17, 47) else 0 for _ in range(2)]
    if proto == 1:
        ends = [draw(st.integers(0, 65535)), 8 << 8]
    orig = Tuple(proto, draw(addresses), ends[0], draw(addresses), ends[1])
    reply = orig.mirrored()
    if draw(st.booleans()):
        reply = reply._replace(dst=draw(addresses), src=draw(addresses))
    zone = draw(st.sampled_from((Zone(), Zone(id=5), Zone(id=6, way="orig"), Zone(id=7, way="reply"))))
    counts = draw(st.sampled_from((None, (1, 40, 0, 0), (12, 3400, 9, 999999))))
    alive = draw(st.sampled_from((None, 0.0, 90.0)))
    state = draw(st.sampled_from(("SYN_SENT", "ESTABLISHED", "SYN_SENT2"))) if proto == 6 else ""
    return CtEntry(
        id=0, orig=orig, reply=reply, state=state,
        deadline=100.0 + draw(st.integers(0, 432000)), born=100.0, seen_reply=draw(st.booleans()),
        assured=draw(st.booleans()), mark=draw(st.integers(0, 0xFFFFFFFF)), zone=zone, counts=counts, alive=alive,
    )  # fmt: skip


@given(entries())
def test_connections(entry: CtEntry) -> None:
    text = to_text(entry, 100.0)
    again = parse(text, 100.0)
    assert to_text(again, 100.0) == text
    assert (again.orig, again.reply, again.mark, again.zone, again.counts) == (
        entry.orig, entry.reply, entry.mark, entry.zone, entry.counts,
    )  # fmt: skip
    assert parse(f"ipv4     2 {text}", 100.0) == again


def test_what_is_no_connection() -> None:
    with pytest.raises(InputError):
        parse("tcp 6 10 ESTABLISHED src=10.0.0.1", 0.0)
