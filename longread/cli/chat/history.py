"""What was typed in earlier chats, in a file that its owner alone can read.

Knows one line of JSON for each thing typed, whatever line breaks are in it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

from ...places import data_dir, private_dir

_LATEST = 1_000_000  # bytes of it that are read


class PrivateHistory(History):
    """The newest first when loaded. A file that cannot be read or written is no reason not to chat."""

    @property
    def path(self) -> Path:
        return data_dir() / "chat-history.jsonl"

    def load_history_strings(self) -> Iterable[str]:
        """What was typed, the latest first."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LATEST))
                lines = file.read().splitlines()
        except OSError:
            return
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, str):
                    yield value

    def store_string(self, string: str) -> None:
        """Append ``string``, with one call, so that two chats do not mix their lines."""
        with contextlib.suppress(OSError):
            private_dir(self.path.parent)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, (json.dumps(string) + "\n").encode("ascii"))
            finally:
                os.close(handle)
