"""What a running job reports: frozen dataclasses that carry measurements.

Knows the words between a task and whoever listens. Knows nothing of how they are
shown (``longread.cli.render``) nor of how they are measured (``longread.engine``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Base of all events. ``name`` is what ``--jsonl`` calls it."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def as_dict(self) -> dict[str, Any]:
        """The event as plain data, without the fields marked ``private`` (tensors and such)."""
        record: dict[str, Any] = {"event": self.name}
        for item in dataclasses.fields(self):
            if not item.metadata.get("private"):
                value = getattr(self, item.name)
                record[item.name] = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        return record


def private() -> Any:
    """A field that stays inside the program: it is never printed or serialised."""
    return field(default=None, repr=False, compare=False, metadata={"private": True})


@dataclass(frozen=True)
class Opened(Event):
    """A document is open and its outline known. ``document`` is every JSON's field of that name."""

    document: dict[str, Any]
    words: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded(Event):
    """A model is in memory. ``trust`` says in words what it is trusted with."""

    model: str
    parameters: int
    device: str
    dtype: str
    policy: str
    trust: str
    seconds: float


@dataclass(frozen=True)
class Planned(Event):
    """What is about to be done. ``tokens`` is an estimate until the text is encoded; a saved reading has read
    ``read`` of them already, and ``seconds`` are those of the rest. ``writing`` of the seconds go into the
    ``writes`` tokens that are written; None, and not counted, where nothing is known here of that.

    ``memory_parts`` are the bytes of the weights, the cache of keys and values, the
    activations and the adapter, at the peak; ``memory_bytes`` is their sum.
    """

    tokens: int
    blocks: int
    block: int
    window: int
    sinks: int
    learn: bool
    seconds: float
    memory_bytes: int
    share: float = 1.0
    memory_parts: dict[str, int] = field(default_factory=dict)
    read: int = 0
    writes: int = 0
    writing: float | None = 0.0


@dataclass(frozen=True)
class Progress(Event):
    """Where a phase stands; ``done`` and ``total`` are in ``unit``, ``total`` may be an estimate, or 0."""

    phase: str
    done: float
    total: float
    unit: str
    chapter: str = ""
    share: float = 0.0
    tokens_per_second: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class Transfer(Progress):
    """Where a download stands; ``chapter`` is the file that is coming."""

    bytes_per_second: float = 0.0


@dataclass(frozen=True)
class BlockRead(Event):
    """One block was scored, perhaps learned from, and kept.

    ``nll`` is the sum over the block's ``tokens`` of -log p in nats, measured before
    the adapter saw the block. ``nll_without`` is the same without the adapter, on the
    blocks where the watch measured it. ``token_nll`` [tokens] and ``hidden``
    [tokens, width] are float32 arrays for tasks that want them; ``block`` is the
    ``reader`` block itself.
    """

    index: int
    tokens: int
    nll: float
    share: float
    seconds: float
    learned: bool
    rate: float = 0.0
    nll_without: float | None = None
    chapter: int | None = None
    token_nll: Any = private()
    hidden: Any = private()
    block: Any = private()


@dataclass(frozen=True)
class Note(Event):
    """Something the user should read. ``level`` is "note" or "warning"."""

    text: str
    level: str = "note"


@dataclass(frozen=True)
class Text(Event):
    """A piece of the answer, as soon as it exists."""

    text: str


@dataclass(frozen=True)
class Done(Event):
    """The job is over. ``result`` is the task's frozen dataclass, ``stats`` its counts and seconds."""

    command: str
    model: str
    document: dict[str, Any]
    result: Any
    stats: dict[str, Any]
    partial: bool = False
    warnings: tuple[str, ...] = ()
