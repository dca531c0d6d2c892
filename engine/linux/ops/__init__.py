"""All kinds of change. Import from here, so that every handler is registered."""

from engine.linux.ops.address import AddAddress, DelAddress, FlushAddresses
from engine.linux.ops.base import Changes, Op, apply
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
    WriteFile,
)
from engine.linux.ops.link import AddLink, AddVeth, DelLink, SetLink, make_mac
from engine.linux.ops.neigh import DelNeighbour, FlushNeighbours, SetFdb, SetNeighbour
from engine.linux.ops.route import AddRoute, AddRule, DelRoute, DelRule, FlushRoutes, FlushRules

__all__ = [
    "AddAddress",
    "AddBox",
    "AddLink",
    "AddNetns",
    "AddRoute",
    "AddRule",
    "AddVeth",
    "Advance",
    "Changes",
    "CloseSocket",
    "DelAddress",
    "DelLink",
    "DelNeighbour",
    "DelNetns",
    "DelRoute",
    "DelRule",
    "FlushAddresses",
    "FlushNeighbours",
    "FlushRoutes",
    "FlushRules",
    "KillProc",
    "Listen",
    "Log",
    "MakeFolder",
    "Op",
    "RemoveFile",
    "RemoveFolder",
    "SetFdb",
    "SetLabel",
    "SetLink",
    "SetNeighbour",
    "StartProc",
    "WriteFile",
    "apply",
    "make_mac",
]
