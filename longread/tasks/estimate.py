"""How long a job will take and how much memory, before it is begun.

Knows a model's config, the tokens of a sample of the text and the speeds measured on
this machine by earlier jobs. Loads no model and imports no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from longread.config import Options
from longread.model import fit
from longread.model.cached import parameters_in
from longread.model.find import Found
from longread.model.fingerprint import recall, remember
from longread.model.machine import matrix_rate, memory_on
from longread.model.room import bytes_a_value

if TYPE_CHECKING:
    from longread.tasks.reading import Job

_SAMPLE = 40_000  # characters encoded to learn how many a token has
_ONE_BY_ONE = 8.0  # a token that is written, than one that is read and learned from
_WRITING = "/writing"


class Sizes(Protocol):
    """Block, window and sinks, in tokens."""

    block: int
    window: int
    sinks: int


@dataclass(frozen=True)
class Plan:
    """The fields of ``events.Planned``."""

    tokens: int
    blocks: int
    block: int
    window: int
    sinks: int
    learn: bool
    seconds: float
    memory_bytes: int
    share: float
    memory_parts: dict[str, int]


def plan(
    job: Job, found: Found, encoder: Any, shape: Sizes, *, stateful: bool = True, checkpointed: bool = False
) -> Plan:
    """Tokens, blocks, seconds and memory of reading a job once."""
    per_token = _characters_per_token(job, encoder)
    tokens = max(1, round(job.characters / per_token)) if job.characters else 0
    memory = job.options.memory
    speed = _speed(found, shape, job.options, checkpointed)
    needs = fit.needs(
        found.config,
        fit.Sizes(shape.block, shape.window, shape.sinks),
        bytes_a_value=bytes_a_value(memory_on(job.options.device), job.options.dtype),
        rank=memory.rank,
        learn=memory.learn,
        stateful=stateful,
        checkpointed=checkpointed,
        parameters=parameters_in(found.folder),
    )
    return Plan(
        tokens=tokens,
        blocks=-(-tokens // shape.block),
        block=shape.block,
        window=shape.window,
        sinks=shape.sinks,
        learn=memory.learn,
        seconds=tokens / speed,
        memory_bytes=needs.total,
        share=job.characters / max(job.document.characters, 1),
        memory_parts=vars(needs),
    )


def _characters_per_token(job: Job, encoder: Any) -> float:
    """From the middle of the text: a book's first pages are not like the rest."""
    low = job.start + max(0, (job.characters - _SAMPLE) // 2)
    sample = "".join(job.document.text(low, min(low + _SAMPLE, job.end)))
    return max(len(sample), 1) / max(len(encoder.encode(sample)), 1)


def writing_seconds(found: Found, shape: Sizes, options: Options, tokens: int) -> float:
    """How long ``tokens`` take to write, one by one, learned from unless ``options`` say otherwise."""
    known = known_speed(found, shape, options, _WRITING)
    return tokens / (known or _speed(found, shape, options) / _ONE_BY_ONE)


def remember_speed(
    found: Found, shape: Sizes, options: Options, speed: float, *, writing: bool = False
) -> None:
    """Keep the tokens a second of a finished reading, or of a text written, for the next estimate."""
    remember("speeds.json", _key(found, shape, options) + _WRITING * writing, round(speed, 1))


def _speed(found: Found, shape: Sizes, options: Options, checkpointed: bool = False) -> float:
    """Tokens a second: as measured on this machine, else from its matrix rate."""
    known = known_speed(found, shape, options)
    if known is not None:
        return known
    sizes = fit.Sizes(shape.block, shape.window, shape.sinks)
    learn = options.memory.learn
    return fit.speed(found.config, sizes, matrix_rate(), learn=learn, checkpointed=checkpointed)


def known_speed(found: Found, shape: Sizes, options: Options, kind: str = "") -> float | None:
    """Tokens a second of the last such reading, or writing, on this machine; None where there was none."""
    known = recall("speeds.json").get(_key(found, shape, options) + kind)
    return float(known) if isinstance(known, int | float) and known > 0 else None


def _key(found: Found, shape: Sizes, options: Options) -> str:
    memory = options.memory
    how = f"{memory.recipe}-{memory.rank}" if memory.learn else "plain"
    return (
        f"{found.folder}/{options.device}/{options.dtype}/{shape.block}-{shape.window}/{how}/{os.cpu_count()}"
    )
