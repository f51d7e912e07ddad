"""What README.md promises: its two commands, Python lines, links and tree; the commands of other pages."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Language and content of every fenced block, in order.
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("kernels/**/*.md")]
SHOWN = [ROOT / "README.md", ROOT / "docs" / "guides" / "asking.md", ROOT / "docs" / "reference" / "json.md"]


def commands() -> list[str]:
    """Every ``longread …`` in a shell block or in code within a line, of the pages ``SHOWN``."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in SHOWN)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    parts = [part.strip() for line in lines for part in re.split(r"&&|\|(?!\|)", line)]
    return sorted({part for part in parts if part.startswith("longread ")})


def test_the_first_block_is_two_commands():
    language, block = BLOCKS[0]
    first, second = block.splitlines()
    assert language == "sh"
    assert "pip install" in first and first.endswith("&& longread summarize sample:en")
    assert '".[test]"' in second and second.endswith("&& pytest")
    assert all("-c constraints.txt" in line for line in (first, second))


def test_python_is_four_lines_that_run(no_network, capsys):
    (code,) = (block for language, block in BLOCKS if language == "python")
    assert len(code.splitlines()) == 4
    assert ast.parse(code)
    found: dict = {}
    exec(compile(code, "README.md", "exec"), found)
    assert len(found["summary"].summary.split()) > 50
    assert 1 < found["score"].arms["sink"].perplexity < 10_240
    printed = capsys.readouterr().out
    assert found["summary"].summary in printed


@pytest.mark.parametrize("command", commands())
def test_its_commands_can_be_parsed(command):
    from longread.cli.app import parse

    assert callable(parse(shlex.split(command, comments=True)[1:]))


def test_there_are_commands():
    assert "longread summarize sample:en" in commands() and len(commands()) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_tree_is_true():
    (tree,) = (block for language, block in BLOCKS if language == "text" and block.startswith("longread/"))
    folder, named = "", []
    for line in tree.splitlines():
        name, caption = line.strip().split(None, 1)
        assert caption
        path = folder + name if line.startswith(" ") else name
        folder = folder if line.startswith(" ") else name
        named.append(path)
        assert (ROOT / path).exists(), path
    files = (path.relative_to(ROOT) for path in (ROOT / "longread").rglob("*") if path.is_file())
    rooms = {
        f"longread/{path.parts[1]}/"
        for path in files
        if len(path.parts) > 2 and "__pycache__" not in path.parts
    }
    assert rooms == {path for path in named if path.startswith("longread/") and path != "longread/"}


def test_numbers_of_the_bundled_model_are_its_own():
    import math

    from safetensors import safe_open

    with safe_open(ROOT / "longread" / "pocket" / "model.safetensors", "np") as weights:
        count = sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    card = (ROOT / "longread" / "pocket" / "README.md").read_text(encoding="utf-8")
    assert f"{count:,}" in card
    assert f"{count / 1e6:.1f} million parameters" in README
