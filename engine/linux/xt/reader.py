"""Reads one iptables command line word by word, in the order and with the messages of iptables 1.8.9's do_parse.

Rules. Nothing is changed here, and nothing of the kernel is looked at: whether a chain exists is for the op to say.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.xt.extensions import MATCHES, OTHER_MATCHES, OTHER_TARGETS, PLAIN, TARGETS
from engine.linux.xt.match import Destination, InDevice, Match, OutDevice, Protocol, Source, slotted
from engine.linux.xt.names import protocol_number
from engine.linux.xt.options import Problem, strtoui
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import Jump
from engine.linux.xt.vocabulary import (
    FLAGS,
    ILLEGAL,
    NAME_MAX,
    ORDER,
    RULE_COMMANDS,
    Command,
    HelpAsked,
    OtherFamily,
    VersionAsked,
    parse_addresses,
    valid_chain_name,
)
from engine.linux.xt.wordreader import WordReader


class Reader(WordReader):
    """One command line while it is read."""

    # -- iptables' own options ----------------------------------------------------------------------------

    def command(self, letter: str, *beside: str) -> None:
        if self.invert:
            raise Problem("unexpected '!' flag")
        now = self.out.command
        if now and now not in beside:
            raise Problem(f"Cannot use -{letter} with -{now.replace('#', 'D')}")

    def number(self, text: str) -> int:
        value = strtoui(text, 1, 0x7FFFFFFF)
        if value is None:
            raise Problem(f"Invalid rule number `{text}'")
        return value

    def option(self, letter: str) -> None:
        """Note an option that may be given once."""
        if letter in self.out.flags:
            raise Problem(f"multiple -{letter} flags not allowed")
        self.out.flags.add(letter)
        if self.invert and not FLAGS.get(letter, False):
            raise Problem(f"cannot have ! before -{letter}")

    def base(self, letter: str, value: str | None) -> None:
        out = self.out
        if letter in "ACDRI":
            self.command(letter)
            out.command, out.chain = letter, value or ""
            if letter == "D" and self.has_arg():
                out.rulenum, out.command = self.number(self.take()), "#"
            elif letter == "R":
                if not self.has_arg():
                    raise Problem("-R requires a rule number")
                out.rulenum = self.number(self.take())
            elif letter == "I":
                out.rulenum = self.number(self.take()) if self.has_arg() else 1
        elif letter in "LS":
            self.command(letter, "Z")
            if out.command == "Z":
                out.zero = True
            out.command = letter
            self.optional_chain(value)
            if self.has_arg():
                out.rulenum = self.number(self.take())
        elif letter in "FX":
            self.command(letter)
            out.command = letter
            self.optional_chain(value)
        elif letter == "Z":
            self.command(letter, "L", "S")
            if out.command:
                out.zero = True
            else:
                out.command = "Z"
            self.optional_chain(value)
            if self.has_arg():
                out.rulenum = self.number(self.take())
        elif letter == "N":
            valid_chain_name(value or "")
            self.command(letter)
            out.command, out.chain = letter, value or ""
        elif letter in "EP":
            self.command(letter)
            out.command, out.chain = letter, value or ""
            if not self.has_arg():
                what = "old-chain-name and new-chain-name" if letter == "E" else "a chain and a policy"
                raise Problem(f"-{letter} requires {what}")
            if letter == "E":
                out.new_name = self.take()
            else:
                out.policy = self.take()
        else:
            self.parameter(letter, value)

    def optional_chain(self, value: str | None) -> None:
        if value:
            self.out.chain = value
        elif self.has_arg():
            self.out.chain = self.take()

    def parameter(self, letter: str, value: str | None) -> None:
        out = self.out
        if letter == "p":
            self.option("p")
            self.proto_name = (value or "").lower()
            number = strtoui(self.proto_name, 0, 255)
            number = protocol_number(self.proto_name) if number is None else number
            if number is None:
                raise Problem(f'unknown protocol "{self.proto_name}" specified')
            if number == 0 and self.invert:
                raise Problem("rule would never match protocol")
            self.proto, self.not_proto = number, self.invert
        elif letter in "sd":
            self.option(letter)
            self.texts[letter] = (value or "", self.invert)
        elif letter in "io":
            if value == "":
                raise Problem("Empty interface is likely to be undesired")
            self.option(letter)
            from engine.linux.xt.match_state import parse_device

            device = parse_device(value or "")
            if "/" in device or " " in device:
                what = f"weird character in interface `{device}'"
                out.warnings += f"Warning: {what} ('/' and ' ' are not allowed by the kernel).\n"
            self.texts[letter] = (device, self.invert)
        elif letter == "g":
            self.option("j")
            self.goto, self.jump = True, self.target_name(value or "")
        elif letter == "j":
            self.option("j")
            self.jump_to(self.target_name(value or ""))
        elif letter == "m":
            self.match(value or "")
        elif letter == "f":
            self.option("f")
            self.fragment = self.invert
        elif letter == "v":
            if not out.verbose:
                self.option("v")
            out.verbose += 1
        elif letter in "nx0":
            self.option(letter)
        elif letter == "t":
            if self.invert:
                raise Problem("unexpected ! flag before --table")
            if self.restore:
                raise Problem("The -t option cannot be used in iptables-restore.\n")
            out.table = value or ""
        elif letter == "c":
            self.option("c")
            self.counters(value or "")
        elif letter == "w" or letter == "W":
            self.wait(letter, value)
        elif letter == "h":
            raise HelpAsked
        elif letter == "V":
            raise VersionAsked(self.invert)
        elif letter == "6":
            raise OtherFamily
        elif letter == "M":
            raise NotModelled("iptables --modprobe")

    def wait(self, letter: str, value: str | None) -> None:
        if self.restore:
            raise Problem(f"You cannot use `-{letter}' from iptables-restore")
        text = value if value is not None else self.take() if self.has_arg() else None
        if letter == "W":
            if text is None:
                raise Problem("wait interval value required")
            if not text.isdigit():
                raise Problem("wait interval not numeric")
            self.out.warnings += "Ignoring deprecated --wait-interval option.\n"
            self.interval = True
            return
        self.waits = True
        if text is not None and not text[:1].isdigit():
            raise Problem("wait seconds not numeric")

    def counters(self, value: str) -> None:
        packets, comma, bytes_ = value.partition(",")
        if not comma:
            if not self.has_arg():
                raise Problem("-c requires packet and byte counter")
            bytes_ = self.take()
        if not packets.isdigit():
            raise Problem("-c packet counter not numeric")
        if not bytes_.isdigit():
            raise Problem("-c byte counter not numeric")
        self.out.counters = (int(packets), int(bytes_))

    def target_name(self, name: str) -> str:
        if not name:
            raise Problem("Invalid target name (too short)")
        if len(name) > NAME_MAX:
            raise Problem(f"Invalid target name `{name}' ({NAME_MAX} chars max)")
        if any(c.isspace() for c in name):
            raise Problem(f"Invalid target name `{name}'")
        return name

    def jump_to(self, name: str) -> None:
        if name in PLAIN:
            self.plain = PLAIN[name]
        elif name in TARGETS:
            self.target = (TARGETS[name], self.parsing(TARGETS[name]))
        elif name in OTHER_TARGETS:
            raise NotModelled(f"iptables -j {name}")
        self.jump = name

    def match(self, name: str) -> None:
        if self.invert:
            raise Problem("unexpected ! flag before --match")
        if name in OTHER_MATCHES:
            raise NotModelled(f"iptables -m {name}")
        if name not in MATCHES:
            raise Problem(f"Couldn't load match `{name}':No such file or directory\n")
        self.load_match(name)

    # -- the end --------------------------------------------------------------------------------------------

    def finish(self) -> Command:
        out = self.out
        if out.table == "nat" and "DROP" in (out.policy, self.jump):
            raise Problem(
                '\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n'
            )
        for _, parsing in self.loaded:
            parsing.proto, parsing.not_proto = self.proto, self.not_proto
        matches = [extension.finish(parsing) for extension, parsing in self.loaded]
        target = self.target[0].finish(self.target[1]) if self.target is not None else self.plain
        if self.at < len(self.argv):
            raise Problem("unknown arguments found on commandline")
        if not out.command:
            raise Problem("no command specified")
        if self.interval and not self.waits:
            raise Problem("--wait-interval only makes sense with --wait\n")
        if self.invert:
            raise Problem("nothing appropriate following !")
        sources, dests = self.addresses("s"), self.addresses("d")
        if (len(sources) > 1 or len(dests) > 1) and any(i for k, (_, i) in self.texts.items() if k in "sd"):
            raise Problem("! not allowed with multiple source or destination IP addresses")
        if out.command == "R" and len(sources) * len(dests) != 1:
            raise Problem("Replacement rule does not specify a unique address")
        self.legal()
        if out.command in RULE_COMMANDS or out.command == "#":
            if out.chain in ("PREROUTING", "INPUT") and "o" in out.flags:
                raise Problem(f"Can't use -o with {out.chain}\n")
            if out.chain in ("POSTROUTING", "OUTPUT") and "i" in out.flags:
                raise Problem(f"Can't use -i with {out.chain}\n")
        if out.command in RULE_COMMANDS:
            if target is None and self.jump:
                target = Jump(chain=self.jump, goto=self.goto)
            self.transport()
            out.rules = tuple(
                XtRule(matches=(*self.basic(s, d), *slotted(matches)), target=target)
                for s in sources
                for d in dests
            )
        return out

    def legal(self) -> None:
        """Options that the command does not take."""
        out = self.out
        commands = [out.command] + (["Z"] if out.zero else [])
        for letter in ORDER:
            if letter in out.flags and all(letter in ILLEGAL[c] for c in commands):
                raise Problem(f"Illegal option `-{letter}' with this command")
        if len(out.chain) > NAME_MAX:
            raise Problem(f"chain name `{out.chain}' too long (must be under {NAME_MAX + 1} chars)")

    def transport(self) -> None:
        """`-m tcp` and `-m udp` want their -p (nft.c)."""
        for extension, _ in self.loaded:
            want = {"tcp": 6, "udp": 17, "sctp": 132}.get(extension.name)
            if want is not None and self.proto != want:
                raise Problem(f"{extension.name.upper()} match requires '-p {extension.name}'")

    def addresses(self, letter: str) -> list[tuple[int, int]]:
        text, _ = self.texts.get(letter, ("0.0.0.0/0", False))
        return parse_addresses(text)

    def basic(self, source: tuple[int, int], dest: tuple[int, int]) -> list[Match]:
        """The matches of -s -d -i -o -p, without those that ask nothing."""
        out: list[Match] = []
        no = {letter: invert for letter, (_, invert) in self.texts.items()}
        if source != (0, 0) or no.get("s"):
            out.append(Source(addr=source[0], length=source[1], invert=no.get("s", False)))
        if dest != (0, 0) or no.get("d"):
            out.append(Destination(addr=dest[0], length=dest[1], invert=no.get("d", False)))
        if "i" in self.texts and self.texts["i"][0] != "+":
            out.append(InDevice(name=self.texts["i"][0], invert=no["i"]))
        if "o" in self.texts and self.texts["o"][0] != "+":
            out.append(OutDevice(name=self.texts["o"][0], invert=no["o"]))
        if self.proto:
            out.append(Protocol(number=self.proto, invert=self.not_proto))
        if self.fragment is not None:
            from engine.linux.xt.match_header import Fragment

            out.append(Fragment(invert=self.fragment))
        return out
