"""How long a job will take and how much memory, before it is begun.

Knows a model's config, the tokens of a sample of the text and the speeds measured on
this machine by earlier jobs. Loads no model and imports no torch.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from longread.config import Options
from longread.model.find import Found
from longread.model.fingerprint import recall, remember

if TYPE_CHECKING:
    from longread.tasks.reading import Job

_SAMPLE = 40_000  # characters encoded to learn how many a token has
# Share of the matrix rate that reading a block reaches, measured with the bundled model (docs/log.md).
_EFFICIENCY = 0.25
# A token that is translated costs about as much as so many that are read: on one core the bundled model
# writes at a fiftieth of the rate at which it reads.
TRANSLATING = 60.0
_LEARNING = 3.0  # a block that is learned from costs about so much more


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


def plan(job: Job, found: Found, encoder: Any, shape: Sizes, *, stateful: bool = True) -> Plan:
    """Tokens, blocks, seconds and memory of reading a job once."""
    per_token = _characters_per_token(job, encoder)
    tokens = max(1, round(job.characters / per_token)) if job.characters else 0
    memory = job.options.memory
    speed = _speed(found, shape, job.options)
    parameters = parameter_count(found.config)
    width = 2 if job.options.dtype in ("bfloat16", "float16") else 4
    adapter = _adapter_parameters(found.config, memory.rank) if memory.learn else 0
    kept = _kv_bytes(found.config, shape.window + shape.block, width) if stateful else 0
    return Plan(
        tokens=tokens,
        blocks=-(-tokens // shape.block),
        block=shape.block,
        window=shape.window,
        sinks=shape.sinks,
        learn=memory.learn,
        seconds=tokens / speed,
        # The adapter is kept four times: itself, its gradient and AdamW's two moments.
        memory_bytes=parameters * width + kept + adapter * 16,
        share=job.characters / max(job.document.characters, 1),
    )


def _characters_per_token(job: Job, encoder: Any) -> float:
    """From the middle of the text: a book's first pages are not like the rest."""
    low = job.start + max(0, (job.characters - _SAMPLE) // 2)
    sample = "".join(job.document.text(low, min(low + _SAMPLE, job.end)))
    return max(len(sample), 1) / max(len(encoder.encode(sample)), 1)


def remember_speed(found: Found, shape: Sizes, options: Options, speed: float) -> None:
    """Keep the tokens a second of a finished reading for the next estimate."""
    remember("speeds.json", _key(found, shape, options), round(speed, 1))


def _speed(found: Found, shape: Sizes, options: Options) -> float:
    """Tokens a second: as measured on this machine, else from its matrix rate."""
    known = recall("speeds.json").get(_key(found, shape, options))
    if isinstance(known, int | float) and known > 0:
        return float(known)
    cost = 2.0 * parameter_count(found.config) * (_LEARNING if options.memory.learn else 1.0)
    return max(_matrix_rate() * _EFFICIENCY / cost, 0.01)


def _key(found: Found, shape: Sizes, options: Options) -> str:
    memory = options.memory
    how = f"{memory.recipe}-{memory.rank}" if memory.learn else "plain"
    return (
        f"{found.folder}/{options.device}/{options.dtype}/{shape.block}-{shape.window}/{how}/{os.cpu_count()}"
    )


def _matrix_rate() -> float:
    """Floating-point operations a second of a float32 matrix product here; takes a tenth of a second."""
    import numpy as np

    a = np.ones((384, 384), np.float32)
    _ = a @ a
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.1:
        _ = a @ a
        count += 1
    return count * 2 * 384**3 / (time.perf_counter() - began)


def parameter_count(config: dict[str, Any]) -> int:
    """Parameters of a decoder with this config.json, to within a few per cent."""
    width, layers = config.get("hidden_size", 0), config.get("num_hidden_layers", 0)
    inner = config.get("intermediate_size") or 4 * width
    gated = 2 if config.get("model_type") in {"gpt_neox", "phi", "starcoder2"} else 3
    heads, kv, dim = _heads(config)
    layer = width * dim * (2 * heads + 2 * kv) + gated * width * inner
    embedding = config.get("vocab_size", 0) * width
    return layers * layer + embedding * (1 if config.get("tie_word_embeddings", False) else 2)


def _adapter_parameters(config: dict[str, Any], rank: int) -> int:
    width, layers = config.get("hidden_size", 0), config.get("num_hidden_layers", 0)
    inner = config.get("intermediate_size") or 4 * width
    heads, kv, dim = _heads(config)
    return rank * layers * (2 * (width + heads * dim) + 2 * (width + kv * dim) + 3 * (width + inner))


def _kv_bytes(config: dict[str, Any], tokens: int, width: int) -> int:
    _, kv, dim = _heads(config)
    return 2 * config.get("num_hidden_layers", 0) * kv * dim * tokens * width


def _heads(config: dict[str, Any]) -> tuple[int, int, int]:
    heads = config.get("num_attention_heads") or 1
    dim = config.get("head_dim") or config.get("hidden_size", 0) // heads
    return heads, config.get("num_key_value_heads") or heads, dim
