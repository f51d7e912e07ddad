"""Readings for people: the list of them, and one of them at length.

Knows how they are laid out. Knows nothing of streams or of the disk; a reading is known
by its fields alone, so no task is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ...shares import percent
from . import words
from .answers import Line, table
from .cells import shortened, width_of
from .clean import one_line, unbroken

TITLE = 12  # a title is shortened to as little as this before the table becomes a list
NOTHING = "-"
OTHERS = {
    "conversation": "Conversations: longread chat --resume ID goes on with one",
    "translation": "Translations, to be gone on with",
    "index": "Indexes of texts that were asked about",
}


def listed(entries: Sequence[Any], things: Sequence[Any], now: datetime, width: int) -> Iterator[Line]:
    """The readings as a table, or as a list where that is too wide, and what is wrong with which; then what
    else is kept, each kind by itself."""
    if entries:
        yield from _readings(entries, now, width)
    else:
        yield Line("no readings are kept", "body")
    for kind, heading in OTHERS.items():
        some = [thing for thing in things if thing.kind == kind]
        if some:
            yield Line()
            yield Line(heading, "heading")
            yield from _others(some, now, width)


def _others(things: Sequence[Any], now: datetime, width: int) -> Iterator[Line]:
    rows = [["title", "id", "age", "size", "languages", "model"]]
    for thing in things:
        age = thing.age(now)
        rows.append(
            [
                _title(thing),
                _id(thing),
                NOTHING if age is None else words.age(age),
                words.size(thing.bytes),
                " to ".join(map(one_line, thing.languages)),
                one_line(thing.model),
            ]
        )
    columns = [at for at in range(1, len(rows[0])) if at < 4 or any(row[at] for row in rows[1:])]
    room = max(TITLE, width - sum(2 + max(width_of(row[at]) for row in rows) for at in columns))
    short = [[shortened(row[0], room), *(row[at] or NOTHING for at in columns)] for row in rows]
    yield from table(short, width)


def _readings(entries: Sequence[Any], now: datetime, width: int) -> Iterator[Line]:
    head = ["title", "id", "age", "size", "read", "perplexity", "without", "model", "state"]
    rows = [_row(entry, now) for entry in entries]
    columns = [index for index in range(1, len(head)) if index != 8 or any(row[8] for row in rows)]
    taken = sum(2 + max(width_of(row[index]) for row in [head, *rows]) for index in columns)
    room = max(TITLE, width - taken)
    yield from table(
        [head[:1] + [head[i] for i in columns]]
        + [[shortened(row[0], room)] + [row[index] for index in columns] for row in rows],
        width,
    )
    wrong = [f"{entry.id[:8]}: {unbroken(text)}" for entry in entries for text in _wrong(entry)]
    if wrong:
        yield Line()
    for text in wrong:
        yield Line(text, "body")


def _row(entry: Any, now: datetime) -> list[str]:
    with_, without = entry.perplexity, None
    if entry.sampled is not None:
        with_, without = entry.sampled.with_, entry.sampled.without
    elif not entry.learned:  # read by the model alone
        with_, without = None, entry.perplexity
    age = entry.age(now)
    state = "damaged" if entry.damage else "outdated" if entry.outdated else ""
    return [
        _title(entry),
        entry.id[:8],
        NOTHING if age is None else words.age(age),
        words.size(entry.bytes),
        NOTHING if entry.damage else percent(entry.share),
        _figure(with_),
        _figure(without),
        one_line(entry.model) or NOTHING,
        state,
    ]


def described(account: Any, now: datetime) -> Iterator[Line]:
    """One reading at length: what was read, with what, how it went along the book."""
    author = f", by {one_line(account.author)}" if account.author else ""
    yield Line(f"{_title(account)}{author}", "heading")
    for label, value in _facts(account, now):
        if value:
            yield Line(f"{label}: {value}", "body")
    for text in _wrong(account):
        yield Line(f"damage: {unbroken(text)}", "body")
    yield from _along(account)
    if account.chapters:
        yield Line()
        yield Line("Chapters", "heading")
        for stretch in account.chapters:
            begins = f"from {percent(min(0.99, stretch.start / max(1, account.characters)))}"
            asked = words.amount(stretch.evidence, "passage") + " asked for" if stretch.evidence else ""
            about = ", ".join(filter(None, (begins, _bits(stretch), asked)))
            yield Line(one_line(stretch.title) or "untitled", "body", about)


def _facts(account: Any, now: datetime) -> Iterator[tuple[str, str]]:
    age = account.age(now)
    memory = {key: value for key, value in account.memory.items() if value is not None}
    yield "id", one_line(account.id)
    yield "state", "outdated: made by an older version's rules" if account.outdated else ""
    yield "text", unbroken(account.source or account.file)
    about = [words.language(one_line(account.language)), one_line(account.encoding), one_line(account.format)]
    if account.characters:
        about.append(words.amount(account.characters, "character"))
    yield "about the text", ", ".join(filter(None, about))
    yield "text sha256", one_line(account.sha256)
    model = one_line(account.model)
    yield "model", f"{model} ({words.parameters(account.parameters)})" if account.parameters else model
    yield "weights sha256", one_line(account.weights)
    yield (
        "computed",
        ", ".join(filter(None, map(one_line, (account.device, account.dtype, _threads(account))))),
    )
    yield "memory", ", ".join(f"{one_line(key)} {_value(value)}" for key, value in memory.items())
    if account.part != (0, account.characters):
        yield "part", f"characters {account.part[0]:,} to {account.part[1]:,}"
    if not account.damage:
        yield "read", _read(account)
    yield "perplexity", _figure(account.perplexity) if account.perplexity is not None else ""
    if account.sampled is not None:
        blocks = words.amount(account.sampled.blocks, "block")
        yield (
            "with and without the adapter",
            f"{_figure(account.sampled.with_)} and {_figure(account.sampled.without)}, "
            f"on the {blocks} scored both ways (without it a little less is in sight)",
        )
    yield "adapter sha256", one_line(account.adapter_sha256 or "")
    yield "questions asked", words.number(len(account.asked)) if account.asked else ""
    yield (
        "created",
        f"{one_line(account.created)}, by longread {one_line(account.longread)}" if account.created else "",
    )
    yield "saved", f"{one_line(account.updated)} ({_ago(age)})" if age is not None else ""
    yield "size", words.size(account.bytes)
    yield "folder", unbroken(account.path)


def _read(account: Any) -> str:
    tokens = f"{words.amount(account.tokens, 'token')} in {words.amount(account.blocks, 'block')}"
    learned = f", learned from {words.number(account.learned)}" if account.learned else ", learned from none"
    whole = "" if account.complete else ", not finished"
    return f"{percent(account.share)} of the book, {tokens}{learned}{whole}"


def _along(account: Any) -> Iterator[Line]:
    """A mark for each twentieth of the book and, beside it, what the marks stand for."""
    bits = [stretch.bits for stretch in account.along]
    # As they are shown: of those that look alike the first is named.
    bits = [None if value is None else round(value, 2) for value in bits]
    known = [value for value in bits if value is not None]
    if not known:
        return
    yield Line()
    yield Line("Surprisal along the book, bits a token", "heading")
    yield Line(words.sparkline([float("nan") if value is None else value for value in bits]).rstrip(), "row")
    low, high = (
        f"{value:.2f} at {percent(bits.index(value) / len(bits))}" for value in (min(known), max(known))
    )
    yield Line(f"lowest {low}, highest {high}", "body")
    yield Line(
        "each mark a twentieth: " + ", ".join(NOTHING if v is None else f"{v:.1f}" for v in bits), "body"
    )


def _title(entry: Any) -> str:
    return one_line(entry.title) or ("(damaged)" if getattr(entry, "damage", "") else "untitled")


def _id(entry: Any) -> str:
    """As it is shown: of a hash the beginning, of a conversation the name that ``chat --resume`` takes."""
    return one_line(entry.id) if getattr(entry, "kind", "") == "conversation" else one_line(entry.id)[:8]


def _wrong(entry: Any) -> list[str]:
    return [entry.damage, *entry.problems] if entry.damage else list(entry.problems)


def _figure(value: float | None) -> str:
    """A perplexity; a million and more say that something broke, and how badly is no matter."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 1e6 else f"{value:.0e}"


def _ago(age: float) -> str:
    said = words.age(age)
    return "just now" if said == "now" else f"{said} ago"


def _bits(stretch: Any) -> str:
    return "not read" if stretch.bits is None else f"{stretch.bits:.2f} bits a token"


def _threads(account: Any) -> str:
    return words.amount(account.threads, "thread") if account.threads else ""


def _value(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else one_line(value)


def dropped(entry: Any) -> str:
    """One reading, or what else is kept, as ``rm`` speaks of it."""
    kind = f"the {entry.kind} " if hasattr(entry, "kind") else ""
    return f"{kind}{_title(entry)} ({_id(entry)}, {words.size(entry.bytes)})"


def now() -> datetime:
    """The time that ages are measured from."""
    return datetime.now(UTC)
