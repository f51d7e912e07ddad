"""``continue``: a text written on from where it ends, in its author's manner as far as the model has it.

Knows the order: read, join, write until it is enough. How a block is written and learned
stands in ``engine/writing.py``, where a text stops in ``ending.py``.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longread.config import Options
from longread.engine.drawing import Sampling
from longread.errors import Interrupted, LongreadError
from longread.events import Done, Event, Note, Progress, Text
from longread.model.catalog import TRUSTED_FROM
from longread.tasks import estimate, reading
from longread.tasks.continue_.ending import Ending, longest, seam
from longread.tasks.gather import gatherer_for

if TYPE_CHECKING:
    from longread.engine.session import Session
    from longread.engine.writing import Writing
    from longread.model.load import LoadedModel

TOKENS = 500  # where nobody says how many
_PER_TOKEN = 12  # characters of the text's end that hold a token, with much to spare
_TICK = 16  # tokens between two words on how far it is
_SAMPLE = 100  # tokens that say how long others take


@dataclass(frozen=True)
class Continuation:
    """``text`` follows the last character of the text as read; what it was told to begin with is in it."""

    text: str


@dataclass(frozen=True)
class Wish:
    """What is to be written: about so many tokens, first and last words, how tokens are drawn."""

    tokens: int
    begin: str
    until: str
    sampling: Sampling
    reuse: int | None


def continue_(
    path: str,
    options: Options,
    *,
    tokens: int = TOKENS,
    begin: str = "",
    until: str = "",
    temperature: float = 0.8,
    top_p: float = 0.95,
    top_k: int = 0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.1,
    kv_reuse: int | None = None,
) -> Iterator[Event]:
    """Read the text at ``path``, then write about ``tokens`` tokens more; the result is a ``Continuation``.

    The text comes as ``Text`` events. It starts with ``begin`` and ends with ``until``, with a
    paragraph near the length asked for, or where the model goes in circles and cannot be
    led out. ``UsageError`` for sampling that does not exist.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
    wish = Wish(tokens, begin, until, sampling, kv_reuse)
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        loaded = reading.load(job)
        yield from reading.introduce(job, loaded, writes=tokens, keeps=options.save)
        if loaded.parameters < TRUSTED_FROM:
            yield Note(f"{loaded.name} is too small a model to tell a story: expect words in the text's "
                       "manner, not sense")  # fmt: skip
        gatherer = gatherer_for(job, loaded, hold=False) if options.save else None
        with reading.session_for(job, loaded, gatherer=gatherer) as (session, keeper):
            try:
                yield from reading.read_blocks(job, loaded, session, keeper=keeper)
            except Interrupted as error:
                raise reading.stopped(job, error) from None
            with job.tally.phase("writing"):
                text, partial = yield from _write(job, loaded, session, wish)
        yield Done(
            "continue",
            loaded.name,
            job.document.as_dict(),
            Continuation(text),
            job.tally.as_dict(),
            partial=partial,
            warnings=tuple(job.warnings),
        )


def check(
    job: reading.Job,
    *,
    temperature: float,
    top_p: float,
    top_k: int,
    min_p: float,
    repetition_penalty: float,
    **_: object,
) -> None:
    """What can be refused of a job before a model is loaded, as the job itself refuses it."""
    Sampling(temperature, top_k, top_p, min_p, repetition_penalty)


def _write(
    job: reading.Job, loaded: LoadedModel, session: Session, wish: Wish
) -> Generator[Event, None, tuple[str, bool]]:
    """Text, notes and progress; returns what was written, and whether Ctrl-C or an error cut it short."""
    from longread.engine.writing import Writing

    memory, began = session.memory, time.perf_counter()
    reach = max(job.start, job.end - _PER_TOKEN * session.shape.window)
    tail = "".join(job.document.text(reach, job.end))
    off = session.lora is not None and not memory.answering_adapter
    pieces: list[str] = []
    with session.lora.off() if off else nullcontext():
        past = loaded.encoder.encode(tail)
        writing = Writing(session, past, learn=memory.answering_adapter, reuse=wish.reuse)
        partial = False
        try:
            with closing(_events(job, loaded, writing, wish, tail)) as events:
                for event in events:
                    if isinstance(event, Text):
                        pieces.append(event.text)
                    yield event
        except Interrupted:
            partial = True
        except LongreadError as error:
            if not writing.written:
                raise
            partial = True  # what was written before it is kept
            yield job.warn(f"the text was cut short: {error}" + (f"; {error.hint}" if error.hint else ""))
    if writing.written >= _SAMPLE:
        speed = writing.written / (time.perf_counter() - began)
        options = estimate.as_loaded(job.options, loaded)
        estimate.remember_speed(loaded.found, session.shape, options, speed, kind=estimate.WRITING)
    job.tally.extra |= {"written": writing.written, "learned_writing": writing.learned}
    if writing.skipped:
        yield job.warn(f"{writing.skipped} steps were skipped: their gradients were not finite")
    return "".join(pieces), partial


def _events(
    job: reading.Job, loaded: LoadedModel, writing: Writing, wish: Wish, tail: str
) -> Generator[Event, None, None]:
    """The text as it comes, how far it is, and in the end why it is over where that is not plain."""
    from longread.engine.decode import Ended
    from longread.engine.writing import write

    encoder = loaded.encoder
    style = {"layout": job.document.layout, "language": job.document.language}
    opening = seam(tail, **style, begins=bool(wish.begin)) + wish.begin
    if opening:
        writing.say(encoder.cutter.onward.encode(opening, add_special_tokens=False).ids)
        yield Text(opening)
    speller = encoder.streamer()
    if writing.last is not None:
        speller.push(writing.last)  # what comes is not the beginning of a text
    ending = Ending(wish.tokens, until=wish.until, before=tail + opening, **style)
    told, began = 0, time.perf_counter()
    source = write(
        writing,
        speller,
        max_tokens=longest(wish.tokens),
        sampling=wish.sampling,
        seed=job.options.seed,
        never=encoder.special_ids(),  # the length asked for says when it is over
    )
    with closing(source):
        for event in source:
            if isinstance(event, Text):
                shown = ending.take(event.text, writing.written)
                if shown:
                    yield Text(shown)
                if ending.over:
                    yield from _remark(ending.over, wish, job)
                    return
                if writing.written >= told + _TICK:
                    told = writing.written
                    yield _progress(told, wish.tokens, time.perf_counter() - began)
            elif isinstance(event, Ended):
                yield from _remark(event.reason, wish, job)
            else:
                yield event


def _progress(written: int, wanted: int, seconds: float) -> Progress:
    speed = written / max(seconds, 1e-9)
    left = max(0, wanted - written) / speed
    share = min(1.0, written / wanted)
    return Progress("writing", min(written, wanted), wanted, "tokens", "", share, speed, left)


def _remark(reason: str, wish: Wish, job: reading.Job) -> Iterator[Event]:
    """Why the text is over, where the user did not ask for that."""
    if reason == "loop":
        yield job.warn("the text went in circles again and again and was stopped; another --seed or a higher "
                       "--temperature may do better")  # fmt: skip
    elif wish.until and reason != "until":
        yield Note(f"stopped near {wish.tokens} tokens without {wish.until!r}; --tokens N writes more")
    elif reason == "length":
        yield Note("no sentence ended near the length asked for: the last one is not complete")
