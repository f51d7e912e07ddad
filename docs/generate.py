"""Writes docs/reference/ from the code, so that the reference cannot drift from the program.

    python docs/generate.py            write the files
    python docs/generate.py --check    write nothing; exit code 1 where a file is out of date

Knows the settings, the commands and the errors. Invents no text of its own beyond headings.
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

TARGET = Path(__file__).parent / "reference" / "cli.md"


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
        parts += [f"## longread {name}{spelled}", command.help or ""]
        if hasattr(command, "commands"):
            rows = [(f"`{name} {key}`", sub.help or "") for key, sub in command.commands.items()]
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


def main(arguments: list[str]) -> int:
    text = reference()
    if "--check" in arguments:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        if not same:
            print(f"{TARGET.name} is out of date: run python docs/generate.py", file=sys.stderr)
        return 0 if same else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
