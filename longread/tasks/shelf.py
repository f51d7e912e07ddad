"""What a reading on disk says of itself: its size, its age, its figures along the book.

Knows manifests, saves and what was asked, and takes no field of them on trust: what is
missing or of the wrong kind counts as unknown. Knows no model and needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from longread.events import private
from longread.store import files, saves
from longread.store.reading import Reading
from longread.tasks.surprisal import Blocks, Sampled

PIECES = 20  # of the book, each with a figure and a mark: 20 columns hold them


@dataclass(frozen=True)
class Entry:
    """A reading as ``readings list`` tells of it.

    ``share`` is how much of the book was read, 0 to 1. ``perplexity`` is of all that was read and scored
    before it was learned; ``sampled`` compares the adapter with the model alone. ``damage`` says why the
    reading cannot be used ("" for nothing), ``problems`` what of it is lost. Times are UTC, None if unknown.
    """

    id: str
    path: str
    title: str
    author: str
    language: str
    file: str
    model: str
    bytes: int
    created: str | None
    updated: str | None
    share: float
    complete: bool
    blocks: int
    tokens: int
    learned: int
    perplexity: float | None
    sampled: Sampled | None
    outdated: bool
    damage: str
    problems: tuple[str, ...]

    def age(self, now: datetime) -> float | None:
        """Seconds since something was last saved in it."""
        return (now - datetime.fromisoformat(self.updated)).total_seconds() if self.updated else None


@dataclass(frozen=True)
class Stretch:
    """A chapter or a twentieth of the book: characters [start, end).

    ``bits`` is its surprisal, the mean over its tokens of -log2 p, None where nothing was read; ``read`` how
    much of it was, 0 to 1; ``evidence`` how many passages that begin in it were shown as evidence.
    """

    title: str
    start: int
    end: int
    bits: float | None
    read: float
    evidence: int


@dataclass(frozen=True)
class Asked:
    """A question and the places in the book, characters [start, end), that were found for it."""

    question: str
    evidence: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Account(Entry):
    """All that ``readings show`` knows: the entry, the manifest's rest, and figures along the book."""

    source: str = ""
    format: str = ""
    encoding: str = ""
    characters: int = 0
    sha256: str = ""
    parameters: int = 0
    weights: str = ""
    memory: dict[str, Any] = field(default_factory=dict)
    part: tuple[int, int] = (0, 0)
    dtype: str = ""
    device: str = ""
    threads: int = 0
    longread: str = ""
    adapter_sha256: str | None = None
    along: tuple[Stretch, ...] = ()
    chapters: tuple[Stretch, ...] = ()
    asked: tuple[Asked, ...] = ()
    columns: Blocks | None = private()


def entry(reading: Reading) -> Entry:
    """What ``reading`` says of itself at a glance."""
    facts, _, _ = _facts(reading)
    return Entry(**facts)


def account(reading: Reading) -> Account:
    """All that is known of ``reading``."""
    facts, record, columns = _facts(reading)
    table = _Table(reading.manifest)
    text, model = table.inner("text"), table.inner("model")
    characters = text.number("characters")
    asked, lost = _asked(reading)
    spans = [(title, start, end) for title, start, end in _chapters(table) if start < end]
    edges = [round(at * characters / PIECES) for at in range(PIECES + 1)]
    pieces = [("", start, end) for start, end in pairwise(edges) if start < end]
    facts["problems"] += lost
    return Account(
        **facts,
        source=table.word("source"),
        format=text.word("format"),
        encoding=text.word("encoding"),
        characters=characters,
        sha256=text.word("sha256"),
        parameters=model.number("parameters"),
        weights=model.word("weights"),
        memory=table.inner("memory").items,
        part=_part(table, characters),
        dtype=table.word("dtype"),
        device=table.word("device"),
        threads=record.number("threads"),
        longread=table.word("longread"),
        adapter_sha256=record.word("adapter_sha256") or None,
        along=tuple(_stretches(pieces, columns, asked)),
        chapters=tuple(_stretches(spans, columns, asked)),
        asked=tuple(asked),
        columns=columns,
    )


class _Table:
    """A JSON object whose fields may be anything: asked for by kind, with a neutral value for the rest."""

    def __init__(self, items: Any) -> None:
        self.items: dict[str, Any] = items if isinstance(items, dict) else {}

    def word(self, name: str) -> str:
        value = self.items.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        value = self.items.get(name)
        return value if _is_count(value) else 0

    def share(self, name: str) -> float:
        value = self.items.get(name)
        known = isinstance(value, int | float) and value >= 0
        return float(min(1, value)) if known else 0.0

    def inner(self, name: str) -> _Table:
        return _Table(self.items.get(name))


def _facts(reading: Reading) -> tuple[dict[str, Any], _Table, Blocks | None]:
    """The fields of ``Entry``; the newest save's record and, where they can be read, its columns."""
    table = _Table(reading.manifest)
    save, wrong = saves.newest(reading.saves)
    record, problems = _Table(save.record if save else {}), list(wrong)
    columns = None
    if save is not None:
        columns, why = Blocks.of(save)
        problems += [f"save {save.folder.name}: {why}"] if why else []
    text = table.inner("text")
    file = table.word("name")
    facts = {
        "id": reading.id,
        "path": str(reading.folder),
        "title": text.word("title") or file,
        "author": text.word("author"),
        "language": text.word("language"),
        "file": file,
        "model": table.inner("model").word("name"),
        "bytes": files.size(reading.folder),
        "created": _time(table.word("created")),
        "updated": _time(record.word("saved")) or _time(table.word("created")) or _changed(reading),
        "share": record.share("share"),
        "complete": record.items.get("complete") is True,
        "blocks": record.number("blocks"),
        "tokens": record.number("tokens"),
        "learned": record.number("learned"),
        "perplexity": columns.perplexity() if columns else None,
        "sampled": columns.sampled() if columns else None,
        "outdated": not reading.damage and reading.outdated,
        "damage": reading.damage,
        "problems": tuple(problems),
    }
    return facts, record, columns


def _time(text: str) -> str | None:
    """An ISO time as it stands, in UTC where it names no zone; None for what is no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _changed(reading: Reading) -> str | None:
    """When a folder that says nothing of itself was last changed."""
    try:
        return datetime.fromtimestamp(reading.folder.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, OverflowError):
        return None


def _part(table: _Table, characters: int) -> tuple[int, int]:
    part = table.items.get("part")
    return (part[0], part[1]) if _is_span(part) else (0, characters)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**53  # what a float can tell apart


def _is_span(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


def _chapters(table: _Table) -> Iterator[tuple[str, int, int]]:
    found = table.items.get("chapters")
    for item in found if isinstance(found, list) else ():
        if isinstance(item, list) and len(item) == 3 and isinstance(item[0], str) and _is_span(item[1:]):
            yield item[0], item[1], item[2]


def _stretches(
    spans: list[tuple[str, int, int]], columns: Blocks | None, asked: list[Asked]
) -> Iterator[Stretch]:
    bits = columns.bits([span[1:] for span in spans]) if columns else [None] * len(spans)
    shown = [start for one in asked for start, _ in one.evidence]
    low, high = columns.reach if columns else (0, 0)
    for (title, start, end), value in zip(spans, bits, strict=True):
        read = max(0, min(end, high) - max(start, low)) / (end - start)
        yield Stretch(title, start, end, value, read, sum(start <= at < end for at in shown))


def _asked(reading: Reading) -> tuple[list[Asked], tuple[str, ...]]:
    """What was asked so far, and what is wrong with the record of it."""
    path, found, lost = reading.folder / "asked.jsonl", [], 0
    try:
        lines = files.read(path).splitlines()
    except FileNotFoundError:
        return [], ()
    except OSError as error:
        return [], (f"asked.jsonl cannot be read ({error.strerror})",)
    for line in lines:
        try:
            item = json.loads(line)
            spans = [[one["start"], one["end"]] for one in item["evidence"]]
            question = item["question"]
        except (ValueError, TypeError, KeyError, RecursionError):
            lost += 1
            continue
        if isinstance(question, str) and all(map(_is_span, spans)):
            found.append(Asked(question, tuple((start, end) for start, end in spans)))
        else:
            lost += 1
    words = f"asked.jsonl: {lost} of {len(lines)} lines cannot be read"
    return found, (words,) if lost else ()
