"""What was worked out from sysctls is never older than they are."""

from __future__ import annotations

import pytest

from engine.linux.ctproto import settings
from engine.linux.net import Netns
from engine.linux.sysctls import Sysctls


def test_a_value_that_is_set_counts_at_once_and_only_here() -> None:
    ns = Netns(id="n", box="n", label="n", inode=1, names={"eth0": 2})
    other = ns.copy()
    assert (ns.conf("eth0", "rp_filter"), other.conf("eth0", "rp_filter")) == (0, 0)
    ns.sysctls["net.ipv4.conf.eth0.rp_filter"] = "1"
    assert (ns.conf("eth0", "rp_filter"), other.conf("eth0", "rp_filter")) == (1, 0)
    copy = ns.copy()
    del copy.sysctls["net.ipv4.conf.eth0.rp_filter"]
    copy.sysctls["net.ipv4.conf.default.rp_filter"] = "2"
    assert (ns.conf("eth0", "rp_filter"), copy.conf("eth0", "rp_filter")) == (1, 2)
    ns.sysctls["net.ipv4.ip_forward"] = "1"
    assert (ns.conf("eth0", "forwarding"), other.conf("eth0", "forwarding")) == (1, 0)


def test_the_tracker_hears_of_a_new_limit() -> None:
    rows = Sysctls()
    assert settings(rows).limit == 262144
    rows["net.netfilter.nf_conntrack_max"] = "7"
    assert settings(rows).limit == 7 and settings(rows) is settings(rows.copy())


def test_a_device_that_is_not_there_is_asked_for_in_vain_each_time() -> None:
    ns = Netns(id="n", box="n", label="n", inode=1)
    for _ in range(2):
        with pytest.raises(KeyError):
            ns.conf("eth9", "rp_filter")


@pytest.mark.parametrize("name", ["update", "setdefault", "pop", "popitem", "clear"])
def test_no_way_around_it(name: str) -> None:
    with pytest.raises(TypeError, match="one by one"):
        getattr(Sysctls({"a": "1"}), name)("a", "2")
