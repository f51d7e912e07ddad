"""``score``: streaming perplexity, arm by arm.

Knows what each arm keeps and learns, and how a score is summed: NLL over tokens,
exponentiated once. Knows nothing of tables and sparklines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from longread.config import Memory, Options
from longread.errors import Interrupted, UsageError
from longread.events import BlockRead, Done, Event, Progress
from longread.tasks import estimate, reading

# KV policy and sinks of each way to keep the past; None takes the sinks from the model.
_PASTS = {"window": ("sink", 0), "sink": ("sink", None), "recompute": ("recompute", None)}
_RECIPES = {"": None, "+lora": "fused", "+paper": "paper"}
ARMS = tuple(past + learning for past in _PASTS for learning in _RECIPES)
SEGMENTS = 12


@dataclass(frozen=True)
class Segment:
    """Perplexity between two shares of what was read."""

    from_: float
    to: float
    perplexity: float


@dataclass(frozen=True)
class Arm:
    """One arm's figures. ``nll`` is the sum in nats over ``tokens``; bits a byte are of the UTF-8 text."""

    perplexity: float
    bits_per_byte: float
    nll: float
    tokens: int
    tokens_per_second: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Score:
    """All arms in the order asked for."""

    arms: dict[str, Arm]


def memory_of(arm: str, memory: Memory) -> tuple[str, Memory]:
    """KV policy and memory options of an arm; ``UsageError`` for one that does not exist."""
    past, _, learning = arm.partition("+")
    recipe = "+" + learning if learning else ""
    if past not in _PASTS or recipe not in _RECIPES or arm.endswith("+"):
        raise UsageError(f"there is no arm {arm!r}", f"the arms are {', '.join(ARMS)}")
    policy, sinks = _PASTS[past]
    name = _RECIPES[recipe]
    memory = replace(memory, learn=name is not None, recipe=name or memory.recipe)
    return policy, memory if sinks is None else replace(memory, sinks=sinks)


def ways_of(arms: Sequence[str], memory: Memory) -> list[estimate.Way]:
    """What each arm costs depends on."""
    chosen = (memory_of(arm, memory) for arm in dict.fromkeys(arms))
    return [estimate.Way(memory, cached=policy != "recompute") for policy, memory in chosen]


def score(path: str, options: Options, *, arms: Sequence[str] = ("sink", "sink+lora")) -> Iterator[Event]:
    """Read the text once for each arm; the result is a ``Score``."""
    chosen = {arm: memory_of(arm, options.memory) for arm in arms}
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        loaded = reading.load(job)
        from longread.engine.session import Session
        from longread.engine.shape import room_to_recompute

        shape = reading.shape_of(loaded, options)
        if any(policy == "recompute" for policy, _ in chosen.values()):  # before an hour of the other arms
            room_to_recompute(shape, len(loaded.prefix))
        ways = ways_of(arms, options.memory)
        yield from reading.introduce(job, loaded, ways=ways)
        known = estimate.as_loaded(options, loaded)
        paces = [estimate.pace(loaded.found, shape, known, way) for way in ways]
        size = sum(len(piece.encode("utf-8")) for piece in job.document.text(job.start, job.end))
        found: dict[str, Arm] = {}
        partial = False
        for number, (arm, (policy, memory)) in enumerate(chosen.items()):
            arm_job = replace(job, options=replace(options, memory=memory), tally=reading.Tally())
            shape = reading.shape_of(loaded, arm_job.options)
            points: list[tuple[float, float, int]] = []
            try:
                with Session(
                    loaded.backbone, loaded.prefix, shape, memory, policy=policy, seed=options.seed
                ) as session:
                    for event in reading.read_blocks(arm_job, loaded, session, phase=arm):
                        if isinstance(event, BlockRead):
                            points.append((event.block.end, event.nll, event.tokens))
                        if isinstance(event, Progress):
                            event = _over_all(event, number, paces)
                        yield event
            except Interrupted:
                partial = True
            mine = arm_job.tally
            job.tally.seconds |= mine.seconds
            job.tally.read += mine.read
            job.tally.learned += mine.learned
            job.tally.blocks += mine.blocks
            job.tally.share = mine.share
            if partial:  # an arm that read less than the others cannot be compared with them
                to_come = len(chosen) - number - 1
                job.tally.unread = mine.unread + to_come * (mine.read + mine.unread)
                break
            found[arm] = _arm(points, job.start, job.end, size, mine.seconds[arm])
        yield Done(
            "score",
            loaded.name,
            job.document.as_dict(),
            Score(found),
            job.tally.as_dict(),
            partial=partial,
            warnings=tuple(job.warnings),
        )


def _over_all(event: Progress, number: int, paces: Sequence[float]) -> Progress:
    """Progress within one arm as progress over all of them, which take as long as their ``paces`` have it."""
    left = event.seconds_left
    spent = event.done / max(event.tokens_per_second, 1e-9)
    later = sum(paces[number + 1 :]) / paces[number]
    return replace(
        event,
        done=event.done + number * event.total,
        total=event.total * len(paces),
        seconds_left=None if left is None else left + (spent + left) * later,
    )


def _arm(points: list[tuple[float, float, int]], start: int, end: int, size: int, seconds: float) -> Arm:
    nll, tokens = sum(p[1] for p in points), sum(p[2] for p in points)
    sums = [[0.0, 0] for _ in range(SEGMENTS)]
    for stop, part_nll, part_tokens in points:
        # A block belongs to the segment in which it ends.
        at = min(SEGMENTS - 1, math.ceil((stop - start) / max(end - start, 1) * SEGMENTS) - 1)
        sums[at][0] += part_nll
        sums[at][1] += part_tokens
    filled = [i for i, (_, part_tokens) in enumerate(sums) if part_tokens]
    # In few blocks no block may end in a segment: its text is counted in the next, which begins earlier then.
    segments = tuple(
        Segment((before + 1) / SEGMENTS, (i + 1) / SEGMENTS, perplexity(*sums[i]))
        for before, i in pairwise([-1, *filled])
    )
    return Arm(
        perplexity=perplexity(nll, tokens),
        bits_per_byte=nll / math.log(2) / max(size, 1),
        nll=nll,
        tokens=tokens,
        tokens_per_second=tokens / max(seconds, 1e-9),
        segments=segments,
    )


def perplexity(nll: float, tokens: int) -> float:
    """exp of the mean NLL; infinite where that overflows, NaN for no tokens."""
    if not tokens:
        return math.nan
    return math.exp(nll / tokens) if nll / tokens < 700 else math.inf
