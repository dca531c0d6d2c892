"""Shell: one terminal. It runs typed lines in a World and keeps where it stands, its variables and its history.

Theory. A terminal is a stack of sessions: `docker exec -it`, `nsenter ... bash` and `ip netns exec X bash` put one on
top, `exit` takes it off. A line is parsed whole, then run pipeline by pipeline; after each the world settles and its
taps remember the packets.

Rules. `run` gives a Result for every text; EngineErrors become stderr in the learner's language with code 2.
Any other exception is a defect of ours and must look like one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import field

from engine.errors import EngineError, NotModelled, OpError
from engine.linux.journey import Journey, Outcome
from engine.linux.ops import KillProc
from engine.record import dataclass
from engine.say import Phrase
from engine.shell import words as grammar
from engine.shell.binary import shown
from engine.shell.expand import Expander
from engine.shell.files import FileError, Files
from engine.shell.place import GONE, RENEWED, Spot, resolve
from engine.shell.sockets import errno_text
from engine.shell.tool import Context, Edit, Fail, Out, Tool
from engine.shell.tools import find
from engine.shell.unknown import absent, forbidden_background, not_found
from engine.shell.world import World

HISTORY_LIMIT = 500
#: Programs that may go on in the background, here or behind `ip netns exec`, `nsenter`, `docker exec` ...
BACKGROUND = {"nc", "python3", "tcpdump", "port-forward"}
DEPTH_LIMIT = 12
TOO_DEEP = Phrase(
    en="Shells inside shells go {limit} deep here.", ko="여기서는 셸을 {limit}겹까지만 겹칠 수 있습니다."
)
LAST_SHELL = Phrase(
    en="this is the terminal's own shell; it stays open",
    ko="이 터미널의 기본 셸이므로 닫지 않습니다",
)
WATCHING = Phrase(
    en="tcpdump waits: it shows the packets of your next line, then ends",
    ko="tcpdump가 대기합니다. 다음에 입력하는 줄의 패킷을 보여 주고 끝납니다",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a typed text left. `chunks` are the same texts in the order in which a terminal would show them:
    ("out" or "err", text); `downloads` are files for the learner's own machine: (name, bytes); with `edit` the
    command waits for an editor, and its texts say what to do where there is none."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    journeys: tuple[Journey, ...] = ()
    clear: bool = False
    chunks: tuple[tuple[str, str], ...] = ()
    downloads: tuple[tuple[str, bytes], ...] = ()
    edit: Edit | None = None


@dataclass(slots=True)
class Session:
    """One shell of the stack. `spot` where it stands, `env` its variables, `code` of its last command, `aliases`
    what stands for the first word of a line, `jobs` what it sent to the background: number -> (pid, line)."""

    spot: Spot
    cwd: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    code: int = 0
    aliases: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, tuple[int, str]] = field(default_factory=dict)

    def job(self, pid: int, line: str) -> int:
        """A number for a process that goes on behind `line &`."""
        number = max(self.jobs, default=0) + 1
        self.jobs[number] = (pid, line)
        return number


@dataclass(slots=True)
class Watch:
    """A tcpdump that was sent to the background: its pipeline, and where in the capture it began."""

    pipeline: grammar.Pipeline
    session: Session
    since: int
    line: int


@dataclass(slots=True)
class Current:
    """The pipeline that runs now, and where the capture of a background tcpdump began (-1: none)."""

    pipeline: grammar.Pipeline
    since: int = -1


@dataclass(slots=True)
class _Gathered:
    chunks: list[tuple[str, str]] = field(default_factory=list)
    journeys: list[Journey] = field(default_factory=list)
    clear: bool = False
    leave: bool = False
    enter: Spot | None = None
    downloads: list[tuple[str, bytes]] = field(default_factory=list)
    edit: Edit | None = None

    def text(self, stream: str, text: str) -> None:
        if text:
            self.chunks.append((stream, text))

    def take(self, out: Out) -> None:
        """Everything of `out` but its texts."""
        self.journeys += out.journeys
        self.downloads += out.downloads
        if out.clear:
            self.clear = True
            self.chunks.clear()
        self.leave = self.leave or out.leave
        self.enter = out.enter or self.enter
        self.edit = out.edit or self.edit

    def joined(self, stream: str) -> str:
        return "".join(t for s, t in self.chunks if s == stream)


def first_session(spot: Spot) -> Session:
    """The variables of a new shell at a spot."""
    home = "/root" if not spot.contained else "/"
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    env = {
        "PATH": path,
        "HOME": "/root",
        "USER": spot.user,
        "HOSTNAME": spot.hostname,
        "TERM": "xterm-256color",
    }
    env.update(dict(spot.env))
    return Session(spot, home, env)


class Shell:
    """A terminal at `place` (`node/w1`, `pod/default/web`, ...). Raises EngineError when there is no such place."""

    def __init__(self, world: World, place: str) -> None:
        self.world = world
        self.stack: list[Session] = [first_session(resolve(world, place))]
        self.history: list[str] = []
        self.watches: list[Watch] = []
        self.lines = 0
        self.depth = 0
        self.current = Current(grammar.Pipeline("", []))
        self.columns = 100

    # ---- where it stands

    @property
    def session(self) -> Session:
        return self.stack[-1]

    @property
    def place(self) -> str:
        return self.session.spot.name

    @property
    def prompt(self) -> str:
        session = self.session
        if session.spot.contained:
            return f"{session.cwd} # " if session.spot.user == "root" else f"{session.cwd} $ "
        cwd = session.cwd
        home = session.env.get("HOME", "/root")
        if cwd == home or cwd.startswith(home + "/"):
            cwd = "~" + cwd[len(home) :]
        return f"{session.env.get('USER', 'root')}@{session.spot.hostname}:{cwd}# "

    def _alive(self, spot: Spot) -> bool:
        net = self.world.net
        box = net.boxes.get(spot.box)
        return box is not None and spot.netns in net.spaces and spot.pid in box.procs

    # ---- running

    def run(self, line: str) -> Result:
        """Run a typed text. Never raises for what was typed."""
        got = _Gathered()
        if not self._close_dead(got):
            return Result("", got.joined("err"), 1, chunks=tuple(got.chunks))
        if line.strip():
            if not self.history or self.history[-1] != line:
                self.history.append(line)
            del self.history[:-HISTORY_LIMIT]
            self.lines += 1
            self._text(line, self.session, "", got, top=True)
            self._show_watches(got)
        code = self.session.code
        if got.leave:
            if len(self.stack) > 1:
                ended = self.stack.pop()
                self._close(ended)
                if ended.spot.after:
                    self._text(ended.spot.after, self.session, "", got)
            else:
                got.text("err", LAST_SHELL().text(self.world.lang) + "\n")
        if got.enter is not None:
            if len(self.stack) >= DEPTH_LIMIT:
                got.text("err", TOO_DEEP(limit=DEPTH_LIMIT).text(self.world.lang) + "\n")
                code = 2
            else:
                self.stack.append(first_session(got.enter))
        self._close_dead(got)
        got.chunks = [(stream, shown(text)) for stream, text in got.chunks]
        return Result(
            got.joined("out"), got.joined("err"), code, self.world.told(got.journeys), got.clear, tuple(got.chunks),
            tuple(got.downloads), got.edit,
        )  # fmt: skip

    def _close(self, session: Session) -> None:
        """A nested shell ends, and with it the process that was only there for it."""
        spot = session.spot
        if spot.ends and spot.ends in self.world.net.boxes[spot.box].procs:
            daemon = self.world.dockers.get(spot.box)
            if daemon is not None and spot.container in daemon.containers:
                daemon.end(self.world.changes(), spot.container, session.code)
            else:
                self.world.do(KillProc(box=spot.box, pid=spot.ends))
            self.world.settle()

    def _close_dead(self, got: _Gathered) -> bool:
        """End nested shells whose process or namespace is gone; a container's own terminal finds its successor.
        False when there is none: then this terminal has nowhere to stand."""
        while not self._alive(self.session.spot) and len(self.stack) > 1:
            got.text("err", GONE(name=self.session.spot.name).text(self.world.lang) + "\n")
            self.stack.pop()
        if self._alive(self.session.spot):
            return True
        try:
            self.stack[0] = first_session(resolve(self.world, self.stack[0].spot.name))
        except EngineError:
            got.text("err", GONE(name=self.session.spot.name).text(self.world.lang) + "\n")
            return False
        got.text("err", RENEWED(name=self.session.spot.name).text(self.world.lang) + "\n")
        return True

    def _text(self, text: str, session: Session, stdin: str, got: _Gathered, *, top: bool = False) -> None:
        """Parse and run a text in a session."""
        try:
            pipelines = grammar.parse(text)
        except EngineError as error:
            got.text("err", self._error(error))
            session.code = 2
            return
        for pipeline in pipelines:
            if (pipeline.joint == "&&" and session.code) or (pipeline.joint == "||" and not session.code):
                continue
            if not self._alive(session.spot):
                return
            if pipeline.background and self._is_watch(pipeline):
                self.watches.append(Watch(pipeline, session, self.world.position, self.lines))
                session.code = 0
                continue
            self._pipeline(pipeline, session, stdin, got, tty=top)
            if got.leave:
                return

    def _pipeline(
        self,
        pipeline: grammar.Pipeline,
        session: Session,
        stdin: str,
        got: _Gathered,
        *,
        tty: bool,
        since: int = -1,
    ) -> None:
        """Run one pipeline and let the world settle."""
        outer, self.current = self.current, Current(pipeline, since)
        piped = stdin
        for index, command in enumerate(pipeline.commands):
            first, last = index == 0, index == len(pipeline.commands) - 1
            try:
                out, piped = self._command(command, session, piped, got, tty=tty and first, last=last)
                session.code = out.code
                self._done(out, got)
                if not last and (out.enter or out.leave):
                    got.enter, got.leave = None, False
            except EngineError as error:
                got.text("err", self._error(error))
                session.code, piped = error.out.code if isinstance(error, Fail) else 2, ""
                if isinstance(error, Fail):
                    got.text("out", error.out.stdout)
        self.current = outer
        if pipeline.inverted:
            session.code = int(not session.code)
        try:
            self.world.settle()
        except EngineError as error:
            got.text("err", self._error(error))
            session.code = 2

    def _done(self, out: Out, got: _Gathered) -> None:
        got.take(out)
        self.world.saw(out.journeys)

    def _command(
        self,
        command: grammar.Command,
        session: Session,
        stdin: str,
        got: _Gathered,
        *,
        tty: bool,
        last: bool,
    ) -> tuple[Out, str]:
        """Expand, redirect and run one command: (what it left, its text for the pipe)."""
        expander = Expander(self, session, got.journeys)
        argv = expander.words(command.words)
        assigns = {name: expander.text(word) for name, word in command.assigns}
        got.text("err", expander.stderr)
        files = Files(self.world, session.spot)
        out_to, err_to = ("pipe", ""), ("err", "")
        opened: list[tuple[str, str]] = []
        for redirect in command.redirects:
            target = expander.text(redirect.target)
            if redirect.how == "here":
                stdin, tty = target, False
                continue
            if redirect.how == "<":
                stdin, tty = self._read(files, session, target), False
                continue
            if redirect.how == "dup":
                if redirect.fd == 2:
                    err_to = out_to if target == "1" else err_to
                elif redirect.fd == 1 and target == "2":
                    out_to = err_to
                continue
            path = _absolute(session.cwd, target)
            if redirect.how == ">":
                self._write(files, path, target, "", append=False)
            opened.append((path, target))
            if redirect.fd in (1, 3):
                out_to = ("file", path)
            if redirect.fd in (2, 3):
                err_to = ("file", path)
        if not argv:
            session.env.update(assigns)
            return Out(code=expander.code), ""
        if argv[0] in session.aliases:
            argv = [*shlex.split(session.aliases[argv[0]]), *argv[1:]]
        shown_as_is = last and out_to == ("pipe", "") and self.depth == 0
        env = {**session.env, **assigns}
        out = self._simple(argv, session, env, stdin, tty, shown_as_is)
        shown = ""
        for stream, text in out.texts():
            where, path = out_to if stream == "out" else err_to
            if not text:
                continue
            if where == "file":
                self._write(files, path, dict(opened).get(path, path), text, append=True)
            elif where == "err" or last:
                got.text("err" if where == "err" else "out", text)
            else:
                shown += text
        return out, shown

    def _read(self, files: Files, session: Session, target: str) -> str:
        try:
            return files.read(_absolute(session.cwd, target))
        except FileError as error:
            raise Fail(f"bash: {target}: {error.reason}", 1) from None

    def _write(self, files: Files, path: str, typed: str, text: str, *, append: bool) -> None:
        if not text and path.startswith("/proc/"):
            return
        try:
            files.write(path, text, append=append)
        except FileError as error:
            raise Fail(f"bash: {typed}: {error.reason}", 1) from None
        except OpError as error:
            raise Fail(f"bash: echo: write error: {errno_text(error.errno)}", 1) from None

    def _simple(
        self,
        argv: Sequence[str],
        session: Session,
        env: dict[str, str],
        stdin: str,
        tty: bool,
        to_terminal: bool,
    ) -> Out:
        """Find the tool and run it."""
        current = self.current
        context = Context(
            world=self.world, spot=session.spot, shell=self, stdin=stdin, tty=tty, env=env, cwd=session.cwd,
            columns=self.columns, background=current.pipeline.background, line=current.pipeline.text,
            session=session, since=current.since, to_terminal=to_terminal,
        )  # fmt: skip
        tool = self.tool(argv[0], session.spot)
        if tool is None:
            return not_found(context, argv[0])
        if context.background and not tool.background and not BACKGROUND & set(argv):
            raise forbidden_background(argv[0])
        return self._guarded(tool, context, list(argv[1:]))

    def _guarded(self, tool: Tool, context: Context, argv: list[str]) -> Out:
        self.depth += 1
        try:
            if self.depth > DEPTH_LIMIT:
                raise EngineError(TOO_DEEP(limit=DEPTH_LIMIT))
            return self._honest(tool.run(context, argv), context.line)
        except Fail as fail:
            return fail.out
        except EngineError as error:
            return Out(stderr=self._error(error), code=2)
        finally:
            self.depth -= 1

    def _honest(self, out: Out, line: str) -> Out:
        """A tool whose packet met what the model does not know says so: its own words would be those of a loss."""
        walks = (w for j in out.journeys for leg in j.legs for w in leg.walks())
        strange = next((w for w in walks if w.outcome is Outcome.NOT_MODELLED), None)
        if strange is None:
            return out
        why = strange.last.why if strange.last is not None and strange.last.why is not None else ""
        text = self._error(NotModelled(line, why))
        return out if text in out.stderr else Out(stderr=text, code=2, journeys=out.journeys)

    def tool(self, word: str, spot: Spot) -> Tool | None:
        """The tool behind a typed word at a spot; None when the shell there would not find it."""
        tool = find(word)
        if tool is None and word.startswith(
            ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/")
        ):
            word = word.rsplit("/", 1)[-1]
            tool = find(word)
        if tool is None or absent(self.world, spot, tool, word):
            return None
        return tool

    # ---- what tools ask of their shell

    def run_argv(
        self, argv: Sequence[str], spot: Spot, stdin: str, tty: bool, *, screen: bool = False
    ) -> Out:
        """Run a command elsewhere; its journeys come back in the Out, unseen by the taps so far. `screen` = what it
        prints comes to the terminal through a terminal of its own."""
        session = replace_session(self.session, spot)
        words = list(argv) or ["sh" if spot.contained else "bash"]
        return self._simple(words, session, session.env, stdin, tty, screen)

    def run_text(self, text: str, spot: Spot, stdin: str) -> Out:
        """Run a script (`sh -c TEXT`, `$(TEXT)`) in a session of its own."""
        got = _Gathered()
        session = replace_session(self.session, spot)
        self.depth += 1
        try:
            if self.depth > DEPTH_LIMIT:
                raise EngineError(TOO_DEEP(limit=DEPTH_LIMIT))
            self._text(text, session, stdin, got)
        finally:
            self.depth -= 1
        return Out(
            stdout=got.joined("out"),
            stderr=got.joined("err"),
            code=session.code,
            journeys=tuple(got.journeys),
            downloads=tuple(got.downloads),
        )

    def source(self, text: str, context: Context) -> Out:
        """Run a script in the session of the command that asks (`source FILE`)."""
        got = _Gathered()
        self.depth += 1
        try:
            if self.depth > DEPTH_LIMIT:
                raise EngineError(TOO_DEEP(limit=DEPTH_LIMIT))
            self._text(text, context.session, context.stdin, got)
        finally:
            self.depth -= 1
        return Out.mixed(got.chunks, context.session.code, tuple(got.journeys))

    def terminal(self, context: Context) -> bool:
        """Does this command run in the terminal's own shell, not by way of exec or a script?"""
        return context.session is self.session

    def _error(self, error: EngineError) -> str:
        """The stderr text of an error."""
        if isinstance(error, Fail):
            return error.out.stderr
        lang = self.world.lang
        if isinstance(error, OpError):
            said = error.text(lang)
            return error.tool_text + "\n" + ("" if said == error.tool_text else said + "\n")
        return error.text(lang) + "\n"

    # ---- tcpdump in the background

    def _is_watch(self, pipeline: grammar.Pipeline) -> bool:
        """Does its first command run tcpdump, here or elsewhere (`ip netns exec X tcpdump`)?"""
        return "tcpdump" in [grammar.literal(w) for w in pipeline.commands[0].words]

    def _show_watches(self, got: _Gathered) -> None:
        """Print what background tcpdumps saw: those that had something after them on their line, or an earlier
        line."""
        waiting: list[Watch] = []
        for watch in self.watches:
            if watch.line == self.lines and self.world.position == watch.since:
                waiting.append(watch)
                got.text("err", WATCHING().text(self.world.lang) + "\n")
                continue
            if self._alive(watch.session.spot):
                self._pipeline(watch.pipeline, watch.session, "", got, tty=False, since=watch.since)
        self.watches = waiting

    def complete(self, line: str, cursor: int = -1) -> list[str]:
        """Words that could stand where the cursor is, whole, sorted."""
        from engine.shell.complete import complete

        if not self._alive(self.session.spot):
            return []
        return complete(self, line, len(line) if cursor < 0 else cursor)


def replace_session(session: Session, spot: Spot) -> Session:
    """A session for a command that runs at `spot`: the same variables on the same files, new ones in a container."""
    if (
        spot.root == session.spot.root
        and spot.contained == session.spot.contained
        and spot.pid == session.spot.pid
    ):
        return Session(spot, session.cwd, dict(session.env), session.code)
    return first_session(spot)


def _absolute(cwd: str, path: str) -> str:
    import posixpath

    return posixpath.normpath(posixpath.join(cwd, path))
