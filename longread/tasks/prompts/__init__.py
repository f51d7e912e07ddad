"""What models are told, in files: one ``NAME.toml`` a prompt, with ``system`` and ``user``.

Knows how a prompt is filled in: ``{field}`` in the file, never in what is put there.
Knows no model and no task.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from longread.reader.language import base_language


@dataclass(frozen=True)
class Prompt:
    """A prompt with gaps. ``fill(field="…")`` returns its system and user texts, stripped."""

    system: str
    user: str

    def fill(self, **fields: object) -> tuple[str, str]:
        """Both texts with every ``{field}`` filled in one pass: braces in the values stay as they are."""
        return self.system.format_map(fields).strip(), self.user.format_map(fields).strip()


@cache
def prompt(name: str) -> Prompt:
    """The prompt in ``NAME.toml``; FileNotFoundError where there is none."""
    return Prompt(**_table(f"{name}.toml"))


def language_name(code: str) -> str:
    """What prompts call the language ``code`` (BCP 47): "Simplified Chinese"; the code itself if unknown."""
    names = _table("languages.toml")
    return names.get(code) or names.get(base_language(code)) or code


@cache
def _table(file: str) -> dict[str, str]:
    text = resources.files("longread.tasks.prompts").joinpath(file).read_text(encoding="utf-8")
    return tomllib.loads(text)
