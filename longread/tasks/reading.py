"""What every task does first: open the text, load the model, read it block by block.

Knows the order of the phases and how to count what was read, learned and left unread.
Knows nothing of what a task makes of the reading, nor of how events are shown.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from longread.config import Options
from longread.errors import InputError, Interrupted
from longread.events import BlockRead, Event, Loaded, Note, Opened, Planned, Progress
from longread.reader import Document, open_document
from longread.reader.blocks import blocks
from longread.reader.part import part
from longread.shares import percent
from longread.tasks import estimate

if TYPE_CHECKING:
    from longread.engine.session import Session
    from longread.engine.shape import Shape
    from longread.model.load import LoadedModel
    from longread.reader.document import Block
    from longread.tasks.gather import Gatherer
    from longread.tasks.keep import Keeper

# Fewer tokens than this say nothing of a speed: the first blocks warm everything up.
_SAMPLE = 500


@dataclass
class Tally:
    """Tokens and seconds of a job, as ``stats`` reports them."""

    read: int = 0
    learned: int = 0
    unread: int = 0
    nll: float = 0.0
    blocks: int = 0
    share: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # a task's own counts

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the phase ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def as_dict(self) -> dict[str, Any]:
        return {
            # Nothing is ever dropped: what no model saw is unread.
            "tokens": {"read": self.read, "learned": self.learned, "dropped": 0, "unread": self.unread},
            "blocks": self.blocks,
            "share": round(self.share, 6),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            **self.extra,
        }


@dataclass
class Job:
    """One text about to be read. ``start`` and ``end`` are the characters asked for with ``--part``."""

    document: Document
    options: Options
    start: int
    end: int
    source: str = "-"  # the text's path, as given
    tally: Tally = field(default_factory=Tally)
    warnings: list[str] = field(default_factory=list)

    @property
    def characters(self) -> int:
        return self.end - self.start

    def warn(self, text: str) -> Note:
        """A warning for the user, remembered for the report."""
        self.warnings.append(text)
        return Note(text, "warning")


@contextmanager
def opened(path: str, options: Options) -> Iterator[Job]:
    """Open the text at ``path`` and find the part that is wanted."""
    began = time.perf_counter()
    with open_document(path, encoding=options.encoding) as document:
        start, end = part(document, options.part) if options.part else (0, document.characters)
        job = Job(document, options, start, end, path)
        job.tally.seconds["open"] = time.perf_counter() - began
        yield job


def announce(job: Job) -> Iterator[Event]:
    """What the text is, and what of it could not be read as it stands."""
    document = job.document
    yield Opened(document.as_dict(), document.words, document.left_out)
    for text in document.notes:
        yield job.warn(text)


def load(job: Job) -> LoadedModel:
    """The model that the options ask for, proved."""
    from longread.memory.policy import make_policy
    from longread.model.load import load_model

    with job.tally.phase("load"):
        options = job.options
        return load_model(
            options.model, make_policy, device=options.device, dtype=options.dtype, memory=options.memory
        )


def shape_of(loaded: LoadedModel, options: Options) -> Shape:
    """Block, window and sinks for this model and these options."""
    from longread.engine.shape import shape_for

    return shape_for(loaded.backbone, options.memory, len(loaded.prefix), learned_sink=loaded.learned_sink)


def introduce(
    job: Job,
    loaded: LoadedModel,
    *,
    reads: bool = True,
    ways: Sequence[estimate.Way] = (),
    writes: int = 0,
    notes: estimate.Notes | None = None,
    keeps: bool = False,
) -> Iterator[Event]:
    """What the model is and what is about to be done, as ``planned`` says, which is no plan at all where it
    ``reads`` nothing."""
    stateful = loaded.backbone.stateful
    yield Loaded(
        model=loaded.name,
        parameters=loaded.parameters,
        device=str(loaded.backbone.device),
        dtype=loaded.dtype,
        policy="sink" if stateful else "recompute",
        trust=loaded.trust.says,
        seconds=job.tally.seconds.get("load", 0.0),
    )
    if not stateful:
        yield job.warn(f"{loaded.name} is read in chunks without a cache: {loaded.verdict.why}")
    if loaded.fit_says:
        yield job.warn(loaded.fit_says)
    if loaded.encoder.note:
        yield Note(loaded.encoder.note)
    if reads:
        yield planned(job, loaded, ways=ways, writes=writes, notes=notes, keeps=keeps)


def planned(
    job: Job,
    loaded: LoadedModel,
    *,
    ways: Sequence[estimate.Way] = (),
    writes: int = 0,
    notes: estimate.Notes | None = None,
    keeps: bool = False,
) -> Planned:
    """What is about to be done: one reading of the text, or one in each of several ``ways``, and so many
    tokens that are written (``writes``), or ``notes``. A job that ``keeps`` its reading has less to do where
    one is there."""
    shape, read = shape_of(loaded, job.options), 0.0
    if keeps:
        from longread.tasks.keep import read_before

        read = read_before(job, loaded, shape)
    told = replace(job, options=estimate.as_loaded(job.options, loaded))
    return estimate.plan(
        told,
        loaded.found,
        loaded.encoder,
        shape,
        ways=ways,
        stateful=loaded.backbone.stateful,
        checkpointed=loaded.backbone.checkpointed,
        read=read,
        writes=writes,
        notes=notes,
    )


@contextmanager
def session_for(
    job: Job, loaded: LoadedModel, *, gatherer: Gatherer | None = None
) -> Iterator[tuple[Session, Keeper | None]]:
    """A session for the job and, unless it is told to save nothing, the keeper of its reading.

    With a ``gatherer`` blocks carry hidden states; it is fed by the keeper, or by ``read_blocks``.
    """
    from longread.engine.session import Session
    from longread.tasks.keep import Keeper

    shape = shape_of(loaded, job.options)
    with ExitStack() as stack:
        keeper = None
        if job.options.save and gatherer is not None:
            keeper = stack.enter_context(Keeper(job, loaded, shape, gatherer))
        session = Session(
            loaded.backbone,
            loaded.prefix,
            shape,
            job.options.memory,
            seed=job.options.seed,
            keep_hidden=gatherer is not None,
        )
        yield stack.enter_context(session), keeper


def read_blocks(
    job: Job,
    loaded: LoadedModel,
    session: Session,
    *,
    keeper: Keeper | None = None,
    gatherer: Gatherer | None = None,
    phase: str = "reading",
) -> Iterator[Event]:
    """Every block of the job through the session: ``BlockRead`` and ``Progress``, in order.

    With a ``keeper`` what was read before is taken up, and what is read is saved; without one a ``gatherer``
    may be fed. Raises ``InputError`` if the text holds no token. An ``Interrupted`` thrown in passes through
    once the tally is right and the reading is saved.
    """
    document, tally = job.document, job.tally
    began, before, busy = time.perf_counter(), 0, 0.0
    saved = tally.seconds.get("saving", 0.0)
    stream = blocks(document, loaded.encoder, session.shape.block, start=job.start, end=job.end)
    try:
        if keeper is not None:
            yield from keeper.restore(session)
        began, before = time.perf_counter(), tally.read
        for block in stream if keeper is None else keeper.rest(stream):
            if keeper is not None:
                yield from keeper.before(session, block)
            events = yield from _step(job, session, block, keeper)
            report = events[-1]
            assert isinstance(report, BlockRead)
            at, busy = block.end, busy + report.seconds
            tally.read += len(block)
            tally.learned += len(block) if report.learned else 0
            tally.nll += report.nll
            tally.blocks += 1
            tally.share = (at - job.start) / max(document.characters, 1)
            if gatherer is not None:
                gatherer.feed(report)
            if keeper is not None:
                yield from keeper.after(session, report)
            for event in events:
                if isinstance(event, Note) and event.level == "warning":
                    job.warnings.append(event.text)
                yield event
            seconds = time.perf_counter() - began
            done = (at - job.start) / max(job.characters, 1)
            speed = (tally.read - before) / seconds
            total = round(tally.read / max(done, 1e-9))
            yield Progress(
                phase=phase,
                done=tally.read,
                total=total,
                unit="tokens",
                chapter=document.chapters[block.chapter].title if block.chapter is not None else "",
                share=block.share,
                tokens_per_second=speed,
                seconds_left=(total - tally.read) / speed,
            )
        if keeper is not None:
            yield from keeper.save(session, complete=True)
    except Interrupted:
        # Where memory ran out a block may be half read: then the last save stands.
        if keeper is not None and session.between_blocks:
            yield from keeper.save(session)
        raise
    finally:
        seconds = time.perf_counter() - began - (tally.seconds.get("saving", 0.0) - saved)
        tally.seconds[phase] = tally.seconds.get(phase, 0.0) + seconds
        done = round(tally.share * max(document.characters, 1))
        left = job.characters - done
        tally.unread = round(tally.read * left / max(done, 1)) if left else 0
    if not tally.read:
        raise InputError(
            f"{document.name} holds no text that could be read", "look at it with `longread read --text`"
        )
    if busy and tally.read - before >= _SAMPLE:
        speed, cached = (tally.read - before) / busy, session.policy.stateful
        options = estimate.as_loaded(job.options, loaded)
        estimate.remember_speed(loaded.found, session.shape, options, speed, cached=cached)


def _step(
    job: Job, session: Session, block: Block, keeper: Keeper | None
) -> Generator[Event, None, list[Event]]:
    """What happened to a block. Where memory runs out, what was read is saved and less is taken at once."""
    from longread.engine.shrink import OutOfMemory, shrink

    while True:
        try:
            return session.step(block)
        except OutOfMemory:
            pass  # outside the handler, where nothing of the failed pass is held
        try:
            said = shrink(session)
        finally:
            if keeper is not None and session.between_blocks:
                yield from keeper.save(session)
        yield job.warn(f"block {block.index + 1}: {said}")


def stopped(job: Job, error: Interrupted) -> Interrupted:
    """The same interruption, worded with how far the reading came."""
    words = f"stopped after {percent(job.tally.share)} of the book ({job.tally.read:,} tokens)"
    return Interrupted(words, error.hint)
