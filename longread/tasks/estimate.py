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
from longread.events import Planned
from longread.model import fit
from longread.model.cached import parameters_in
from longread.model.find import Found
from longread.model.fingerprint import recall, remember
from longread.model.machine import matrix_rate, memory_on, taken
from longread.model.room import bytes_a_value

if TYPE_CHECKING:
    from longread.model.load import LoadedModel
    from longread.tasks.reading import Job

_SAMPLE = 40_000  # characters encoded to learn how many a token has
_ONE_BY_ONE = 8.0  # a token that is written, than one that is read and learned from
WRITING, NOTES = "/writing", "/notes"  # kinds of speed: of a continuation, which is learned; of a summary


class Sizes(Protocol):
    """Block, window and sinks, in tokens."""

    block: int
    window: int
    sinks: int


@dataclass(frozen=True)
class Notes:
    """What a model writes beside its reading: so many ``tokens``, after ``prompts`` of so many in all."""

    tokens: int
    prompts: int


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
    passes: float = 1,
    read: float = 0.0,
    writes: int = 0,
    notes: Notes | None = None,
) -> Planned:
    """Tokens, blocks, seconds and memory of reading a job once, or once in each of several ``ways``.

    ``stateful`` is False for a model that keeps no keys in any way. ``passes`` is how often the text is read,
    0 where it is not, ``read`` how much of it (0 to 1) a saved reading has read already, ``writes`` how many
    tokens are written after that and learned as far as they fill blocks, ``notes`` what is written and not
    learned.
    """
    from longread.tasks.continue_.ending import longest  # its package imports this one

    per_token = _characters_per_token(job, encoder)
    tokens = max(1, round(job.characters / per_token)) if job.characters else 0
    ways = [Way(way.memory, way.cached and stateful) for way in ways or [Way(job.options.memory)]]
    fills = longest(writes) >= shape.block
    machine = memory_on(job.options.device)
    needs = max(
        (
            fit.needs(
                found.config,
                fit.Sizes(shape.block, shape.window, shape.sinks),
                bytes_a_value=bytes_a_value(machine, job.options.dtype),
                rank=way.memory.rank,
                learn=way.memory.learn,
                stateful=way.cached,
                checkpointed=checkpointed,
                behind=way.memory.recipe == "paper" or (fills and way.memory.answering_adapter),
                kernel=machine.kernels,
                parameters=parameters_in(found.folder),
            )
            for way in ways
        ),
        key=lambda needs: needs.total,
    )
    paces = sum(pace(found, shape, job.options, way, checkpointed) for way in ways)
    seconds = tokens * paces * passes * (1 - read)
    writing: float | None = 0.0
    if writes:
        writing = writing_seconds(found, shape, job.options, writes, cached=stateful)
    elif notes is not None:
        writing = notes_seconds(found, shape, job.options, notes, checkpointed, cached=stateful)
    return Planned(
        tokens=tokens,
        blocks=-(-tokens // shape.block) if passes else 0,
        block=shape.block,
        window=shape.window,
        sinks=shape.sinks,
        learn=any(way.memory.learn for way in ways),
        seconds=seconds + (writing or 0.0),
        memory_bytes=needs.total,
        share=job.characters / max(job.document.characters, 1),
        memory_parts=vars(needs),
        read=round(tokens * read),
        writes=writes or (notes.tokens if notes is not None else 0),
        writing=writing,
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
    known = known_speed(found, shape, options, WRITING)
    return tokens / (known or _speed(found, shape, options, cached=cached) / _ONE_BY_ONE)


def notes_seconds(
    found: Found, shape: Sizes, options: Options, notes: Notes, checkpointed: bool, *, cached: bool = True
) -> float | None:
    """How long ``notes`` take, their prompts included; None where this model has written nothing here yet:
    its speed follows from what is computed for a token less than from the way there and back."""
    speed = known_speed(found, shape, options, NOTES) or known_speed(found, shape, options, WRITING)
    if speed is None:
        return None
    way = Way(replace(options.memory, learn=False), cached)
    return notes.tokens / speed + notes.prompts * pace(found, shape, options, way, checkpointed)


def pace(found: Found, shape: Sizes, options: Options, way: Way, checkpointed: bool = False) -> float:
    """Seconds a token takes to read in this ``way``."""
    options = replace(options, memory=way.memory)
    return 1 / _speed(found, shape, options, checkpointed, cached=way.cached)


def as_loaded(options: Options, loaded: LoadedModel) -> Options:
    """``options`` with the device and the number format that the model is in, where they may say "auto"."""
    return replace(options, device=str(loaded.backbone.device), dtype=loaded.dtype)


def remember_speed(
    found: Found,
    shape: Sizes,
    options: Options,
    speed: float,
    *,
    kind: str = "",
    cached: bool = True,
) -> None:
    """Keep the tokens a second of a finished reading, or of a ``kind`` of writing, for the next estimate."""
    remember("speeds.json", _key(found, shape, options, cached) + kind, round(speed, 1))


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
    # "auto" would be the speed of whatever was there that day: a card that has come or gone, another torch.
    device, dtype = taken(options.device, options.dtype)
    return f"{found.folder}/{device}/{dtype}/{shape.block}-{shape.window}/{how}/{os.cpu_count()}"
