"""The reading of a text made before, and what a job that asks about the text takes over from it.

Knows which saved reading counts and where the questions put to it are noted. Knows nothing
of how a reading is made or what its tensors mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from longread.config import BY_NAME, Options
from longread.errors import LongreadError
from longread.events import Event, Note
from longread.model.find import find_model
from longread.reader.document import Document
from longread.store import files
from longread.store.library import Library
from longread.store.reading import Reading

# The options that a reading fixes: the flag, and the field of Memory.
_SIZES = {
    "block": "block", "window": "window", "sinks": "sinks", "learn": "learn", "recipe": "recipe",
    "rank": "rank", "lr": "rate",
}  # fmt: skip


class Place(Protocol):
    """A passage that was shown."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def former(document: Document, options: Options) -> Reading | None:
    """The saved reading that questions about ``document`` go by; None where there is none.

    Of those that were made as the flags say, one of the whole text comes before one of a
    part, a complete one before one that was stopped, then the one used last. With
    ``--fresh`` or ``--no-save`` none counts.
    """
    if options.fresh or not options.save:
        return None
    fitting = [one for one in Library().for_text(document.sha256) if taken(options, one) is not None]
    return min(fitting, key=_rank, default=None)


def _rank(one: Reading) -> tuple[bool, bool, bool]:
    save = one.newest()
    return one.outdated, one.key.get("part") is not None, not (save and save.record.get("complete"))


def taken(options: Options, one: Reading) -> Options | None:
    """``options`` with the model and sizes of ``one``; None where a flag names others.

    None also where a value in the manifest is not what its option allows: a manifest is a
    file like any other.
    """
    model, memory = one.manifest.get("model"), one.manifest.get("memory")
    if not isinstance(model, dict) or not isinstance(memory, dict):
        return None
    found: dict[str, Any] = {
        "model": model.get("given", model.get("name")),
        "dtype": one.manifest.get("dtype"),
    }
    found |= {flag: memory.get(name) for flag, name in _SIZES.items()}
    wanted = {"model": options.model, "dtype": options.dtype}
    wanted |= {flag: getattr(options.memory, name) for flag, name in _SIZES.items()}
    try:
        found = {flag: BY_NAME[flag].parse(value, flag) for flag, value in found.items()}
    except LongreadError:
        return None
    if any(value is None for flag, value in found.items() if flag != "lr"):
        return None
    for flag in options.named & found.keys():
        if wanted[flag] not in (None, "auto", found[flag]) and not _same(flag, wanted[flag], found[flag]):
            return None
    sizes = {name: found[flag] for flag, name in _SIZES.items()}
    memory = replace(options.memory, **sizes)
    return replace(options, model=found["model"], dtype=found["dtype"], memory=memory)


def _same(flag: str, one: Any, other: Any) -> bool:
    """Whether two names are of the same folder."""
    return flag == "model" and os.path.abspath(os.path.expanduser(one)) == other


def take_over(document: Document, options: Options) -> Generator[Event, None, tuple[Reading | None, Options]]:
    """Say what is to be said of the text's saved reading; returns it, and the options to go by."""
    one = former(document, options)
    settled = taken(options, one) if one else None
    if one is None or settled is None:
        return None, options
    name = one.id[:8]
    if one.outdated:
        save = one.newest()
        cost = f"{save.record['tokens']:,} tokens" if save else "the whole text"
        yield Note(
            f"its saved reading {name} was made by an older version and stays as it is; "
            f"`longread read` makes a new one, which costs {cost}"
        )
    if settled.model != options.model:
        try:
            find_model(settled.model)
        except LongreadError as error:
            yield Note(f"its saved reading {name} was made with another model: {error}", "warning")
            return one, options
        yield Note(f"with {settled.model}, which its saved reading {name} was made with; -m takes another")
    return one, settled


def note_asked(one: Reading | None, question: str, shown: Iterable[Place]) -> None:
    """Add a question and the places shown for it to the reading, for the map of the book.

    Nothing hangs on it: where it cannot be written it is left out.
    """
    if one is None:
        return
    record = {"question": question, "evidence": [{"start": hit.start, "end": hit.end} for hit in shown]}
    # What a terminal could not decode comes as half a character.
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    with suppress(OSError):
        files.append(one.folder / "asked.jsonl", line)
