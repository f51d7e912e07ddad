"""The catalogue: what is known of a model before it is on this machine.

Knows names, licences, what each listed model is trusted with and what was checked of it:
the package's own list, and the user's ``models.toml`` beside ``config.toml``. Knows no
weights and no machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from longread.config import read_table
from longread.errors import UsageError
from longread.places import config_file

# A model that is not listed is trusted from this size on, if it has a chat template.
TRUSTED_FROM = 300_000_000
CHECKED = ("run", "shape", "config", "card", "")
_REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Trust:
    """What a model may be asked to do, and how that is said in a line; ``limit`` is what it translates even
    so, where it is not trusted to."""

    writes: bool
    answers: bool
    translates: bool
    chats: bool
    says: str
    limit: str = ""


@dataclass(frozen=True)
class Entry:
    """One listed model.

    ``folder`` is set for a bundled one, relative to the package, ``repo`` for one of the hub.
    ``window`` is the trained length in tokens. ``shape`` holds figures of its config.json
    under their names there, ``checked`` what was checked of it (catalog.toml says how far),
    ``best`` the kind of machine that it is recommended for. ``own``: from the user's own file.
    """

    name: str
    trust: Trust
    licence: str = "unknown"
    parameters: int = 0
    languages: tuple[str, ...] = ()
    window: int = 0
    folder: str | None = None
    repo: str | None = None
    learned_sink: str | None = None
    best: str = ""
    checked: str = ""
    tokens_a_word: float | None = None  # of English; None where its tokenizer was not tried
    shape: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False


def catalogue() -> dict[str, Entry]:
    """The listed models by name, the package's first; the user's entry where both have one."""
    return _package() | _user()


def listed(name: str) -> Entry | None:
    """The entry called ``name``, or of the repository ``name`` on the hub; None where there is none."""
    entries = catalogue()
    if name in entries:
        return entries[name]
    return next((e for e in entries.values() if e.repo and e.repo.lower() == name.lower()), None)


@cache
def _package() -> dict[str, Entry]:
    text = resources.files("longread.model").joinpath("catalog.toml").read_text(encoding="utf-8")
    return {name: _entry(name, item, "catalog.toml") for name, item in tomllib.loads(text).items()}


def _user() -> dict[str, Entry]:
    """What stands in models.toml; UsageError names the file and the place where it is wrong."""
    path = config_file().with_name("models.toml")
    table = read_table(path, 'a table such as [mine] with repo = "owner/name"')
    return {name: _entry(name, item, str(path), own=True) for name, item in table.items()}


_TRUST = ("writes", "answers", "translates", "chats")
_KINDS: dict[str, type] = {
    **dict.fromkeys(("licence", "repo", "learned_sink", "best", "checked", "says", "limit"), str),
    **dict.fromkeys(("parameters", "window"), int),
    **dict.fromkeys(_TRUST, bool),
    "tokens_a_word": float,
    "languages": list,
    "shape": dict,
}


def _entry(name: str, item: Any, where: str, own: bool = False) -> Entry:
    """One table of a catalogue file, each key checked."""
    if not isinstance(item, dict):
        raise UsageError(f"{where}: {name} is no table", f"begin a model with a line [{name}]")
    kinds = _KINDS if own else _KINDS | {"folder": str}
    for key, value in item.items():
        if key not in kinds:
            raise UsageError(f"{where}, {name}: there is no key {key!r}", f"the keys are {', '.join(kinds)}")
        if not isinstance(value, kinds[key]) or (
            kinds[key] is int and (isinstance(value, bool) or value < 0)
        ):
            word = {
                bool: "true or false",
                int: "a whole number",
                float: "a number",
                list: "a list of codes",
                dict: "a table",
            }
            raise UsageError(
                f"{where}, {name}: {key} = {value!r} is not allowed", f"give {word.get(kinds[key], 'a text')}"
            )
    if own and not _REPO.fullmatch(item.get("repo", "")):
        raise UsageError(f"{where}, {name}: the key repo is missing or wrong", 'write repo = "owner/name"')
    if item.get("checked", "") not in CHECKED:
        raise UsageError(f"{where}, {name}: checked = {item['checked']!r} is not allowed", "leave it out")
    fields = {key: value for key, value in item.items() if key not in (*_TRUST, "says", "limit")}
    fields["languages"] = tuple(map(str, item.get("languages", ())))
    # Who lists a model by hand trusts it, unless the entry says otherwise.
    flags = [item.get(key, own) for key in _TRUST]
    said = ", ".join(key for key, flag in zip(_TRUST, flags, strict=True) if flag)
    says = item.get("says") or said or "quotes the book, does not write"
    return Entry(name, Trust(*flags, says, item.get("limit", "")), own=own, **fields)


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
