"""What an installation must hold, and what importing it must not do."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_kernels_is_a_folder_and_no_package():
    assert (ROOT / "kernels").is_dir()
    assert not (ROOT / "kernels" / "__init__.py").exists()
    # transformers asks for a package of that name; a package of ours would be taken for it.
    spec = importlib.util.find_spec("kernels")
    assert spec is None or spec.origin is None or ROOT not in Path(spec.origin).parents


def test_both_packages_import():
    import longread_kernels

    import longread

    assert longread.__doc__ and longread_kernels.__doc__


def test_the_version_is_written_once():
    pattern = PROJECT["tool"]["hatch"]["version"]["pattern"]
    written = re.findall(pattern, (ROOT / "longread" / "__init__.py").read_text(encoding="utf-8"))
    assert len(written) == 1
    assert "version" not in PROJECT["project"]
    try:
        assert metadata.version("longread") == written[0]
    except metadata.PackageNotFoundError:
        pytest.skip("longread is not installed")


@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("pocket/model.safetensors", 10_000_000),
        ("pocket/tokenizer.json", 100_000),
        ("pocket/tokenizer_config.json", 100),
        ("pocket/config.json", 100),
        ("pocket/generation_config.json", 10),
        ("pocket/chat_template.jinja", 10),
        ("pocket/README.md", 500),
        ("samples/the_mud_book.txt", 50_000),
        ("samples/facts.toml", 1_000),
        ("samples/the_piano_zh.txt", 10_000),
        ("samples/the_piano_zh_in_english.txt", 10_000),
        ("samples/facts_zh.toml", 1_000),
        ("samples/names_zh.tsv", 100),
        ("samples/README.md", 100),
        ("model/catalog.toml", 100),
    ],
)
def test_data_is_where_the_package_is(file, least):
    data = resources.files("longread").joinpath(*file.split("/")).read_bytes()
    assert len(data) >= least


def test_data_is_not_ignored():
    """Hatchling leaves out what .gitignore names."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for ending in ("safetensors", "json", "jinja", "toml", "tsv", "txt", "md"):
        assert not [line for line in ignored if line.endswith("." + ending)]


def heavy_modules(code: str) -> list[str]:
    """Which heavy libraries a fresh interpreter has loaded after ``code``."""
    heavy = ("torch", "transformers", "peft", "accelerate", "triton", "tokenizers", "tiktoken", "numpy")
    path = json.dumps([str(ROOT), str(ROOT / "kernels")])
    script = f"import sys; sys.path[:0] = {path}\n{code}\nprint([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", timeout=240, check=True
    )
    return ast.literal_eval(found.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import longread",
        "import longread.cli",
        "from longread.cli.app import program; program()",
        "from longread.cli import main; main(['--help'])",
        "from longread import summarize",
        "import longread.errors, longread.config, longread.events, longread.places",
    ],
)
def test_importing_loads_nothing_heavy(code):
    assert heavy_modules(code) == []


@pytest.mark.parametrize(
    "module", ["reader", "model.tokens", "model.find", "model.catalog", "tasks.plan", "cli.chat.loop"]
)
def test_what_needs_no_torch_loads_none(module):
    assert not {"torch", "transformers", "peft"} & {*heavy_modules(f"import longread.{module}")}


RECIPE = {"sacrebleu"}  # what evaluating the bundled model needs beside; in the extra for tests
SOLD_AS = {"docx": "python_docx"}  # what is imported under another name than it is installed under


def imported() -> set[str]:
    """Top-level names that the program imports, as they are installed."""
    names = set()
    for path in [*(ROOT / "longread").rglob("*.py"), *(ROOT / "kernels" / "longread_kernels").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split(".")[0])
    names = {SOLD_AS.get(name, name) for name in names}
    return names - {*sys.stdlib_module_names, "longread", "longread_kernels", "__future__"}


def listed(requirements: list[str]) -> dict[str, str]:
    """Names and lower bounds, as imported: charset_normalizer."""
    found = {}
    for line in requirements:
        name = re.match(r"[A-Za-z0-9_.-]+", line)
        least = re.search(r">=\s*([0-9.]+)", line)
        assert name
        found[name[0].replace("-", "_").lower()] = least[1] if least else ""
    return found


def test_what_is_imported_is_required():
    required = listed(PROJECT["project"]["dependencies"])
    assert imported() - RECIPE <= {*required}
    assert {*listed(PROJECT["project"]["optional-dependencies"]["test"])} >= RECIPE
    assert all(required.values()), "a dependency without a lower bound"


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "every line is name==version"
    return {name.replace("-", "_").lower(): version for name, version in pins}


def test_constraints_pin_whatever_is_required():
    pins = constraints()
    extras = PROJECT["project"]["optional-dependencies"]
    required = listed([*PROJECT["project"]["dependencies"], *extras["test"], *extras["gpu"]])
    assert {*required} <= {*pins}
    assert {name for name in listed(extras["dev"]) if name != "longread"} <= {*pins}
    assert not [version for version in pins.values() if "+" in version]
    # What torch's wheel on PyPI asks for by name and number.
    assert (pins["torch"], pins["triton"]) == ("2.13.0", "3.7.1")
    for name, least in required.items():
        assert numbers(least) <= numbers(pins[name]), name


def test_the_lower_bounds_are_those_promised():
    required = listed(PROJECT["project"]["dependencies"])
    assert numbers(required["torch"]) <= (2, 11)
    assert numbers(required["transformers"]) <= (5, 17)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def test_the_licence_is_there():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"
