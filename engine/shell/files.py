"""The files that a shell sees: the machine's tree or a container's, with /proc and /sys made from rows.

Rules. A container sees its own tree (`Spot.root`) over the files of its image, with single files of the
machine mounted
over both. /proc
and /sys hold only what the model has: the sysctls of this network namespace, the namespaces of processes, the
devices. A file of /proc that Linux has and we have not is refused by name.
"""

from __future__ import annotations

import builtins
import posixpath
from typing import TYPE_CHECKING

from engine.errors import EngineError, NotModelled
from engine.l7 import images
from engine.linux.net import CONF_DEFAULTS, SYSCTL_DEFAULTS, Netns
from engine.linux.ops.box import MakeFolder, RemoveFile, RemoveFolder, WriteFile
from engine.linux.rows import Box, Proc
from engine.say import Phrase, plain
from engine.shell import powers

if TYPE_CHECKING:
    from engine.shell.place import Spot
    from engine.shell.world import World

USE_TOOLS = Phrase(en="Ask the tool instead: {tool}", ko="대신 이 도구를 쓰십시오: {tool}")
OF_IMAGE = Phrase(
    en="{path} comes with the image; it can be written over.",
    ko="{path}은(는) 이미지에 들어 있는 파일입니다. 덮어쓸 수는 있습니다.",
)

ERRNO_TEXT = {
    "ENOENT": "No such file or directory",
    "EISDIR": "Is a directory",
    "ENOTDIR": "Not a directory",
    "EACCES": "Permission denied",
    "EROFS": "Read-only file system",
    "EINVAL": "Invalid argument",
    "EEXIST": "File exists",
}
INSTEAD = {
    "route": "ip route", "arp": "ip neigh", "tcp": "ss -tan", "udp": "ss -uan", "dev": "ip -s link",
    "fib_trie": "ip route show table all", "snmp": "nstat",
}  # fmt: skip
#: where named network namespaces are mounted; the second is the path that the runtimes write
NETNS_FOLDERS = ("/run/netns", "/var/run/netns")
#: folders that every tree has
FOLDERS = ("/", "/etc", "/root", "/tmp")
NS_TYPES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


class FileError(EngineError):
    """A file cannot be read or written; `reason` is the kernel's word for it, as tools print after the name."""

    def __init__(self, errno: str) -> None:
        super().__init__(plain(ERRNO_TEXT[errno]))
        self.errno = errno
        self.reason = ERRNO_TEXT[errno]


class Files:
    """The tree as seen from a Spot. Paths are absolute; `kind` is "file", "dir", "link" or "" (nothing there)."""

    def __init__(self, world: World, spot: Spot) -> None:
        self.world = world
        self.spot = spot

    @property
    def box(self) -> Box:
        return self.world.net.boxes[self.spot.box]

    @property
    def ns(self) -> Netns:
        return self.world.net.spaces[self.spot.netns]

    def real(self, path: str) -> str:
        """The machine's path behind a path of this view."""
        for at, source in self.spot.mounts:
            if path == at or path.startswith(at + "/"):
                return source + path[len(at) :]
        return (self.spot.root + path) if self.spot.contained else path

    def of_image(self) -> dict[str, str]:
        """The files that the image brings: path -> text."""
        if not self.spot.contained or not self.spot.image:
            return {}
        image = images.find(self.spot.image)
        return dict(image.files) if image is not None else {}

    # ---- what is there

    def kind(self, path: str) -> str:
        path = posixpath.normpath(path)
        if _special(path):
            return self._special_kind(path)
        folder, _, name = path.rpartition("/")
        if folder in NETNS_FOLDERS and not self.spot.contained and name in self.box.netns_names:
            return "file"
        real = self.real(path)
        if real in self.box.files or path in self.of_image():
            return "file"
        if path in FOLDERS or self._is_folder(real) or self.list(path, quiet=True):
            return "dir"
        return ""

    def _is_folder(self, real: str) -> bool:
        prefix = real.rstrip("/") + "/"
        box = self.box
        return any(f.startswith(prefix) for f in box.files) or any(
            f == real or f.startswith(prefix) for f in box.folders
        )

    def list(self, path: str, *, quiet: bool = False) -> builtins.list[str]:
        """Names in a folder, sorted as C does. Raises FileError."""
        path = posixpath.normpath(path)
        if _special(path):
            return self._special_list(path, quiet)
        if path in NETNS_FOLDERS and not self.spot.contained and self.box.netns_names:
            return sorted(self.box.netns_names)
        real = self.real(path).rstrip("/")
        if not quiet and real in self.box.files:
            raise FileError("ENOTDIR")
        names: set[str] = set()
        for one in (*self.box.files, *self.box.folders):
            if one.startswith(real + "/"):
                names.add(one[len(real) + 1 :].split("/")[0])
        here = path.rstrip("/") + "/"
        names |= {at[len(here) :].split("/")[0] for at in self.of_image() if at.startswith(here)}
        names |= {at[len(here) :].split("/")[0] for at, _ in self.spot.mounts if at.startswith(here)}
        if path == "/":
            names |= {"proc", "sys", *(f[1:] for f in FOLDERS)}
        names.discard("")
        if not names and not quiet and path not in FOLDERS and not self._is_folder(real):
            raise FileError("ENOENT")
        return sorted(names)

    def paths(self) -> builtins.list[str]:
        """Every ordinary file of this view; globs match against it."""
        out = [at for at, source in self.spot.mounts if source in self.box.files]
        if not self.spot.contained:
            return sorted(self.box.files)
        out += self.of_image()
        prefix = self.spot.root + "/"
        out += [f[len(prefix) - 1 :] for f in self.box.files if self.spot.root and f.startswith(prefix)]
        return sorted(set(out))

    # ---- read and write

    def read(self, path: str) -> str:
        """The text of a file. Raises FileError; NotModelled for files of /proc that the model lacks."""
        path = posixpath.normpath(path)
        if path == "/dev/null":
            return ""
        if _special(path):
            return self._special_read(path)
        text = self.box.files.get(self.real(path), self.of_image().get(path))
        if text is None:
            raise FileError("EISDIR" if self.kind(path) == "dir" else "ENOENT")
        return text

    def readlink(self, path: str) -> str:
        """The target of a symbolic link (`/proc/PID/ns/net`, `/sys/class/net/eth0`). Raises FileError."""
        path = posixpath.normpath(path)
        parts = path.split("/")[1:]
        if len(parts) == 4 and parts[0] == "proc" and parts[2] == "ns":
            proc = self.proc(parts[1])
            if proc is not None and parts[3] in NS_TYPES:
                return f"{parts[3]}:[{proc.space(parts[3])}]"
        if len(parts) == 4 and parts[:3] == ["sys", "class", "net"] and parts[3] in self.ns.names:
            kind = self.ns.links[self.ns.names[parts[3]]].kind
            folder = "pci0000:00/0000:00:03.0" if kind == "physical" else "virtual"
            return f"../../devices/{folder}/net/{parts[3]}"
        raise FileError("EINVAL" if self.kind(path) else "ENOENT")

    def write(self, path: str, text: str, *, append: bool = False) -> None:
        """Write a file; a sysctl through its own op. Raises FileError, OpError."""
        path = posixpath.normpath(path)
        if path in ("/dev/null", "/dev/stdout", "/dev/stderr"):
            return
        if path.startswith("/proc/sys/"):
            self._write_sysctl(path, text)
            return
        if _special(path):
            raise FileError("EACCES" if self.kind(path) else "ENOENT")
        if self.kind(path) == "dir":
            raise FileError("EISDIR")
        if self.kind(posixpath.dirname(path)) != "dir":
            raise FileError("ENOTDIR" if self.kind(posixpath.dirname(path)) == "file" else "ENOENT")
        real = self.real(path)
        before = self.box.files.get(real, "") if append else ""
        self.world.do(WriteFile(box=self.spot.box, path=real, text=before + text))

    def remove(self, path: str) -> None:
        path = posixpath.normpath(path)
        kind = self.kind(path)
        if _special(path) or kind != "file":
            raise FileError("EISDIR" if kind == "dir" else "EACCES" if kind else "ENOENT")
        if path in self.of_image() and self.real(path) not in self.box.files:
            raise NotModelled(f"rm {path}", OF_IMAGE(path=path))
        self.world.do(RemoveFile(box=self.spot.box, path=self.real(path)))

    def mkdir(self, path: str) -> None:
        path = posixpath.normpath(path)
        if self.kind(path):
            raise FileError("EEXIST")
        if _special(path) or self.kind(posixpath.dirname(path)) != "dir":
            raise FileError("ENOENT")
        self.world.do(MakeFolder(box=self.spot.box, path=self.real(path)))

    def forget(self, path: str) -> None:
        """Take an emptied folder, and those in it, out of the tree."""
        self.world.do(RemoveFolder(box=self.spot.box, path=self.real(path)))

    # ---- /proc and /sys

    def proc(self, word: str) -> Proc | None:
        """The process that `/proc/WORD` means in this pid namespace."""
        if word in ("self", "thread-self"):
            return self.box.procs.get(self.spot.pid)
        if not (word.isascii() and word.isdigit()):
            return None
        return next((p for p in self.procs() if self.seen_pid(p) == int(word)), None)

    def procs(self) -> builtins.list[Proc]:
        """The processes of this pid namespace (on a machine: all), by their pid in it."""
        procs = list(self.box.procs.values())
        if self.spot.pid != 1 and self.spot.pid in self.box.procs:
            own = self.box.procs[self.spot.pid].space("pid")
            if own != self.box.procs[1].space("pid"):
                procs = [p for p in procs if p.space("pid") == own]
        return sorted(procs, key=self.seen_pid)

    def seen_pid(self, proc: Proc) -> int:
        viewer = self.box.procs.get(self.spot.pid)
        if viewer is None or viewer.space("pid") == self.box.procs[1].space("pid"):
            return proc.pid
        return proc.nspid or proc.pid

    def _special_kind(self, path: str) -> str:
        parts = path.split("/")[1:]
        if path in ("/proc", "/sys", "/sys/class", "/sys/class/net", "/proc/sys"):
            return "dir"
        if parts[0] == "sys":
            if parts[:3] == ["sys", "class", "net"] and len(parts) > 3 and parts[3] in self.ns.names:
                return (
                    "link"
                    if len(parts) == 4
                    else "file"
                    if parts[4] in self._device(parts[3]) and len(parts) == 5
                    else ""
                )
            return ""
        if parts[1] == "sys":
            key = ".".join(p.replace(".", "/") for p in parts[2:])
            if key in self._sysctls():
                return "file"
            return "dir" if any(k.startswith(key + ".") for k in self._sysctls()) else ""
        proc = self.proc(parts[1])
        if proc is None:
            return ""
        if len(parts) == 2 or parts[2:] == ["ns"]:
            return "dir"
        if len(parts) == 4 and parts[2] == "ns" and parts[3] in NS_TYPES:
            return "link"
        return "file" if len(parts) == 3 and parts[2] in ("cmdline", "comm", "status") else ""

    def _special_list(self, path: str, quiet: bool) -> builtins.list[str]:
        parts = path.split("/")[1:]
        if self._special_kind(path) not in ("dir", "link"):
            if quiet:
                return []
            raise FileError("ENOTDIR" if self._special_kind(path) else "ENOENT")
        if path == "/sys":
            return ["class"]
        if path == "/sys/class":
            return ["net"]
        if path == "/sys/class/net":
            return sorted(self.ns.names)
        if parts[0] == "sys":
            return sorted(self._device(parts[3]))
        if path == "/proc":
            return [str(self.seen_pid(p)) for p in self.procs()] + ["self", "sys"]
        if parts[1] == "sys":
            head = ".".join(p.replace(".", "/") for p in parts[2:])
            head = head + "." if head else ""
            found = {
                k[len(head) :].split(".")[0].replace("/", ".") for k in self._sysctls() if k.startswith(head)
            }
            return sorted(found)
        return list(NS_TYPES) if parts[2:] == ["ns"] else ["cmdline", "comm", "ns", "status"]

    def _special_read(self, path: str) -> str:
        parts = path.split("/")[1:]
        if len(parts) > 2 and parts[0] == "proc" and parts[1] != "sys" and "net" in parts[1:3]:
            from engine.shell.procnet import READERS

            if parts[-1] in READERS:
                return READERS[parts[-1]](self.world.net, self.ns)
            tool = INSTEAD.get(parts[-1], "ip")
            raise NotModelled(path, USE_TOOLS(tool=tool))
        kind = self._special_kind(path)
        if kind == "dir":
            raise FileError("EISDIR")
        if kind != "file":
            if kind == "link":
                raise FileError("EINVAL" if parts[0] == "proc" else "EISDIR")
            if parts[0] == "proc" and not (parts[1] == "sys" or parts[1].isdigit()):
                raise NotModelled(path)
            raise FileError("ENOENT")
        if parts[0] == "sys":
            return self._device(parts[3])[parts[4]] + "\n"
        if parts[1] == "sys":
            return self.ns.sysctl(".".join(p.replace(".", "/") for p in parts[2:])) + "\n"
        proc = self.proc(parts[1])
        if proc is None:
            raise FileError("ENOENT")
        if parts[2] == "cmdline":
            return "".join(a + "\0" for a in proc.args)
        if parts[2] == "comm":
            return proc.comm + "\n"
        pids = str(proc.pid) if proc.nspid in (0, proc.pid) else f"{proc.pid}\t{proc.nspid}"
        rows = {
            "Name": proc.comm,
            "State": "S (sleeping)",
            "Pid": self.seen_pid(proc),
            "PPid": proc.ppid,
            "NSpid": pids,
        }
        return "".join(f"{key}:\t{value}\n" for key, value in rows.items())

    def _write_sysctl(self, path: str, text: str) -> None:
        from engine.linux.ops.sysctl import SetSysctl

        if self._special_kind(path) != "file":
            raise FileError("EISDIR" if self._special_kind(path) else "ENOENT")
        if not powers.has(self.box, self.spot, "ALL"):
            raise FileError("EROFS")
        key = ".".join(p.replace(".", "/") for p in path.split("/")[3:])
        self.world.do(SetSysctl(netns=self.spot.netns, key=key, value=text.strip()))

    def _sysctls(self) -> set[str]:
        devices = ("all", "default", *self.ns.names)
        keys = set(SYSCTL_DEFAULTS) | {
            f"net.ipv4.conf.{d.replace('.', '/')}.{k}" for d in devices for k in CONF_DEFAULTS
        }
        out = set()
        for key in keys | set(self.ns.sysctls):
            try:
                self.ns.sysctl(key)
            except KeyError:
                continue
            out.add(key)
        return out

    def _device(self, name: str) -> dict[str, str]:
        from engine.linux.addr import mac_text
        from engine.linux.status import iflink

        link = self.ns.links[self.ns.names[name]]
        kind = {"loopback": "772", "ipip": "768"}.get(link.kind, "65534" if link.headerless else "1")
        other = iflink(self.ns, link)
        peer = str(link.ifindex if other is None else other)
        return {
            "address": mac_text(link.mac), "ifindex": str(link.ifindex), "iflink": peer, "mtu": str(link.mtu),
            "operstate": "unknown" if link.kind == "loopback" else "up" if link.up else "down", "type": kind,
            "tx_queue_len": str(link.txqlen),
        }  # fmt: skip


def _special(path: str) -> bool:
    return path.startswith(("/proc/", "/sys/")) or path in ("/proc", "/sys")
