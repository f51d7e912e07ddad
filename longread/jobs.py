"""The jobs that exist, and the Python interface: a path and keyword options in, a result out.

Knows each job's name, its own options and where its task lives. Knows nothing of the
terminal; loads no task, and so no torch, before a job starts.
"""

from __future__ import annotations

import importlib
import keyword
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from . import config
from .config import Options, Setting
from .errors import LongreadError, UsageError
from .events import Done, Event

if TYPE_CHECKING:
    from .tasks.ask import Answers
    from .tasks.continue_ import Continuation
    from .tasks.read import Reading
    from .tasks.score import Score
    from .tasks.summarize import Summary
    from .tasks.translate.segments import Translation


def _arms() -> Iterable[str]:
    return tuple(importlib.import_module("longread.tasks.score").ARMS)


def _ways(own: Mapping[str, Any], memory: config.Memory) -> Iterable[Any]:
    return importlib.import_module("longread.tasks.score").ways_of(own["arms"], memory)


@dataclass(frozen=True)
class JobSpec:
    """A task as the user knows it.

    ``settings`` are the options it does not share, ``defaults`` those of shared options where
    they differ; ``streams`` says that its answer is text which is shown as it comes. For a dry run
    ``passes`` says how often the text is read, ``ways`` (see ``tasks.estimate``) in which ways if not as the
    shared options have it, and ``writes`` how many tokens, given its own options; ``keeps`` that it takes up
    a saved reading, unless its task's own ``keeps(job, found, **own)`` knows better. A task's
    ``notes(job, found, encoder, sizes, **own)`` says what it writes beside its reading.
    """

    name: str
    noun: str
    settings: tuple[Setting, ...] = ()
    rivals: tuple[str, ...] = ()
    streams: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    passes: float = 1
    ways: Callable[[Mapping[str, Any], config.Memory], Iterable[Any]] = lambda own, memory: ()
    writes: Callable[[Mapping[str, Any]], int] = lambda own: 0
    keeps: bool = False

    @property
    def task(self) -> str:
        """Its name in Python: of the module in ``tasks`` and of the function there."""
        return self.name + "_" * keyword.iskeyword(self.name)

    def parse(self, given: Mapping[str, Any], where: str = "--{}") -> dict[str, Any]:
        """The given ones of the job's own options, by keyword and checked; ``where`` words an error."""
        both = [where.format(name) for name in self.rivals if given.get(name) is not None]
        if len(both) > 1:
            raise UsageError(f"{' and '.join(both)} contradict each other", "give one of them")
        own = {name: setting for setting in self.settings for name in (setting.name, setting.keyword)}
        return {
            own[name].keyword: own[name].parse(value, where.format(name))
            for name, value in given.items()
            if name in own and value is not None
        }

    def start(self, path: str, options: Options, own: Mapping[str, Any]) -> Iterator[Event]:
        """The job's events; its task is imported here and not before."""
        task = importlib.import_module(f"longread.tasks.{self.task}")
        return getattr(task, self.task)(path, options, **own)

    def plan(self, path: str, options: Options, own: Mapping[str, Any]) -> Iterator[Event]:
        """The events of a dry run: the text is opened and counted, no model reads it. What the task's own
        ``check(job, **own)`` refuses, if it has one, is refused."""
        plan = importlib.import_module("longread.tasks.plan").plan
        task = importlib.import_module(f"longread.tasks.{self.task}")
        check, keeps, notes = (getattr(task, name, None) for name in ("check", "keeps", "notes"))
        own = {setting.keyword: setting.default for setting in self.settings} | own
        return plan(
            self.name,
            path,
            options,
            passes=self.passes,
            ways=tuple(self.ways(own, options.memory)),
            writes=self.writes(own),
            notes=None if notes is None else partial(notes, **own),
            keeps=(lambda job, found: self.keeps) if keeps is None else partial(keeps, **own),
            check=None if check is None else lambda job: check(job, **own),
        )


_own = partial(Setting, panel="Options")

_SUMMARIZE = (
    _own("length", str, "medium", "150, 400 or 1,200 words (Chinese, Japanese: 250, 670, 2,000 characters)",
         choices=("short", "medium", "long")),
    _own("words", int, None, "or so many words (Chinese, Japanese: characters)", metavar="N", least=1),
    _own("by", str, "book", "one summary, or a paragraph for each chapter", choices=("book", "chapter")),
    _own("style", str, "auto", "quote the book, or write about it; auto: what the model is good for",
         choices=("auto", "extract", "abstract")),
    _own("lang", str, None, "language to write in; the book's own where not given", metavar="CODE"),
)  # fmt: skip

_ASK = (
    _own("question", list, None, "the questions themselves; on the command line they follow FILE"),
    _own("questions", str, None, "a file of questions: one a line, or TOML", metavar="FILE"),
    _own("evidence", int, 3, "how many passages to show, 50 at most", metavar="N", least=1, most=50),
    _own("answer", bool, True, "answer; --no-answer shows the passages only and loads no model"),
    _own("lang", str, None, "language to answer in; the book's own where not given", metavar="CODE"),
)  # fmt: skip

_CONTINUE = (
    _own("tokens", int, 500, "about so many tokens; it stops where a paragraph ends", metavar="N", least=1),
    _own("begin", str, None, "start a new paragraph with these words", metavar="TEXT"),
    _own("until", str, None, "stop after these words", metavar="TEXT"),
    _own("temperature", float, 0.8, "0 takes the likeliest token each time", metavar="T", least=0),
    _own("top-p", float, 0.95, "draw from the likeliest tokens that have this share", metavar="P", least=0),
    _own("top-k", int, 0, "draw from so many of the likeliest tokens; 0 from all", metavar="K", least=0),
    _own("min-p", float, 0.0, "leave out tokens less likely than this share of the likeliest", metavar="P",
         least=0),
    _own("repetition-penalty", float, 1.1, "above 1: say less of what was just written again", metavar="R",
         least=0),
    _own("kv-reuse", int, None, "blocks until the window is encoded again; auto: once it was written full",
         metavar="N|auto", least=1, auto=True),
)  # fmt: skip

_TRANSLATE = (
    _own("src", str, None, "language of the text; detected where not given", metavar="CODE"),
    _own("tgt", str, None, "language to translate into", metavar="CODE"),
    _own("layout", str, "target", "paragraphs of the translation, or pairs of sentences",
         choices=("target", "bilingual")),
    _own("glossary", str, None, "names and their renderings, a tab between", metavar="TERMS.tsv"),
    _own("corrections", str, None, "pairs that a person has corrected: a table that -o PAIRS.tsv wrote",
         metavar="PAIRS.tsv"),
    _own("retry-failed", bool, None, "try the sentences again that an earlier run gave up"),
    _own("anyway", bool, None, "let a model try that is not trusted to, or that fails its trial"),
)  # fmt: skip

_SCORE = (
    _own("arms", tuple, ("sink", "sink+lora"), "of window, sink and recompute, each also with +lora or "
         "+paper; separated by commas", metavar="LIST", choices=_arms),
)  # fmt: skip

# A token that is translated costs about as much as so many that are read: on one core the bundled model
# writes at a fiftieth of the rate at which it reads.
_TRANSLATING = 60

JOBS: dict[str, JobSpec] = {
    "summarize": JobSpec("summarize", "summary", _SUMMARIZE, rivals=("length", "words"), keeps=True),
    "ask": JobSpec("ask", "answers", _ASK, passes=0),
    # Learning did not measure better (docs/log.md), so here it is only for who asks for it.
    "translate": JobSpec("translate", "translation", _TRANSLATE, defaults={"learn": False},
                     passes=_TRANSLATING),
    "continue": JobSpec("continue", "continuation", _CONTINUE, streams=True, keeps=True,
                    writes=lambda own: own["tokens"]),
    "read": JobSpec("read", "reading", keeps=True),
    "score": JobSpec("score", "score", _SCORE, ways=_ways),
}  # fmt: skip


def stream(task: str, path: str | os.PathLike[str], **options: Any) -> Iterator[Event]:
    """The events of one job, the last of them ``Done``.

    ``task`` is "summarize", "ask", "translate", "continue", "read" or "score"; ``path`` a file, "-" for the
    pipe, or "sample:en". Options are named as on the command line, ``learn=False`` for
    ``--no-learn``, and take precedence over LONGREAD_<OPTION> and config.toml, as flags do.
    TypeError for a name that does not exist, LongreadError for everything else.
    """
    if task not in JOBS:
        hint = config.suggestion(str(task), JOBS) or f"there are {', '.join(JOBS)}"
        raise UsageError(f"there is no task {task!r}", hint)
    job = JOBS[task]
    # What concerns the terminal alone (progress, quiet, verbose) is no keyword here.
    names = [
        s.keyword for s in (*job.settings, *config.SHARED) if s.name not in ("progress", "quiet", "verbose")
    ]
    fresh = bool(options.pop("fresh", False))  # a flag alone: no file or variable may throw a reading away
    for name in options:
        if name not in names:
            near = config.suggestion(name, names)
            raise TypeError(f"{task}() has no option {name!r}" + (f": {near}" if near else ""))
    own = job.parse(options, "{}=")
    settled = replace(config.options(config.resolve(options, "{}=", defaults=job.defaults)), fresh=fresh)
    return job.start(os.fspath(path), settled, own)


def _result(task: str, path: str | os.PathLike[str], options: Mapping[str, Any]) -> Any:
    for event in stream(task, path, **options):
        if isinstance(event, Done):
            return event.result
    raise LongreadError(f"{task} ended without a result")


def summarize(path: str | os.PathLike[str], **options: Any) -> Summary:
    """A summary: ``summary`` (prose), ``sections``, ``names``.

    Options: length, words, by, style, lang and the shared ones.
    """
    return _result("summarize", path, options)


def ask(path: str | os.PathLike[str], *questions: str, **options: Any) -> Answers:
    """Answers to questions about a text: ``answers``, each with ``answer``, ``found`` and ``evidence``.

    Options: questions (a file), evidence, answer, lang and the shared ones.
    """
    return _result("ask", path, {"question": questions or None, **options})


def continue_(path: str | os.PathLike[str], **options: Any) -> Continuation:
    """What a text might go on with: ``text``.

    Options: tokens, begin, until, temperature, top_p, top_k, min_p, repetition_penalty, kv_reuse and the
    shared ones.
    """
    return _result("continue", path, options)


def translate(path: str | os.PathLike[str], **options: Any) -> Translation:
    """A translation: ``segments``, each with ``source``, ``target`` and ``ok``, and the ``glossary``.

    Options: src, tgt, glossary and corrections (files), retry_failed, anyway and the shared ones.
    """
    return _result("translate", path, options)


def read(path: str | os.PathLike[str], **options: Any) -> Reading:
    """Read a text as the other jobs do: ``blocks``, ``adapter_sha256``. Options: the shared ones."""
    return _result("read", path, options)


def score(path: str | os.PathLike[str], **options: Any) -> Score:
    """Streaming perplexity: ``arms``, by name. Options: arms and the shared ones."""
    return _result("score", path, options)
