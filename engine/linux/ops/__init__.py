"""All kinds of change. Import them from here, or from the file that has them.

Theory. An op's file holds its handler too, so who has an op has registered what carries it out. A file is loaded when
one of its names is first asked for: a lab without nft, ipsets or IPVS holds none of their machinery in memory.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from engine.linux.ops.base import Changes, Op, apply

if TYPE_CHECKING:
    from engine.linux.ops.address import AddAddress, DelAddress, FlushAddresses
    from engine.linux.ops.box import (
        AddBox,
        AddNetns,
        Advance,
        CloseSocket,
        DelNetns,
        KillProc,
        Listen,
        Log,
        MakeFolder,
        RemoveFile,
        RemoveFolder,
        SetLabel,
        StartProc,
        StopProc,
        Tell,
        WriteFile,
    )
    from engine.linux.ops.bpf import (
        AttachProgram,
        CreateMap,
        DeleteMapEntry,
        DetachProgram,
        LoadProgram,
        RemoveMap,
        UpdateMap,
    )
    from engine.linux.ops.conntrack import CtDelete, CtFlush
    from engine.linux.ops.device import AddDevice, LoadModule, SetDevice
    from engine.linux.ops.ipset import (
        IpsetAdd,
        IpsetCreate,
        IpsetDel,
        IpsetDestroy,
        IpsetFlush,
        IpsetRename,
        IpsetSwap,
    )
    from engine.linux.ops.ipvs import (
        IpvsAddDest,
        IpvsAddService,
        IpvsClear,
        IpvsDelDest,
        IpvsDelService,
        IpvsEditDest,
        IpvsEditService,
        IpvsTimeouts,
        IpvsZero,
    )
    from engine.linux.ops.link import AddLink, AddVeth, DelLink, SetLink, make_mac
    from engine.linux.ops.neigh import DelNeighbour, FlushNeighbours, SetFdb, SetNeighbour, SetProxy
    from engine.linux.ops.nexthop import DelNexthop, SetNexthop
    from engine.linux.ops.nft import NftApply
    from engine.linux.ops.route import AddRoute, DelRoute, FlushRouteCache, FlushRoutes, Way
    from engine.linux.ops.rule import AddRule, DelRule, FlushRules
    from engine.linux.ops.sysctl import SetSysctl
    from engine.linux.ops.vxlanfdb import FlushVxlanFdb, SetVxlanFdb
    from engine.linux.ops.xt import (
        XtAppend,
        XtDelete,
        XtDeleteChain,
        XtDeleteNumber,
        XtFlush,
        XtInsert,
        XtNewChain,
        XtPolicy,
        XtRenameChain,
        XtReplace,
        XtZero,
    )
    from engine.linux.ops.xtrestore import Restored, XtRestore

#: file -> what it offers
HOMES = {
    "address": "AddAddress DelAddress FlushAddresses",
    "box": (
        "AddBox AddNetns Advance CloseSocket DelNetns KillProc Listen Log MakeFolder RemoveFile "
        "RemoveFolder SetLabel StartProc StopProc Tell WriteFile"
    ),
    "bpf": "AttachProgram CreateMap DeleteMapEntry DetachProgram LoadProgram RemoveMap UpdateMap",
    "conntrack": "CtDelete CtFlush",
    "device": "AddDevice LoadModule SetDevice",
    "ipset": "IpsetAdd IpsetCreate IpsetDel IpsetDestroy IpsetFlush IpsetRename IpsetSwap",
    "ipvs": (
        "IpvsAddDest IpvsAddService IpvsClear IpvsDelDest IpvsDelService IpvsEditDest IpvsEditService "
        "IpvsTimeouts IpvsZero"
    ),
    "link": "AddLink AddVeth DelLink SetLink make_mac",
    "neigh": "DelNeighbour FlushNeighbours SetFdb SetNeighbour SetProxy",
    "nexthop": "DelNexthop SetNexthop",
    "nft": "NftApply",
    "route": "AddRoute DelRoute FlushRouteCache FlushRoutes Way",
    "rule": "AddRule DelRule FlushRules",
    "sysctl": "SetSysctl",
    "vxlanfdb": "FlushVxlanFdb SetVxlanFdb",
    "xt": (
        "XtAppend XtDelete XtDeleteChain XtDeleteNumber XtFlush XtInsert XtNewChain XtPolicy "
        "XtRenameChain XtReplace XtZero"
    ),
    "xtrestore": "Restored XtRestore",
}
_HOME = {name: home for home, names in HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """A name that nobody has asked for yet (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


__all__ = [
    "AddAddress",
    "AddBox",
    "AddDevice",
    "AddLink",
    "AddNetns",
    "AddRoute",
    "AddRule",
    "AddVeth",
    "Advance",
    "AttachProgram",
    "Changes",
    "CloseSocket",
    "CreateMap",
    "CtDelete",
    "CtFlush",
    "DelAddress",
    "DelLink",
    "DelNeighbour",
    "DelNetns",
    "DelNexthop",
    "DelRoute",
    "DelRule",
    "DeleteMapEntry",
    "DetachProgram",
    "FlushAddresses",
    "FlushNeighbours",
    "FlushRouteCache",
    "FlushRoutes",
    "FlushRules",
    "FlushVxlanFdb",
    "IpsetAdd",
    "IpsetCreate",
    "IpsetDel",
    "IpsetDestroy",
    "IpsetFlush",
    "IpsetRename",
    "IpsetSwap",
    "IpvsAddDest",
    "IpvsAddService",
    "IpvsClear",
    "IpvsDelDest",
    "IpvsDelService",
    "IpvsEditDest",
    "IpvsEditService",
    "IpvsTimeouts",
    "IpvsZero",
    "KillProc",
    "Listen",
    "LoadModule",
    "LoadProgram",
    "Log",
    "MakeFolder",
    "NftApply",
    "Op",
    "RemoveFile",
    "RemoveFolder",
    "RemoveMap",
    "Restored",
    "SetDevice",
    "SetFdb",
    "SetLabel",
    "SetLink",
    "SetNeighbour",
    "SetNexthop",
    "SetProxy",
    "SetSysctl",
    "SetVxlanFdb",
    "StartProc",
    "StopProc",
    "Tell",
    "UpdateMap",
    "Way",
    "WriteFile",
    "XtAppend",
    "XtDelete",
    "XtDeleteChain",
    "XtDeleteNumber",
    "XtFlush",
    "XtInsert",
    "XtNewChain",
    "XtPolicy",
    "XtRenameChain",
    "XtReplace",
    "XtRestore",
    "XtZero",
    "apply",
    "make_mac",
]
