"""The catalogue: what is known of a model before it is loaded.

Knows names, licences and what each listed model is trusted with. Knows no weights.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

# A model that is not listed is trusted from this size on, if it has a chat template.
TRUSTED_FROM = 300_000_000


@dataclass(frozen=True)
class Trust:
    """What a model may be asked to do, and how that is said in a line."""

    writes: bool
    answers: bool
    translates: bool
    chats: bool
    says: str


@dataclass(frozen=True)
class Entry:
    """One listed model. ``folder`` is set for a bundled one, relative to the package."""

    name: str
    licence: str
    parameters: int
    languages: tuple[str, ...]
    window: int
    trust: Trust
    folder: str | None = None
    learned_sink: str | None = None


@cache
def catalogue() -> dict[str, Entry]:
    """The listed models by name."""
    text = resources.files("longread.model").joinpath("catalog.toml").read_text(encoding="utf-8")
    entries = {}
    for name, item in tomllib.loads(text).items():
        trust = Trust(*(item.pop(key) for key in ("writes", "answers", "translates", "chats", "says")))
        entries[name] = Entry(name, trust=trust, languages=tuple(item.pop("languages")), **item)
    return entries


def trust_in(entry: Entry | None, parameters: int, has_template: bool) -> Trust:
    """What a model is trusted with: as listed, else by size and template."""
    if entry is not None:
        return entry.trust
    if parameters >= TRUSTED_FROM and has_template:
        return Trust(True, True, True, True, "not in the catalogue, large enough to write")
    why = (
        "has no chat template" if parameters >= TRUSTED_FROM else f"has {parameters / 1e6:,.0f} M parameters"
    )
    return Trust(
        False, False, False, False, f"not in the catalogue and {why}: quotes the book, does not write"
    )
