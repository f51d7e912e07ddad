"""The text of ``--help`` and of ``longread`` alone.

Knows how to lay out options in any width, in panels. Knows nothing of what they do.
Typer's own Rich help takes 0.2 s more to load and breaks up at 20 columns.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

Row = tuple[str, str]


def width() -> int:
    """Columns to use: COLUMNS, or the terminal's, at most 100."""
    return max(10, min(100, shutil.get_terminal_size((80, 24)).columns))


def page(usage: str, about: str, panels: Iterable[tuple[str, Sequence[Row]]], end: str = "") -> str:
    """A whole help text: usage, what the command does, panels of options, a last paragraph."""
    room = width()
    parts = [_fill(usage, room, "Usage: ", " " * 4)]
    parts += [_fill(paragraph, room) for paragraph in about.split("\n\n")]
    panels = [(title, rows) for title, rows in panels if rows]
    # One column for all panels, so that the eye can run down it.
    left = min(max((len(name) for _, rows in panels for name, _ in rows), default=0), 30) + 4
    parts += [f"{title}:\n{_rows(rows, left, room)}" for title, rows in panels]
    parts += [_fill(paragraph, room) for paragraph in end.split("\n\n") if paragraph]
    return "\n\n".join(parts) + "\n"


def command_page(command: Any, ctx: Any) -> str:
    """``--help`` of one command: its options in the panels that they name."""
    panels: dict[str, list[Row]] = {"Options": []}
    usage = [ctx.command_path, "[OPTIONS]"]
    for param in command.get_params(ctx):
        if param.param_type_name == "argument":
            name = param.metavar or param.name.upper()
            usage.append(name if param.required else f"[{name}]")
        elif not param.hidden:
            panels.setdefault(param.rich_help_panel or "Options", []).append(option_row(param))
    # ``--help`` is an option like any other, and stands where the shared ones do.
    for title in [title for title in ("Shared options",) if title in panels]:
        panels[title].append(panels["Options"].pop())
    return page(" ".join(usage), command.help or "", panels.items(), command.epilog or "")


def group_page(group: Any, ctx: Any) -> str:
    """``--help`` of a group: its commands, then its own options."""
    commands = [(name, group.commands[name].get_short_help_str(200)) for name in group.list_commands(ctx)]
    options = [option_row(param) for param in group.get_params(ctx) if param.param_type_name == "option"]
    usage = f"{ctx.command_path} COMMAND [ARGUMENTS]"
    return page(usage, group.help or "", [("Commands", commands), ("Options", options)], group.epilog or "")


def _fill(text: str, room: int, first: str = "", rest: str = "") -> str:
    if text.startswith("    "):  # examples keep their lines
        return text
    return textwrap.fill(
        " ".join(text.split()), room, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _rows(rows: Sequence[Row], left: int, room: int) -> str:
    """Names in ``left`` columns, help beside them; below each other where that is too narrow."""
    out = []
    for name, text in rows:
        if room - left < 24:
            out += [_fill(name, room, "  ", "    "), *([_fill(text, room, "    ", "    ")] if text else [])]
        elif len(name) + 4 > left:
            out += [f"  {name}", _fill(text, room, " " * left, " " * left)]
        else:
            out.append(_fill(text, room, f"  {name}".ljust(left), " " * left) if text else f"  {name}")
    return "\n".join(line.rstrip() for line in out)


def option_row(option: Any) -> Row:
    """A Typer option's names and help. ``show_default`` carries the default in words."""
    short = [name for name in option.opts if not name.startswith("--")]
    long = [name for name in option.opts if name.startswith("--")]
    names = ", ".join([*short, "/".join([*long, *option.secondary_opts])])
    names = names if short else f"    {names}"
    if not option.is_flag and option.metavar:
        names += f" {option.metavar}"
    default = option.show_default if isinstance(option.show_default, str) else ""
    return names, f"{option.help or ''}{f' [{default}]' if default else ''}"
