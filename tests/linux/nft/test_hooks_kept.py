"""Which chains stand at the hooks is worked out again when one comes or goes, and only then."""

from __future__ import annotations

from engine.linux.net import Net, Netns
from engine.linux.nft.tables import Base
from engine.linux.ops.base import apply
from engine.linux.ops.nftrows import AddChain, AddTable, Command, DeleteChains, Empty, NftRows


def test_a_chain_at_a_hook_is_met_as_soon_as_it_is_there_and_no_longer() -> None:
    net = Net(spaces={"n": Netns(id="n", box="n", label="n", inode=1)})

    def do(*commands: Command) -> None:
        apply(net, NftRows(netns="n", family="ip", table="t", commands=commands))

    def met() -> list[str]:
        return [name for _, name, _ in net.spaces["n"].nft.standing("INPUT")]

    base = Base(type="filter", hook="input", priority=0)
    do(AddTable(), AddChain(name="first", base=base))
    assert met() == ["first"]
    kept = net.spaces["n"].nft._hooks
    do(Empty(names=("svc/a", "svc/b")))
    assert net.spaces["n"].nft._hooks is kept and met() == ["first"]
    do(AddChain(name="second", base=base))
    assert met() == ["second", "first"]
    do(DeleteChains(names=("first",)))
    assert met() == ["second"]
