"""``summarize``: a whole book in a few hundred words, quoted or written.

Knows the length asked for and which style a model is trusted with. The styles
themselves stand in ``extract`` and ``abstract``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from longread.config import Options
from longread.errors import Interrupted, UnsupportedError, UsageError
from longread.events import Done, Event, Progress
from longread.model.cached import parameters_in
from longread.model.catalog import trust_in
from longread.model.find import find_model, has_template
from longread.model.fit import parameter_count
from longread.reader.language import base_language
from longread.reader.sentences import unwrapped
from longread.tasks import estimate, reading
from longread.tasks.extract import choose, length_of
from longread.tasks.extract.traits import counts_characters
from longread.tasks.gather import gatherer_for

if TYPE_CHECKING:
    from longread.model.catalog import Trust
    from longread.model.find import Found
    from longread.model.load import LoadedModel
    from longread.reader.document import Document

LENGTHS = {"short": 150, "medium": 400, "long": 1200}
_NAMES, _A_NAME = 12, 25  # shown at most, and for so many words of the summary one
_PARTS = 20  # stretches of a book without chapters
_PER_CHAPTER = 25  # words that a chapter's paragraph needs at least
# What a word of English takes in Chinese: 1.6 characters in Tatoeba's pairs, 2.0 in XQuAD's.
_CHARACTERS = 5 / 3


@dataclass(frozen=True)
class Section:
    """What the summary says of one chapter; ``spans`` are what it quotes or covers."""

    chapter: str
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Name:
    """A name met often: how many times, and the chapter that has it first."""

    name: str
    count: int
    chapter: str


@dataclass(frozen=True)
class Summary:
    """``summary`` is prose alone; ``sections`` say where it comes from."""

    summary: str
    sections: tuple[Section, ...]
    names: tuple[Name, ...] = ()


def summarize(
    path: str,
    options: Options,
    *,
    length: str = "medium",
    words: int | None = None,
    by: str = "book",
    style: str = "auto",
    lang: str | None = None,
) -> Iterator[Event]:
    """Summarize the text at ``path``; the result is a ``Summary``, as ``summary_of`` says."""
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        loaded = reading.load(job)
        ahead = foreseen(job, loaded, length=length, words=words, by=by, style=style, lang=lang)
        yield from reading.introduce(job, loaded, keeps=ahead is None, notes=ahead)
        yield from summary_of(job, loaded, length=length, words=words, by=by, style=style, lang=lang)


def summary_of(
    job: reading.Job,
    loaded: LoadedModel,
    *,
    length: str = "medium",
    words: int | None = None,
    by: str = "book",
    style: str = "auto",
    lang: str | None = None,
) -> Generator[Event, None, bool]:
    """Summarize a text that is open, with a model that is loaded; ``Done`` with a ``Summary`` comes last.
    Returns whether it was stopped on the way.

    ``words`` overrules ``length`` (Chinese and Japanese count characters, and a ``length`` has more of
    them); ``by`` is "book" or "chapter"; ``lang`` is the language that an abstract is written in.
    ``UnsupportedError`` where a model is asked to write that is not trusted to.
    """
    language = lang or job.document.language
    style = _style(style, lang, job.document.language, loaded.name, loaded.trust)
    wanted = _wanted(job, length, words, by, language)
    if style == "abstract":
        from longread.tasks.abstract import abstract as make
    else:
        make = _extract
    summary, partial = yield from make(job, loaded, wanted, by=by, lang=lang)
    yield Done(
        "summarize",
        loaded.name,
        job.document.as_dict(),
        summary,
        job.tally.as_dict() | {"style": style, "length": wanted, "got": length_of(summary.summary, language)},
        partial=partial,
        warnings=tuple(job.warnings),
    )
    return partial


def check(job: reading.Job, *, style: str = "auto", lang: str | None = None, **_: object) -> None:
    """What can be refused of a job before a model is loaded, as the job itself refuses it later."""
    found = find_model(job.options.model)
    if found.entry is not None:
        _style(style, lang, job.document.language, found.name, found.entry.trust)


def _wanted(job: reading.Job, length: str, words: int | None, by: str, language: str) -> int:
    """Words of the summary, in Chinese and Japanese characters."""
    scale = _CHARACTERS if counts_characters(language) else 1
    wanted = words or int(round(_length(length) * scale, -1))
    if by == "chapter":
        inside = [c for c in job.document.chapters if c.end > job.start and c.start < job.end]
        wanted = max(wanted, round(_PER_CHAPTER * scale * len(inside)))
    return wanted


def notes(
    job: reading.Job, found: Found, encoder: Any, sizes: estimate.Sizes, *, style: str = "auto", **own: Any
) -> estimate.Notes | None:
    """What is written beside the reading; None where the book is quoted."""
    return None if keeps(job, found, style=style) else _ahead(job, encoder, sizes.window, **own)


def foreseen(
    job: reading.Job, loaded: LoadedModel, *, style: str = "auto", **own: Any
) -> estimate.Notes | None:
    """The same for a model that is loaded."""
    if _quotes(style, loaded.trust):
        return None
    return _ahead(job, loaded.encoder, reading.shape_of(loaded, job.options).window, **own)


def _ahead(
    job: reading.Job,
    encoder: Any,
    window: int,
    *,
    length: str = "medium",
    words: int | None = None,
    by: str = "book",
    lang: str | None = None,
) -> estimate.Notes:
    from longread.tasks.outlook import outlook

    wanted = _wanted(job, length, words, by, lang or job.document.language)
    return outlook(job.document, job.start, job.end, encoder, window, wanted, by=by, lang=lang)


def keeps(job: reading.Job, found: Found, *, style: str = "auto", **_: object) -> bool:
    """Whether the summary is one that takes up a saved reading: only what is quoted does."""
    parameters = parameters_in(found.folder) or parameter_count(found.config)
    return _quotes(style, trust_in(found.entry, parameters, has_template(found)))


def _quotes(style: str, trust: Trust) -> bool:
    return style == "extract" or (style == "auto" and not trust.writes)


def _style(style: str, lang: str | None, language: str, name: str, trust: Trust) -> str:
    """ "abstract" or "extract"; ``UnsupportedError`` for what the model is not trusted with."""
    style = "extract" if _quotes(style, trust) else "abstract"
    if style == "abstract" and not trust.writes:
        raise UnsupportedError(
            f"{name} is not trusted to write a summary ({trust.says})",
            "use --style extract, or --model with a larger instruction-tuned model",
        )
    if style == "extract" and lang and base_language(lang) != base_language(language):
        raise UnsupportedError(
            f"a summary in quotations stays in the book's language, {language}, not {lang}",
            "leave --lang out, or use --model with one that is trusted to write",
        )
    return style


def _length(name: str) -> int:
    if name not in LENGTHS:
        raise UsageError(f"there is no length {name!r}", f"use {', '.join(LENGTHS)} or --words N")
    return LENGTHS[name]


def _extract(
    job: reading.Job, loaded: LoadedModel, wanted: int, *, by: str, lang: str | None
) -> Generator[Event, None, tuple[Summary, bool]]:
    """Read the book once, then choose among its own sentences."""
    document, partial = job.document, False
    gatherer = gatherer_for(job, loaded)
    with reading.session_for(job, loaded, gatherer=gatherer) as (session, keeper):
        try:
            fed = gatherer if keeper is None else None
            yield from reading.read_blocks(job, loaded, session, keeper=keeper, gatherer=fed)
        except Interrupted:
            partial = True
    yield from heedless([Progress("choosing sentences", 0, 1, "steps")])
    with job.tally.phase("choose"):
        names = gatherer.names.top(40)
        spans = choose(
            gatherer.collector,
            length=wanted,
            language=document.language,
            chapters=document.chapters,
            names=[name for name, _, _ in names],
            every=by == "chapter",
        )
        summary = _assemble(document, spans, names[: min(_NAMES, max(3, wanted // _A_NAME))])
    yield from heedless([Progress("choosing sentences", 1, 1, "steps", share=job.tally.share)])
    return summary, partial


def heedless(events: Iterable[Event]) -> Iterator[Event]:
    """The ``events`` all the same after a Ctrl-C: everything is read, and what is left takes a moment."""
    for event in events:
        with suppress(Interrupted):
            yield event


def _assemble(document: Document, spans: list[tuple[int, int]], names: Sequence[Any]) -> Summary:
    joined = "" if counts_characters(document.language) else " "
    texts = [unwrapped(text) for text in document.slices(spans)]
    placed = [(document.chapter_at(span[0]), span, text) for span, text in zip(spans, texts, strict=True)]
    sections = []
    parts = max(document.characters, 1) / _PARTS

    def part(item) -> tuple[int | None, int]:
        """Its chapter; in a book without chapters, which stretch of it."""
        return item[0], 0 if document.chapters else int(item[1][0] // parts)

    for (chapter, _), group in groupby(placed, key=part):
        items = list(group)
        sections.append(
            Section(
                chapter=_title(document, chapter),
                text=joined.join(text for _, _, text in items),
                spans=tuple(span for _, span, _ in items),
            )
        )
    return Summary(
        summary="\n\n".join(section.text for section in sections),
        sections=tuple(sections),
        names=tuple(Name(name, count, _title(document, chapter)) for name, count, chapter in names),
    )


def _title(document: Document, chapter: int | None) -> str:
    return "" if chapter is None else document.chapters[chapter].title
