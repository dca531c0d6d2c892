"""The one direction, proven twice: import contracts read the source, and these tests load the modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "engine").rglob("*.py")
)


def loaded(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def imported(path: Path) -> set[str]:
    """Full names of all modules that a source file imports, lazy imports included."""
    names: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            names.add(".".join([*base, *([node.module] if node.module else [])]))
    return names


def test_no_engine_module_loads_the_screen() -> None:
    modules = loaded("\n".join(f"import {name}" for name in ENGINE))
    assert not {m for m in modules if m.split(".")[0] in {"textual", "course"}}


@pytest.mark.parametrize("path", sorted((ROOT / "engine" / "linux").rglob("*.py")), ids=lambda p: p.stem)
def test_linux_is_standard_library_only(path: Path) -> None:
    allowed = ("engine.linux", "engine.say", "engine.errors", "engine.record")
    for name in imported(path):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names or name == "engine" or name.startswith(allowed), name


@pytest.mark.parametrize("room", ["real", "export"])
def test_leaves_stand_on_linux_fabric_and_lab(room: str) -> None:
    allowed = ("linux", "fabric", "lab", "say", "errors", "record", room)
    for path in (ROOT / "engine" / room).rglob("*.py"):
        for name in imported(path):
            if name.startswith("engine."):
                assert name.split(".")[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_the_engine_reads_no_clock_environment_or_network() -> None:
    forbidden = {"socket", "subprocess", "urllib.request", "http.client", "time", "asyncio"}
    words = ("os.environ", "os.getenv", "datetime.now", "datetime.utcnow", "date.today")
    for path in (ROOT / "engine").rglob("*.py"):
        if "real" not in path.relative_to(ROOT).parts:
            assert not imported(path) & forbidden, path.relative_to(ROOT)
            assert not [w for w in words if w in path.read_text(encoding="utf-8")], path.relative_to(ROOT)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_next_to_nothing(option: str) -> None:
    code = f"""
import sys
sys.argv = ["k8snet-tutor", {option!r}]
from course.__main__ import main
main()"""
    heavy = {
        "textual",
        "rich",
        "networkx",
        "yaml",
        "sqlite3",
        "asyncio",
        "importlib.metadata",
        "platformdirs",
    }
    assert not heavy & loaded(code)
