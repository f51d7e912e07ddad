"""The prompt of a chat: editing, history, completion, a status line. The only user of prompt_toolkit.

Knows keys and how lines are typed. Knows nothing of what they mean beyond the names of
commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import create_output

from ...tasks.chat.commands import COMMANDS
from ...tasks.chat.replies import Status
from ..render.chat import status_line
from .history import PrivateHistory


class Prompt:
    """Asks for one turn after the other on the terminal ``stream``. Without ``save`` what is typed
    is remembered until the end and not written anywhere."""

    person = True

    def __init__(self, stream: Any, save: bool) -> None:
        history: History = PrivateHistory() if save else InMemoryHistory()
        self._status = Status("", 0.0, None, False, None)
        self._session: PromptSession[str] = PromptSession(
            "> ",
            history=history,
            completer=Names(),
            complete_while_typing=False,
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation="  ",
            bottom_toolbar=lambda: status_line(self._status, self._session.output.get_size().columns),
            output=create_output(stdout=stream),
        )

    def read(self, status: Status) -> str:
        self._status = status
        return self._session.prompt()


def _keys() -> KeyBindings:
    """Enter sends, unless a backslash stands before it; Esc Enter begins a new line."""
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)  # while searching Enter takes what was found

    @keys.add("enter", filter=typing)
    def _(event: Any) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    def _(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    return keys


class Names(Completer):
    """Completes /commands, the words that they allow, and file names."""

    def __init__(self) -> None:
        self._files = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, *rest = re.split(r"\s", text[1:], maxsplit=1)
        if not rest:
            for command in COMMANDS.values():
                if command.name.startswith(name):
                    yield Completion(command.name, -len(name), display_meta=command.help)
            return
        found = COMMANDS.get(name)
        if found is None:
            return
        argument = rest[0].lstrip()
        for word in (*found.choices, *(("sample:en", "sample:zh") if found.name == "open" else ())):
            if argument and word.startswith(argument):
                yield Completion(word, -len(argument))
            elif not argument and found.choices:
                yield Completion(word)
        if found.files:
            yield from self._files.get_completions(Document(argument), complete_event)
