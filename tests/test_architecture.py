"""The rules of docs/architecture.md that can be read off the source.

Every import counts, also one inside a function, under TYPE_CHECKING, or named in a string such as
"longread.memory.sink_cache:SinkCache": a name that is loaded later is as much of a dependency.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 400

# Who stands above whom. A room may import itself and what stands below; rooms of one number, not each other.
RANKS = {
    "face": 7,  # longread/__init__.py and __main__.py
    "cli": 6,
    "jobs": 5,
    "pocket": 6,  # the bundled model's recipe: nobody imports it
    "tasks": 4,
    "engine": 3,
    "memory": 2,
    "reader": 2,
    "store": 2,
    "model": 1,
    "kernels": 0,
    "open": -1,  # errors, config, events, places, shares: everyone's, and they need nobody
}
OPEN = {"errors", "config", "events", "places", "shares"}
# Modules of ``model`` that a dry run and the reader's tests use: they must cost nothing to import.
LIGHT = {"tokens", "tiktokens", "cuts", "plaintext", "catalog", "find", "fingerprint"}
LIGHT |= {"cached", "choice", "families", "faults", "fetch", "fit", "hub", "machine", "room"}
HEAVY = {"torch", "transformers", "peft", "accelerate", "triton", "longread_kernels"}


@dataclass(frozen=True)
class Import:
    """``target`` is a dotted name. ``lazy`` is one inside a function, ``typing`` one for types alone."""

    source: str
    target: str
    line: int
    lazy: bool = False
    typing: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    """longread.memory.policy, from a path below the repository or below kernels/."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts[1:] if parts[0] == "kernels" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


CODE = sources("longread", "kernels/longread_kernels")
MODULES = {module_name(path) for path in CODE}
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in CODE}
# The start of an f-string counts too: f"longread.tasks.{name}".
DOTTED = re.compile(r"longread(_kernels)?(\.\w+)+(\.|:\w+)?")


def imports(path: Path, tree: ast.AST) -> Iterator[Import]:
    """Every import that ``path`` makes or names."""
    name = module_name(path)
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]

    def walk(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, node.lineno, lazy, typing)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(name, f"{whole}.{alias.name}", node.lineno, lazy, typing)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            yield Import(name, node.value.partition(":")[0].rstrip("."), node.lineno, True, False)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from walk(child, lazy, True)
            for child in node.orelse:
                yield from walk(child, lazy, typing)
            return
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, lazy, typing)

    yield from walk(tree, False, False)


def room(name: str) -> str | None:
    """The room of a dotted name; None for what is not ours."""
    first, *rest = name.split(".")
    if first == "longread_kernels":
        return "kernels"
    if first != "longread":
        return None
    if rest == ["__version__"]:
        return "open"
    below = {module.split(".")[1] for module in MODULES if module.startswith("longread.")}
    if not rest or rest[0] not in below or rest[0] == "__main__":
        return "face"
    return "open" if rest[0] in OPEN else rest[0]


def wrong(arrow: Import) -> bool:
    """Whether an arrow points up, or sideways into another room."""
    here, there = room(arrow.source), room(arrow.target)
    if there is None or here == there:
        return False
    if here == "kernels":
        return True
    if here == "reader":  # a text is a text whatever reads it
        return there != "open"
    if (here, there) == ("store", "reader"):  # what is kept are a document's passages
        return False
    return RANKS[there] >= RANKS[here]


ARROWS = [arrow for path, tree in TREES.items() for arrow in imports(path, tree)]


def test_every_room_has_its_place():
    assert {room(name) for name in MODULES} <= RANKS.keys()


def test_no_arrow_points_up():
    assert not [str(arrow) for arrow in ARROWS if wrong(arrow)]


@pytest.mark.parametrize(
    ("path", "code", "bad"),
    [
        ("longread/reader/x.py", "def f():\n    from longread.model import load", True),
        ("longread/model/x.py", "from ..memory.policy import make_policy", True),
        ("longread/memory/x.py", "if TYPE_CHECKING:\n    import longread.cli", True),
        ("longread/memory/x.py", "from longread import store", True),
        ("longread/memory/x.py", "from longread.reader.document import Block", True),
        ("longread/store/x.py", "from longread.reader.document import Document", False),
        ("longread/store/x.py", "from longread.memory import recall", True),
        ("longread/engine/x.py", "NAMES = {'a': 'longread.tasks.read:read'}", True),
        ("longread/engine/x.py", "load(f'longread.tasks.{name}')", True),
        ("longread/config.py", "from longread.model import catalog", True),
        ("longread/tasks/x.py", "from longread import summarize", True),
        ("kernels/longread_kernels/x.py", "import longread.errors", True),
        ("longread/cli/x.py", "from longread import __version__", False),
        ("longread/engine/x.py", "from longread.memory.policy import make_policy\nimport torch", False),
        ("longread/memory/x.py", "from . import policy\nfrom ..errors import ModelError", False),
        ("longread/reader/x.py", '"""longread.cli prints it."""', False),
    ],
)
def test_the_rule_can_tell(path, code, bad):
    found = [wrong(arrow) for arrow in imports(ROOT / path, ast.parse(code))]
    assert any(found) is bad


def test_what_must_be_light_imports_nothing_heavy():
    light = {f"longread.model.{name}" for name in LIGHT} & MODULES
    assert "longread.model.tokens" in light
    light |= {name for name in MODULES if room(name) in ("reader", "open", "face", "jobs", "cli")}
    heavy = [a for a in ARROWS if a.source in light and a.target.split(".")[0] in HEAVY and not a.typing]
    # What transformers alone can do may be asked of it where it is needed, but never torch.
    allowed = [
        a for a in heavy if a.lazy and a.target.split(".")[0] == "transformers" and room(a.source) == "model"
    ]
    assert not [str(arrow) for arrow in heavy if arrow not in allowed]


def test_light_modules_import_each_other_only():
    """An import of a heavy module of our own would bring torch in by the back door."""
    light = {f"longread.model.{name}" for name in LIGHT}
    for arrow in ARROWS:
        if (arrow.source in light or room(arrow.source) == "reader") and room(arrow.target) == "model":
            module = arrow.target if arrow.target in MODULES else arrow.target.rpartition(".")[0]
            assert module in light or (module == "longread.model" and arrow.target == module), str(arrow)


def test_insides_of_transformers_and_peft_stay_in_model():
    inside = re.compile(r"peft\b.*|transformers\.(modeling|masking|cache|integrations|models)\w*\b.*")
    outside = [a for a in ARROWS if inside.fullmatch(a.target) and room(a.source) != "model"]
    assert not list(map(str, outside))


def test_one_file_loads_models():
    callers = {
        module_name(path)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "from_pretrained"
    }
    assert callers == {"longread.model.load"}


def test_nothing_is_pickled_or_evaluated():
    banned = {"pickle", "shelve", "marshal", "dill"}
    assert not [str(a) for a in ARROWS if a.target.split(".")[0] in banned]
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "torch.load", "torch.save"), (
                    f"{path}:{node.lineno} {name}"
                )


@pytest.mark.parametrize(
    "path", sources("longread", "kernels", "tests", "docs"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_file_is_short(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST, f"{path.relative_to(ROOT)} has {lines} lines"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_public_says_what_it_is(path):
    tree = TREES[path]
    assert ast.get_docstring(tree), "the module says neither what it knows nor what it does not"
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent, silent
