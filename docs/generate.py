"""Writes docs/reference/ from the code, so that the reference cannot drift from the program.

    python docs/generate.py            write the files
    python docs/generate.py --check    write nothing; exit code 1 where a file is out of date

Knows the settings, the commands, the errors and the families of models.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from longread import errors
from longread.cli.app import ALIASES, commands
from longread.cli.options import OUTPUT
from longread.config import SHARED, Setting
from longread.model.families import FAMILIES, Family

FOLDER = Path(__file__).parent / "reference"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def flags(setting: Setting) -> str:
    names = [f"-{setting.short}"] if setting.short else []
    names.append(setting.flag)
    if setting.kind is bool and setting.default:
        names.append(f"--no-{setting.name}")
    return ", ".join(f"`{name}`" for name in names)


def allowed(setting: Setting) -> str:
    choices = () if callable(setting.choices) else setting.choices
    return "" if setting.kind is bool else f"`{setting.metavar or '|'.join(choices)}`"


def default(setting: Setting) -> str:
    value = "auto" if setting.auto and setting.default is None else setting.default
    if setting.kind is bool:
        return "on" if value else ""
    if value is None:
        return ""
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


def option_table(settings: Iterable[Setting], stored: bool = False) -> str:
    head = ("option", "value", "default", *(("environment",) if stored else ()), "what it does")
    rows = [
        (flags(s), allowed(s), default(s), *((f"`{s.variable}`",) if stored else ()), s.help)
        for s in settings
    ]
    return table(head, rows)


def option_row(param: Any) -> tuple[str, str]:
    """A subcommand's own option: its names and value, then what it does."""
    value = "" if param.is_flag else f" `{param.metavar}`"
    return ", ".join(f"`{name}`" for name in param.opts) + value, param.help or ""


def usage(name: str, command: Any) -> str:
    """How a command is typed: its name and its arguments, those that may be left out in brackets."""
    words = [p for p in command.params if p.param_type_name == "argument"]
    said = [p.metavar or p.name.upper() for p in words]
    return " ".join(
        [name, *(word if p.required else f"[{word}]" for p, word in zip(words, said, strict=True))]
    )


def exit_codes() -> str:
    rows = {0: "done"}
    base = errors.LongreadError
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, base)]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        said = (kind.__doc__ or "").strip().splitlines()[0]
        rows[kind.exit_code] = f"{rows[kind.exit_code]} {said}" if kind.exit_code in rows else said
    return table(("code", "meaning"), ((str(code), text) for code, text in rows.items()))


def reference() -> str:
    """The whole of cli.md."""
    parts = [
        "# The command line",
        "<!-- Made by docs/generate.py from the code. Do not edit. -->",
        "FILE is a path, `-` for the pipe, or a bundled text: `sample:en`, a novella, or `sample:zh`, a "
        "Chinese story. Without FILE a command reads the pipe.",
    ]
    for name, command in commands().items():
        spelled = "".join(f" (also `{other}`)" for other, known in ALIASES.items() if known == name)
        parts += [f"## longread {name}{spelled}"]
        if not hasattr(command, "commands"):
            parts.append(f"    longread {usage(name, command)}")
        parts.append(command.help or "")
        if hasattr(command, "commands"):
            rows = [(f"`{name} {usage(key, sub)}`", sub.help or "") for key, sub in command.commands.items()]
            parts.append(table(("command", "what it does"), rows))
            options = [
                (f"`{name} {key}`", *option_row(param))
                for key, sub in command.commands.items()
                for param in sub.params
                if param.param_type_name == "option"
                and param.name != "help"
                and not hasattr(sub.callback, "settings")
            ]
            if options:
                parts.append(table(("command", "option", "what it does"), options))
        elif not hasattr(command.callback, "settings"):  # a command that reads no text
            rows = [
                option_row(p) for p in command.params if p.param_type_name == "option" and p.name != "help"
            ]
            parts.append(table(("option", "what it does"), rows))
        else:
            own = [setting for setting in command.callback.settings if setting.panel == "Options"]
            if own:
                parts.append(option_table(own))
    parts += [
        "## Options of summarize, ask, translate, continue, score and read",
        option_table(OUTPUT),
        "## Shared options",
        "A flag takes precedence over the environment, the environment over `config.toml`, that file over "
        "the default. The key in `config.toml` is the option's name: `longread config set rank 8`.",
        option_table([setting for setting in SHARED if setting.panel != "Advanced"], stored=True),
        "### Advanced: how the text is kept while it is read",
        option_table([setting for setting in SHARED if setting.panel == "Advanced"], stored=True),
        "## Exit codes",
        exit_codes(),
    ]
    return "\n\n".join(parts) + "\n"


def treatment(family: Family) -> str:
    """How a text is read with a family, and why where that is not the best there is."""
    if family.refused:
        return f"refused: {family.refused}"
    return f"in chunks: {family.chunks}" if family.chunks else "keys kept"


def models() -> str:
    """The whole of models.md."""
    rows = ((f.name, f"`{f.kind}`", treatment(f), f.tried) for f in FAMILIES)
    parts = [
        "# Families of models",
        "<!-- Made by docs/generate.py from longread/model/families.py. Do not edit. -->",
        "Each family is tried from end to end with a small random model of its own (`pytest "
        "tests/model/test_every_family.py`): a text is read with an adapter, stopped, taken up and scored, a "
        "prompt in a chat template is written on, and what comes is held against the family's stock forward.",
        "**Keys kept**: the keys and values of the first tokens and of a rolling window stay, at "
        "StreamingLLM's positions. **In chunks**: each block is run behind as much of the text before it as "
        "fits the window, without a cache; the adapter learns all the same. The program says so in a line. A "
        "model that is not listed is compared with its own forward before it is used, and read in chunks "
        "where the two do not agree; so is a listed one.",
        table(("family", "model type", "a text is read with", "what the tests exercise"), rows),
    ]
    return "\n\n".join(parts) + "\n"


PAGES = {"cli.md": reference, "models.md": models}


def main(arguments: list[str]) -> int:
    old = 0
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if "--check" not in arguments:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"{name} is out of date: run python docs/generate.py", file=sys.stderr)
            old = 1
    return old


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
