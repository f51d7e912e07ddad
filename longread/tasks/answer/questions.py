"""Questions from a file: one a line, or the ``question`` of each table of a TOML file.

Knows the two forms. Knows nothing of answers.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longread.errors import InputError


def questions_in(path: str) -> list[str]:
    """The questions in the file at ``path``, in their order; ``InputError`` where it holds none.

    In a file called ``.toml`` every table with a ``question`` counts, whatever it is called. In any other
    file each line is one; empty lines and lines that begin with # are left out.
    """
    file = Path(os.path.expanduser(path))
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "name a file of questions") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "save the questions as UTF-8") from None
    if file.suffix.lower() == ".toml":
        try:
            found = list(_asked(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            raise InputError(
                f"{path} is not valid TOML: {error}", 'write tables with a line question = "…"'
            ) from None
    else:
        found = [line.strip() for line in text.splitlines()]
        found = [line for line in found if line and not line.startswith("#")]
    if not found:
        raise InputError(f"{path} holds no question", "write one a line")
    return found


def _asked(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("question"), str) and value["question"].strip():
            yield value["question"].strip()
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _asked(item)
