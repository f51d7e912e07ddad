"""Results for people: a list of lines, then plain text or a styled terminal.

Knows how a summary, a score and a reading are laid out. Knows nothing of streams.
Tasks are known by their results' fields alone, so no task is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...events import Done, Planned
from ...shares import percent
from . import streams, words
from .cells import breaks, padded, width_of
from .clean import flowing, one_line, printable

# Wider lines are hard to read.
WIDEST = 100


@dataclass(frozen=True)
class Line:
    """A paragraph or a row. ``kind`` is heading, body (wrapped), row (kept as it is) or gap."""

    text: str = ""
    kind: str = "gap"
    place: str = ""


def lines(done: Done, planned: Planned | None, width: int) -> Iterator[Line]:
    """The answer of a finished job, or of its plan; ``width`` decides between a table and a list."""
    if planned is not None:
        yield from _plan(planned)
    elif done.command == "summarize":
        yield from _summary(done.result, done.document)
    elif done.command == "ask":
        yield from _answers(done.result.answers)
    elif done.command == "score":
        yield from _score(done.result, width)
    else:
        yield from _reading(done)


def _summary(result: Any, document: dict[str, Any]) -> Iterator[Line]:
    names = getattr(result, "names", ())
    if names:
        yield Line("Names", "heading")
        for item in names:
            yield Line(
                f"{one_line(item.name)}, {words.amount(item.count, 'time')}{_since(item.chapter)}", "body"
            )
        yield Line()
    # Sections that say something else than the summary are what it was made from, not part of it.
    whole = " ".join(section.text for section in result.sections)
    if "".join(whole.split()) != "".join(result.summary.split()):
        yield from prose(result.summary)
        return
    for at, section in enumerate(result.sections):
        if at:
            yield Line()
        place = ""
        if section.spans and document.get("characters"):
            place = percent(min(0.99, section.spans[0][0] / document["characters"]))
        if section.chapter or place:
            yield Line(one_line(section.chapter or ""), "heading", place)
        yield from prose(section.text)


def _since(chapter: Any) -> str:
    if chapter is None or chapter == "":
        return ""
    return f", first in {'chapter ' if isinstance(chapter, int) else ''}{one_line(chapter)}"


def prose(text: str) -> Iterator[Line]:
    """Paragraphs, apart by blank lines."""
    paragraphs = [flowing(part) for part in printable(text).split("\n\n")]
    for at, part in enumerate(filter(None, paragraphs)):
        if at:
            yield Line()
        yield Line(part, "body")


def _answers(answers: Iterable[Any]) -> Iterator[Line]:
    answers = list(answers)
    for at, item in enumerate(answers):
        if at:
            yield Line()
        if len(answers) > 1:
            yield Line(one_line(item.question), "heading")
        if not item.found:
            nearest = "; the nearest passages:" if item.evidence else ""
            yield Line(f"No answer to this was found in the text{nearest}", "body")
        elif item.answer:
            said = flowing(item.answer)
            yield Line(f"Quoted{_from(said, item.evidence)}: {said}" if item.quoted else said, "body")
        for passage in item.evidence:
            yield Line()
            chapter = one_line(passage.chapter or "")
            span = f"{percent(passage.share)}, characters {passage.start}-{passage.end}"
            yield Line(f"[{passage.rank}] {chapter}".rstrip(), "heading", span)
            yield from prose(passage.text)


def _from(said: str, evidence: Iterable[Any]) -> str:
    """The number of the passage that a quotation stands in."""
    return next((f" from [{item.rank}]" for item in evidence if said in flowing(item.text)), "")


def _score(result: Any, width: int) -> Iterator[Line]:
    arms = result.arms
    if not arms:
        return
    rows = [["arm", "perplexity", "bits/byte", "tokens/s", "over what was read"]]
    for name, arm in arms.items():
        spark = words.sparkline([segment.perplexity for segment in arm.segments])
        figures = [f"{arm.perplexity:.2f}", f"{arm.bits_per_byte:.3f}", words.number(arm.tokens_per_second)]
        rows.append([one_line(name), *figures, spark])
    yield from table(rows, width)
    shortest = min((len(arm.segments) for arm in arms.values()), default=0)
    if shortest > 1:
        yield Line()
        yield Line("Perplexity by share of what was read", "heading")
        parts = [["from", "to", *map(one_line, arms)]]
        for at in range(shortest):
            first = next(iter(arms.values())).segments[at]
            figures = [f"{arm.segments[at].perplexity:.2f}" for arm in arms.values()]
            parts.append([percent(first.from_), percent(first.to), *figures])
        yield from table(parts, width)


def _reading(done: Done) -> Iterator[Line]:
    tokens = done.stats.get("tokens", {})
    rows = [
        ["tokens read", words.number(tokens.get("read", 0))],
        ["learned from", words.number(tokens.get("learned", 0))],
    ]
    for label, name in (("blocks", "blocks"), ("adapter sha256", "adapter_sha256")):
        value = getattr(done.result, name, None)
        if value is not None:
            rows.append([label, words.number(value) if isinstance(value, int) else one_line(value)])
    for label, value in rows:
        yield Line(f"{label}: {value}", "body")


def _plan(planned: Planned) -> Iterator[Line]:
    """The answer of ``--dry-run``."""
    learn = "a temporary adapter is trained" if planned.learn else "no adapter is trained"
    yield Line(f"tokens: about {words.number(planned.tokens)}", "body")
    if not planned.blocks:
        yield Line("blocks: none; no model reads the text, its passages are looked up", "body")
        return
    if planned.read:
        yield Line(f"saved reading: {words.taken_up(planned.read, planned.tokens)}", "body")
    yield Line(f"blocks: {words.number(planned.blocks)} of {words.number(planned.block)} tokens", "body")
    yield Line(
        f"window: {words.number(planned.window)} tokens, {words.amount(planned.sinks, 'sink')}", "body"
    )
    yield Line(f"learning: {learn}", "body")
    named = {"cache": "keys and values", "adapter": "adapter and optimizer"}
    parts = ", ".join(
        f"{named.get(name, name)} {words.size(count)}"
        for name, count in planned.memory_parts.items()
        if count
    )
    memory = f"memory: about {words.size(planned.memory_bytes)} beside the program itself"
    yield Line(f"{memory}: {parts}" if parts else memory, "body")
    yield Line(f"share of the book: {percent(planned.share)}", "body")
    if planned.writes:
        spent = "" if planned.writing is None else f", about {words.duration(planned.writing)} of the time"
        yield Line(f"writing: about {words.amount(planned.writes, 'token')}{spent}", "body")
    left = " for what is left" if planned.read else ""
    more = words.UNKNOWN if planned.writing is None else ""
    yield Line(f"time: about {words.duration(planned.seconds)}{left}{more}", "body")


def table(rows: list[list[str]], width: int) -> Iterator[Line]:
    """Columns where they fit, otherwise each row as a short list under its own heading."""
    spans = [max(width_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    if sum(spans) + 2 * (len(spans) - 1) <= width:
        for row in rows:
            cells = [
                padded(row[0], spans[0]),
                *(padded(cell, span, right=True) for cell, span in zip(row[1:], spans[1:], strict=True)),
            ]
            yield Line("  ".join(cells).rstrip(), "row")
        return
    for row in rows[1:]:
        yield Line(f"{rows[0][0]} {row[0]}", "heading")
        for label, cell in zip(rows[0][1:], row[1:], strict=True):
            yield Line(f"{label}: {cell}", "body")


def deliver(place: Any, answer: Callable[[int], Iterator[Line]], heading: str = "") -> None:
    """Write the answer for that width: styled where a person sees it, as plain text anywhere else."""
    on_screen = isinstance(place, streams.Stdout)
    above = [Line(one_line(heading), "heading"), Line()] if heading else []
    if on_screen and (streams.is_terminal(sys.stdout) or streams.forced_colour()):
        console = streams.console(sys.stdout)
        width = max(1, min(console.width, WIDEST))
        answered = [*above, *answer(width)]
        with streams.told():
            on_terminal(answered, console, width)
    else:
        place.write(as_text([*above, *answer(WIDEST)]))
    if heading:
        place.write("\n")


def as_text(answer: Iterable[Line]) -> str:
    """The answer for a file or a pipe: a paragraph a line, nothing but text."""
    out = []
    for line in answer:
        place = f" ({line.place})" if line.place and line.text else line.place
        out.append(line.text + place + "\n")
    return "".join(out)


def on_terminal(answer: Iterable[Line], console: Any, width: int) -> None:
    """The answer for a terminal: wrapped at ``width``, in cells."""
    from rich.text import Text

    for line in answer:
        text = Text(line.text, style="bold" if line.kind == "heading" else "")
        if line.place:
            text.append(f" ({line.place})" if line.text else line.place, style="dim")
        # One row at a time: Rich would pad or crop a row, and begin one with a comma.
        for row in text.divide(breaks(text.plain, width)) if line.kind != "row" else [text]:
            row.rstrip()
            console.print(row, soft_wrap=True)
