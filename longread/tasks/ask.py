"""``ask``: an answer from the book with its place in it, or word that the book holds none.

Knows which model may write an answer and which one only quotes. Knows nothing of how passages are found
(``memory.recall``), chosen from (``answer.quote``) or written about (``answer.write``). A model that only
quotes is not loaded: reading the book with it and ranking by it were measured and brought nothing.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from longread.config import Options
from longread.errors import Interrupted, LongreadError, UnsupportedError, UsageError
from longread.events import Done, Event, Note, Progress
from longread.memory.recall import Joined, recall
from longread.model.catalog import Trust
from longread.model.find import find_model
from longread.reader import Document
from longread.reader.language import base_language
from longread.reader.sentences import unwrapped
from longread.store.passages import Passages, index_folder
from longread.store.reading import EXTRACTOR
from longread.tasks import reading
from longread.tasks.answer.learned import adapter_of
from longread.tasks.answer.questions import questions_in
from longread.tasks.answer.quote import best_quote
from longread.tasks.former import note_asked, take_over

if TYPE_CHECKING:
    from torch import Tensor

    from longread.model.load import LoadedModel
    from longread.tasks.abstract.writer import Write

_T = TypeVar("_T")
EVIDENCE = 3
_MOST = 50  # passages shown, and questions kept short of a book
_LONGEST = 2000  # characters of a question


@dataclass(frozen=True)
class Evidence:
    """A passage of the book, word for word: the characters from ``start`` to ``end``."""

    rank: int
    chapter: str
    start: int
    end: int
    share: float
    text: str


@dataclass(frozen=True)
class Answer:
    """``answer`` is a quotation or the model's words citing the evidence by rank; "" where none was found
    or wanted. ``found`` says whether the evidence supports one."""

    question: str
    answer: str
    found: bool
    evidence: tuple[Evidence, ...]
    quoted: bool = field(default=True, metadata={"private": True})  # how it is shown, no part of the JSON


@dataclass(frozen=True)
class Answers:
    """One ``Answer`` for each question, in their order."""

    answers: tuple[Answer, ...]


class Answerer:
    """Answers questions about one document.

    Parameters
    ----------
    passages
        The document's index, open.
    loaded
        A model; None, or one that is not trusted to answer, quotes.
    evidence
        How many passages an answer shows.
    part
        The first and one past the last character that is answered from.
    adapter
        What a reading of the text has learned, for a model that is trusted to answer.
    write
        A hand that stands in for the model's own, in a session that the caller keeps open.
    """

    def __init__(
        self,
        document: Document,
        passages: Passages,
        loaded: LoadedModel | None,
        *,
        evidence: int = EVIDENCE,
        part: tuple[int, int] | None = None,
        options: Options | None = None,
        lang: str | None = None,
        adapter: dict[str, Tensor] | None = None,
        write: Write | None = None,
    ) -> None:
        self._document, self._passages, self._loaded = document, passages, loaded
        self._count = max(1, min(evidence, _MOST))
        self._part = part or (0, document.characters)
        self._options, self._lang = options or Options(), lang
        self._adapter, self._write = adapter, write

    def answer(
        self, question: str, *, wanted: bool = True, beat: Event | None = None
    ) -> Generator[Event, None, Answer]:
        """The answer to ``question``; with ``wanted`` False only its passages. While a model writes, ``beat``
        is given out, or that it answers."""
        question = asked_of(question)
        recalled = recall(self._passages, question, self._count, *self._part)
        evidence = tuple(self._evidence(rank, hit) for rank, hit in enumerate(recalled.hits, start=1))
        if not recalled.found or not wanted:
            return Answer(question, "", recalled.found, evidence)
        if self._loaded is not None and self._loaded.trust.answers:
            text = yield from self._written(question, recalled.hits, beat)
            if text is not None:
                return Answer(question, text, bool(text), evidence, quoted=False)
            yield Note(
                f"{self._loaded.name} wrote no answer that could be used; the text is quoted", "warning"
            )
        quote = best_quote(
            question,
            [(hit.start, hit.text) for hit in recalled.hits],
            self._document.language,
            recalled.weights,
            lambda texts: self._passages.terms(texts, recalled.weights),
        )
        text = unwrapped(quote.text) if quote else ""
        return Answer(question, text, bool(text), evidence)

    def _evidence(self, rank: int, hit) -> Evidence:
        # By the document: the index may be of the same text in another format, with other chapters.
        chapter = self._document.chapter_at(hit.start)
        title = "" if chapter is None else self._document.chapters[chapter].title
        (text,) = self._document.slices([(hit.start, hit.end)]) if isinstance(hit, Joined) else (hit.text,)
        share = hit.start / max(self._document.characters, 1)  # where it begins, as a summary says it too
        return Evidence(rank, title, hit.start, hit.end, round(share, 6), text)

    def _written(
        self, question: str, hits: Sequence, beat: Event | None
    ) -> Generator[Event, None, str | None]:
        """The model's answer, "" where it says that there is none, None where nothing it wrote is of use."""
        from longread.engine.session import Session, without_learning
        from longread.model.chat import Chat
        from longread.tasks.abstract import hand_of
        from longread.tasks.answer.write import BEAT, AnswerWriter

        loaded, options = self._loaded, self._options
        chat = Chat(loaded.found.folder, loaded.encoder)
        shape = reading.shape_of(loaded, options)
        with ExitStack() as stack:
            write = self._write
            if write is None:
                memory = options.memory if self._adapter else without_learning(options.memory)
                session = stack.enter_context(Session(loaded.backbone, loaded.prefix, shape, memory))
                if session.lora is not None and self._adapter:
                    session.lora.load(self._adapter)
                write = hand_of(session, loaded, chat)
            writer = AnswerWriter(
                write,
                chat,
                loaded.encoder,
                window=shape.window,
                title=self._document.title or self._document.name,
                language=self._lang or self._document.language,
                seed=options.seed,
                beat=beat or BEAT,
            )
            return (yield from writer.answer(question, hits))


@contextmanager
def passages_of(document: Document, *, save: bool = True) -> Iterator[Passages]:
    """The index of ``document``'s passages, made where there is none or it is damaged.

    It holds the text; without ``save`` it is gone when the context ends.
    """
    with ExitStack() as stack:
        if save:
            path = index_path(document)
        else:
            path = Path(stack.enter_context(TemporaryDirectory(prefix="longread-"))) / "passages.db"
        yield stack.enter_context(_opened(path) or Passages.build(path, document))


def index_path(document: Document) -> Path:
    """Where the index of ``document``'s passages is kept.

    Of the language only the first part counts for an index; a name that is no code makes no part of a path.
    """
    base = base_language(document.language)
    base = base if re.fullmatch("[a-z]{2,8}", base) else "und"
    return index_folder() / f"{document.sha256}-{base}-{EXTRACTOR}.db"


def kept_in(passages: Passages) -> Note:
    """Where a new index is, how large, and how to be rid of it."""
    size = passages.path.stat().st_size / 1e6
    return Note(
        f"its passages are kept in {passages.path.parent} ({size:.1f} MB); "
        f"`longread readings rm {passages.sha256[:8]}` drops them, --no-save keeps nothing"
    )


def _opened(path: Path) -> Passages | None:
    """The index in ``path``; None where there is none or it is damaged: it can be made again."""
    if not path.is_file():
        return None
    try:
        return Passages.open(path)
    except LongreadError:
        with suppress(OSError):  # whoever makes it again says why it cannot be written
            path.unlink(missing_ok=True)
        return None


def ask(
    path: str,
    options: Options,
    *,
    question: Sequence[str] = (),
    questions: str | None = None,
    evidence: int = EVIDENCE,
    answer: bool = True,
    lang: str | None = None,
) -> Iterator[Event]:
    """Answer each ``question`` from the text at ``path``; the result is ``Answers``.

    ``questions`` names a file of more of them; ``evidence`` is how many passages each answer shows;
    ``answer`` False leaves it at them, and loads no model; ``lang`` is the language that answers are
    written in. ``UsageError`` without a question.
    """
    asked = _all_asked(question, questions)  # before anything is done
    with ExitStack() as stack:
        job = stack.enter_context(reading.opened(path, options))
        yield from reading.announce(job)
        kept, options = yield from _heard(job, take_over(job.document, options))
        job.options = options
        with job.tally.phase("index"):
            passages = stack.enter_context(passages_of(job.document, save=options.save))
        if options.save and passages.new:
            yield kept_in(passages)
        loaded = None
        trust = listed_trust(options.model) if answer else None
        if answer and (trust is None or trust.answers):
            loaded = reading.load(job)
            yield from reading.introduce(job, loaded, reads=False)
            trust = loaded.trust
        adapter = adapter_of(kept, loaded) if loaded and trust.answers else None
        _refuse(lang, trust, job.document.language)
        part = (job.start, job.end)
        answerer = Answerer(
            job.document,
            passages,
            loaded,
            evidence=evidence,
            part=part,
            options=options,
            lang=lang,
            adapter=adapter,
        )
        answers, partial = [], False
        try:
            for text in asked:
                beat = None if len(asked) == 1 else _answering(answers, asked)
                try:
                    with job.tally.phase("answer"):
                        events = answerer.answer(text, wanted=answer, beat=beat)
                        answers.append((yield from _heard(job, events)))
                except Interrupted:
                    raise
                except LongreadError as error:  # the answers to the others are not lost with this one
                    if len(asked) == 1:
                        raise
                    yield job.warn(f"question {len(answers) + 1} is left without an answer: {error}")
                    answers.append(Answer(text, "", False, ()))
                note_asked(kept, text, answers[-1].evidence)
                if len(asked) > 1:
                    yield _answering(answers, asked)
        except Interrupted:
            partial = len(answers) < len(asked)
            if not answers:
                raise
        if len(asked) > 1:
            found = sum(item.found for item in answers)
            yield Note(f"found in the book: {found} of {len(asked)}")
        yield Done(
            "ask",
            options.model,
            job.document.as_dict(),
            Answers(tuple(answers)),
            job.tally.as_dict() | {"passages": passages.count, "asked": len(asked)},
            partial=partial,
            warnings=tuple(job.warnings),
        )


def check(
    job: reading.Job,
    *,
    question: Sequence[str] | None = None,
    questions: str | None = None,
    answer: bool = True,
    lang: str | None = None,
    **_: object,
) -> None:
    """What can be refused of a job before a model is loaded, as the job itself refuses it later."""
    _all_asked(question or (), questions)
    _refuse(lang, listed_trust(job.options.model) if answer else None, job.document.language)


def _all_asked(question: Sequence[str], questions: str | None) -> list[str]:
    asked = [text for text in map(str.strip, question) if text]
    asked += questions_in(questions) if questions else []
    asked = [asked_of(text) for text in asked]
    if not asked:
        raise UsageError(
            "there is no question", 'put it behind the file, in quotation marks: "Who is Obed Lunn?"'
        )
    return asked


def _refuse(lang: str | None, trust: Trust | None, language: str) -> None:
    if lang and trust and not trust.answers and base_language(lang) != base_language(language):
        raise UnsupportedError(
            f"an answer in quotations stays in the book's language, {language}, not {lang}",
            "leave --lang out, or use --model with one that is trusted to answer",
        )


def _heard(job: reading.Job, events: Generator[Event, None, _T]) -> Generator[Event, None, _T]:
    """The ``events`` of a part of the job, the warnings among them remembered for the report."""
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value
            if isinstance(event, Note) and event.level == "warning":
                job.warnings.append(event.text)
            yield event


def _answering(answers: Sequence, asked: Sequence) -> Progress:
    return Progress("answering", len(answers), len(asked), "questions", share=1.0)


def asked_of(text: str) -> str:
    """A question without the space around it. ``UsageError`` where its end would not be looked at."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise UsageError(
            f"the question {text[:40]!r}… has {len(text):,} characters, and {_LONGEST:,} are the most",
            "shorten it; a text to be read goes before the question, as FILE or through a pipe",
        )
    return text


def listed_trust(model: str) -> Trust | None:
    """What a listed model is trusted with; None for another, of which its size decides."""
    entry = find_model(model).entry
    return entry.trust if entry else None
