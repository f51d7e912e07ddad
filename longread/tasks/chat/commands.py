"""What can be typed in a chat: /commands, and everything else.

Knows their names, what each takes and how a line is told apart. Runs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from longread.config import suggestion
from longread.errors import UsageError


@dataclass(frozen=True)
class Command:
    """One command. ``takes`` is how its argument is written, in brackets where it may be left out;
    ``choices`` are the words that it allows, ``files`` that it names one."""

    name: str
    takes: str
    help: str
    choices: tuple[str, ...] = ()
    files: bool = False

    @property
    def needs(self) -> bool:
        """Whether it makes no sense alone."""
        return bool(self.takes) and not self.takes.startswith("[")


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command("help", "", "this list"),
        Command("open", "FILE", "talk about another book; this chat stays saved", files=True),
        Command("ask", "QUESTION", "answer with passages, as longread ask does"),
        Command("summary", "[short|medium|long]", "summarize the book; reads all of it",
                choices=("short", "medium", "long")),
        Command("continue", "[TEXT]", "let the model write on from TEXT, or from where text or talk ends"),
        Command("evidence", "", "the passages behind the last answer"),
        Command("learn", "on|off", "read the book, and what you say, with an adapter that learns; "
                "off puts it aside", choices=("on", "off")),
        Command("status", "", "book, share read, window, adapter, where this is saved"),
        Command("undo", "", "take the last turn back"),
        Command("export", "FILE", "write the conversation to a file", files=True),
        Command("model", "[NAME|PATH]", "what this model is, or go on with another", files=True),
        Command("quit", "", "leave; so does Ctrl-D"),
    )
}  # fmt: skip


def parse(line: str) -> tuple[str, str]:
    """The command in ``line`` and its argument; an empty name where the line is not a command.

    Two slashes begin a line that starts with one. ``UsageError`` for a command that does
    not exist, lacks its argument, or takes none.
    """
    line = line.strip()
    if line.startswith("//"):
        return "", line[1:]
    if not line.startswith("/"):
        return "", line
    # At any white space: a tab, a line end, a full-width space.
    name, argument = (*re.split(r"\s+", line[1:], maxsplit=1), "")[:2]
    command = COMMANDS.get(name)
    if command is None:
        near = suggestion(name, COMMANDS)
        raise UsageError(
            f"there is no command /{name}", near.replace("mean ", "mean /") or "/help lists them"
        )
    if command.needs and not argument:
        raise UsageError(f"/{name} needs {command.takes}", f"type /{name} {command.takes}")
    if argument and not command.takes:
        raise UsageError(f"/{name} takes nothing after it", f"type /{name} alone")
    if command.choices and argument and argument not in command.choices:
        raise UsageError(f"/{name}: {argument!r} is not allowed", f"type /{name} {command.takes}")
    return name, argument
