"""Between a job that reads and the reading it leaves on disk.

Knows when to save, what a save holds, and how a job takes up where an earlier one
stopped. Knows nothing of how a block is read (``engine``) or how a file is written
(``store``).
"""

from __future__ import annotations

import hashlib
import os
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from longread.errors import LongreadError, OutputError
from longread.events import BlockRead, Event, Note
from longread.model.fingerprint import fingerprint
from longread.model.machine import taken
from longread.reader.document import Block
from longread.shares import percent
from longread.store import files, reading, rows, saves
from longread.store.library import Library
from longread.store.reading import Reading
from longread.store.rows import Rows
from longread.tasks.gather import Gatherer

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from longread.engine.session import Session
    from longread.engine.shape import Shape
    from longread.model.find import Found
    from longread.model.load import LoadedModel
    from longread.tasks.estimate import Sizes
    from longread.tasks.reading import Job

EVERY = 8  # blocks between two saves, at least
SHARE = 0.02  # of the time may go into saving
# What is kept of each block: name -> how it is held in memory and on disk.
_COLUMNS = {
    "tokens": ("q", np.int32),
    "nll": ("d", np.float64),
    "without": ("d", np.float64),  # NaN where the watch did not measure it
    "start": ("q", np.int64),
    "end": ("q", np.int64),
}


class Keeper:
    """The reading that a job builds or takes up; nobody else may write to it meanwhile.

    Use as a context manager around the session. ``gatherer`` collects sentences on the
    way, so that what is read once can be summarized without reading it again.
    """

    def __init__(self, job: Job, loaded: LoadedModel, shape: Shape, gatherer: Gatherer) -> None:
        self.job, self.gatherer = job, gatherer
        self.resumed_at = 0
        self.reading: Reading | None = None
        self._loaded, self._shape = loaded, shape
        self._policy = "sink" if loaded.backbone.stateful else "recompute"
        self._columns = {name: array(kind) for name, (kind, _) in _COLUMNS.items()}
        self._digest = hashlib.sha256()
        self._start: saves.Save | None = None
        self._tensors: dict[str, Tensor] | None = None  # of a start in another reading
        self._rows: Rows | None = None
        self._since, self._saved_at, self._cost = 0, time.perf_counter(), 0.0
        self._told = False
        self._notes: list[Event] = []
        self._stack = ExitStack()

    @property
    def complete(self) -> bool:
        """Whether the reading on disk was complete when it was opened; that of a shorter text is not."""
        start = self._start
        return start is not None and start.complete and start.folder.parent == self.reading.saves

    def __enter__(self) -> Keeper:
        key = _key(self.job, self._loaded.weights, self._loaded.dtype, self._shape)
        root = Library().root
        with ExitStack() as stack:
            self.reading = reading.require(reading.create(root, _manifest(self.job, self._loaded, key)))
            stack.enter_context(self.reading.writing())
            if self.job.options.fresh:
                self.reading.clear()
            else:
                self._find_start(root, key)
            self._rows = stack.enter_context(Rows(self.reading.rows))
            self._rows.cut(self._start.blocks if self._start else 0)
            words = self._useless()
            if words:
                self._notes.append(self.job.warn(f"{words}; the text is read again from the start"))
                self._start = self._tensors = None
                self._rows.cut(0)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def _useless(self) -> str:
        """Why nothing can go on from the save that was found; "" where something can."""
        record, own = self._start.record if self._start else {}, self.reading.id[:8]
        if record.get("rows", len(self._rows)) != len(self._rows):
            return f"the saved reading {own} has lost sentences: its rows.db is another"
        if record.get("policy", self._policy) != self._policy:
            return (
                f"the saved reading {own} keeps the text in another way than this model is now trusted with"
            )
        return ""

    def _find_start(self, root: Path, key: dict[str, Any]) -> None:
        """Where to take up: this text's newest sound save, else that of a text that this one begins with."""
        found, wrong = saves.sound(self.reading.saves)
        for why in wrong:
            words = f"the saved reading {self.reading.id[:8]} is damaged: {why}"
            rest = "going on from the save before it" if found else "the text is read again from the start"
            self._notes.append(self.job.warn(f"{words}; {rest}"))
        if found:
            self._start = found[0]
        elif not wrong:
            from longread.tasks.grown import grown_from

            older = grown_from(self.job, self._loaded, self._shape, key, Library(root))
            if older is not None:
                self._take_over(*older)
            self._notes += [
                Note(
                    f"its saved reading {old.id[:8]} was made by an older version and stays as it is; "
                    "the text is read again"
                )
                for old in Library(root).for_text(key["text"])
                if old.outdated
            ]

    def _take_over(self, before: Reading, start: saves.Save) -> None:
        """Begin where a ``start`` of the reading ``before`` ends, unless somebody writes to that just now."""
        name = before.manifest.get("name") or before.id[:8]
        if not before.rows.exists():  # lost: what it has read is not known any more
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(before.writing())
                self._tensors = start.tensors()
            except (OutputError, OSError):
                self._notes.append(
                    Note(f"this text begins with one that is being read just now ({name}): it begins anew")
                )
                return
            try:
                rows.copy(before.rows, self.reading.rows)
            except LongreadError:
                words = f"this text begins with one read before ({name}), whose rows.db is damaged"
                self._notes.append(self.job.warn(f"{words}: it begins anew"))
                return
        self._start = start
        self._notes.append(Note(f"this text begins with one read before ({name}); going on from there"))

    def restore(self, session: Session) -> Iterator[Event]:
        """Bring the session, the counts and the gathered sentences to where the last save left them."""
        yield from self._notes
        if self._start is None:
            return
        record, tensors = self._start.record, self._tensors or self._start.tensors()
        self._tensors = None
        session.load({k.removeprefix("session."): v for k, v in tensors.items() if k.startswith("session.")})
        kept = {k: v.numpy() for k, v in tensors.items()}
        for name, column in self._columns.items():
            column.extend(kept[f"blocks.{name}"].tolist())
        self.gatherer.load(
            {k.removeprefix("gather."): v for k, v in kept.items() if k.startswith("gather.")}, self._rows
        )
        tally = self.job.tally
        tally.read, tally.learned, tally.nll = record["tokens"], record["learned"], record["nll"]
        tally.blocks = self.resumed_at = record["blocks"]
        # Of this text, which may be longer than the one that was read then.
        ends = self._columns["end"]
        tally.share = (ends[-1] - self.job.start) / max(self.job.document.characters, 1) if ends else 0.0
        tally.extra["resumed_at"] = self.resumed_at
        if not self.complete:
            yield Note(f"resumed at {percent(tally.share)} of the book (block {self.resumed_at:,})")
        if record["threads"] != _threads():
            yield Note(
                f"this reading was begun with {record['threads']} threads and goes on with {_threads()}: "
                "its last bits may differ from an unbroken one"
            )

    def rest(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The blocks that are not yet read. OutputError if the text no longer gives the tokens it gave."""
        for block in blocks:
            if block.index == self.resumed_at and self._start is not None:
                self._check()
            if block.index >= self.resumed_at:
                yield block
            else:
                self._digest.update(block.ids.tobytes())
        if self.complete:
            self._check()

    def _check(self) -> None:
        if self._digest.hexdigest() != self._start.record["ids"]:
            raise OutputError(
                f"the saved reading {self.reading.id[:8]} was made from other tokens than this text now has",
                "read it again with --fresh",
            )

    def before(self, session: Session, block: Block) -> Iterator[Event]:
        """Called before each block is read: saves what stands if the block is a tail.

        A tail is not what it will be when the text has grown: that text goes on from before it.
        """
        if len(block) < self._shape.block and self._since:
            yield from self.save(session)

    def after(self, session: Session, report: BlockRead) -> Iterator[Event]:
        """Take in a block that was read, and save if it is time to."""
        block = report.block
        self._digest.update(block.ids.tobytes())
        without = float("nan") if report.nll_without is None else report.nll_without
        for name, value in zip(
            _COLUMNS, (report.tokens, report.nll, without, block.start, block.end), strict=True
        ):
            self._columns[name].append(value)
        self.gatherer.feed(report)
        self._since += 1
        if self._since >= EVERY and time.perf_counter() - self._saved_at >= self._cost / SHARE:
            yield from self.save(session)

    def save(self, session: Session, *, complete: bool = False) -> Iterator[Event]:
        """Put everything on disk as it is after the last block; says where, the first time."""
        import torch

        if not self._since and not (complete and not self.complete):
            return
        began, tally = time.perf_counter(), self.job.tally
        tensors = {f"session.{name}": value for name, value in session.state().items()}
        for name, (_, kind) in _COLUMNS.items():
            tensors[f"blocks.{name}"] = torch.from_numpy(np.array(self._columns[name], kind))
        for name, value in self.gatherer.state().items():
            tensors[f"gather.{name}"] = torch.from_numpy(np.ascontiguousarray(value))
        record = {
            "blocks": tally.blocks,
            "tokens": tally.read,
            "learned": tally.learned,
            "nll": tally.nll,
            "share": tally.share,
            "complete": complete,
            "policy": self._policy,
            "ids": self._digest.hexdigest(),
            "threads": _threads(),
            "saved": _now(),
            "lora": [[n, list(p.shape)] for n, p in session.lora.parameters.items()] if session.lora else [],
            "adapter_sha256": session.lora.sha256() if session.lora else None,
        }
        try:
            last = tally.blocks - 1
            self._rows.append((last, row.tobytes(), vector.tobytes()) for row, vector in self.gatherer.fresh)
            record["rows"] = len(self._rows)
            saves.write(self.reading.saves, record, tensors)
        except OSError as error:
            raise files.unwritable(self.reading.folder, error) from error
        self.gatherer.fresh.clear()
        self._since, self._saved_at = 0, time.perf_counter()
        self._cost = self._saved_at - began
        tally.seconds["saving"] = tally.seconds.get("saving", 0.0) + self._cost
        if not self._told and self.resumed_at == 0:
            size = files.size(self.reading.folder) / 1e6
            yield Note(
                f"saving the reading in {self.reading.folder} ({size:.0f} MB so far); "
                f"`longread readings rm {self.reading.id[:8]}` drops it"
            )
        self._told = True


def _key(job: Job, weights: str, dtype: str, shape: Sizes) -> dict[str, Any]:
    """What makes a reading this one and no other."""
    memory = {k: v for k, v in asdict(job.options.memory).items() if k != "answering_adapter"}
    whole = (job.start, job.end) == (0, job.document.characters)
    return {
        "text": job.document.sha256,
        "extractor": reading.EXTRACTOR,
        "engine": reading.ENGINE,
        "weights": weights,
        "memory": {**memory, "block": shape.block, "window": shape.window, "sinks": shape.sinks},
        "dtype": dtype,
        "part": None if whole else [job.start, job.end],
        "seed": job.options.seed,
    }


def read_before(job: Job, loaded: LoadedModel, shape: Shape) -> float:
    """How much of the job a saved reading has read already, 0 to 1; 0 where the options want none of it."""
    return _read_before(job, _key(job, loaded.weights, loaded.dtype, shape))


def foreseen(job: Job, found: Found, shape: Sizes) -> float:
    """The same before the model is loaded. Its weights are hashed where that was never done and the text has
    a reading."""
    if not Library().for_text(job.document.sha256):
        return 0.0
    dtype = taken(job.options.device, job.options.dtype)[1]
    return _read_before(job, _key(job, fingerprint(found.folder), dtype, shape))


def _read_before(job: Job, key: dict[str, Any]) -> float:
    if job.options.fresh or not job.options.save:
        return 0.0
    save = saves.newest(Library().root / reading.identity(key) / "saves")[0]
    share = save.record.get("share") if save else None
    if not isinstance(share, int | float):
        return 0.0
    return min(1.0, max(0.0, min(1, share) * job.document.characters / max(job.characters, 1)))


def _manifest(job: Job, loaded: LoadedModel, key: dict[str, Any]) -> dict[str, Any]:
    from longread import __version__

    document, source = job.document, job.source
    return {
        "key": key,
        "name": document.name,
        "source": source if source == "-" or source.startswith("sample:") else os.path.abspath(source),
        "text": document.as_dict(),
        "chapters": [[chapter.title, chapter.start, chapter.end] for chapter in document.chapters],
        "model": {
            "name": loaded.name,
            "given": loaded.found.given,
            "weights": loaded.weights,
            "parameters": loaded.parameters,
        },
        "memory": key["memory"],
        "dtype": key["dtype"],
        "part": [job.start, job.end],
        "device": str(loaded.backbone.device),
        "created": _now(),
        "longread": __version__,
    }


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
