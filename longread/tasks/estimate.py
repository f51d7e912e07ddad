"""How long a job will take and how much memory, before it is begun.

Knows a model's config, the tokens of a sample of the text and the speeds measured on
this machine by earlier jobs. Loads no model and imports no torch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from longread.config import Memory, Options
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


@dataclass(frozen=True)
class Way:
    """One way to read a text: what is learned, and whether keys are kept or the window is encoded anew."""

    memory: Memory
    cached: bool = True


def plan(
    job: Job,
    found: Found,
    encoder: Any,
    shape: Sizes,
    *,
    ways: Sequence[Way] = (),
    stateful: bool = True,
    checkpointed: bool = False,
) -> Plan:
    """Tokens, blocks, seconds and memory of reading a job once, or once in each of several ``ways``.

    ``stateful`` is False for a model that keeps no keys in any way.
    """
    per_token = _characters_per_token(job, encoder)
    tokens = max(1, round(job.characters / per_token)) if job.characters else 0
    ways = [Way(way.memory, way.cached and stateful) for way in ways or [Way(job.options.memory)]]
    needs = max(
        (
            fit.needs(
                found.config,
                fit.Sizes(shape.block, shape.window, shape.sinks),
                bytes_a_value=bytes_a_value(memory_on(job.options.device), job.options.dtype),
                rank=way.memory.rank,
                learn=way.memory.learn,
                stateful=way.cached,
                checkpointed=checkpointed,
                parameters=parameters_in(found.folder),
            )
            for way in ways
        ),
        key=lambda needs: needs.total,
    )
    return Plan(
        tokens=tokens,
        blocks=-(-tokens // shape.block),
        block=shape.block,
        window=shape.window,
        sinks=shape.sinks,
        learn=any(way.memory.learn for way in ways),
        seconds=tokens * sum(pace(found, shape, job.options, way, checkpointed) for way in ways),
        memory_bytes=needs.total,
        share=job.characters / max(job.document.characters, 1),
        memory_parts=vars(needs),
    )


def _characters_per_token(job: Job, encoder: Any) -> float:
    """From the middle of the text: a book's first pages are not like the rest."""
    low = job.start + max(0, (job.characters - _SAMPLE) // 2)
    sample = "".join(job.document.text(low, min(low + _SAMPLE, job.end)))
    return max(len(sample), 1) / max(len(encoder.encode(sample)), 1)


def writing_seconds(
    found: Found, shape: Sizes, options: Options, tokens: int, *, cached: bool = True
) -> float:
    """How long ``tokens`` take to write, one by one, learned from unless ``options`` say otherwise."""
    known = known_speed(found, shape, options, _WRITING)
    return tokens / (known or _speed(found, shape, options, cached=cached) / _ONE_BY_ONE)


def pace(found: Found, shape: Sizes, options: Options, way: Way, checkpointed: bool = False) -> float:
    """Seconds a token takes to read in this ``way``."""
    options = replace(options, memory=way.memory)
    return 1 / _speed(found, shape, options, checkpointed, cached=way.cached)


def remember_speed(
    found: Found,
    shape: Sizes,
    options: Options,
    speed: float,
    *,
    writing: bool = False,
    cached: bool = True,
) -> None:
    """Keep the tokens a second of a finished reading, or of a text written, for the next estimate."""
    key = _key(found, shape, options, cached) + _WRITING * writing
    remember("speeds.json", key, round(speed, 1))


def _speed(
    found: Found, shape: Sizes, options: Options, checkpointed: bool = False, cached: bool = True
) -> float:
    """Tokens a second: as measured on this machine, else from its matrix rate."""
    known = known_speed(found, shape, options, cached=cached)
    if known is not None:
        return known
    sizes = fit.Sizes(shape.block, shape.window, shape.sinks)
    learn = options.memory.learn
    return fit.speed(
        found.config, sizes, matrix_rate(), learn=learn, checkpointed=checkpointed, cached=cached
    )


def known_speed(
    found: Found, shape: Sizes, options: Options, kind: str = "", *, cached: bool = True
) -> float | None:
    """Tokens a second of the last such reading, or writing, on this machine; None where there was none."""
    known = recall("speeds.json").get(_key(found, shape, options, cached) + kind)
    return float(known) if isinstance(known, int | float) and known > 0 else None


def _key(found: Found, shape: Sizes, options: Options, cached: bool) -> str:
    memory = options.memory
    how = f"{memory.recipe}-{memory.rank}" if memory.learn else "plain"
    how += "" if cached else "-recompute"
    return (
        f"{found.folder}/{options.device}/{options.dtype}/{shape.block}-{shape.window}/{how}/{os.cpu_count()}"
    )
