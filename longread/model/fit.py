"""What a model needs of a machine: bytes and seconds, from its config alone.

Knows the shape of a decoder and how longread reads with it: which tensors are there at
the moment when most are. Loads nothing; no torch. The formula for float32 was held against
measured peaks (tests/model/test_fit.py); that for bf16 could not be, for want of a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WINDOW = 4096  # taken where the trained length is larger, as in engine/shape.py
WORDS = 100_000  # a novel
# English tokens a word with a vocabulary of 48,000 and more; their tokenizers could not be tried here.
TOKENS_PER_WORD = 1.35
# Share of the rate of a bare matrix product that reading with pocket reaches, and what learning costs beside
# (docs/log.md). Larger models multiply larger matrices and do better: their hours are upper bounds.
EFFICIENCY = 0.36
LEARNING = 3.0
_TWICE = 1.5  # a learned block whose layers run twice: the base is frozen, so half of it is the forward
_TILE = 256  # rows of attention at once (longread_kernels)
_LOGITS, _LOGITS_BY_KERNEL = 1 << 24, 1 << 26  # logits at once (longread_kernels)
_TEXT = 25_000_000  # bytes of tokenizer and text
# Frequencies that change with the length of what is rotated: such a model must see no position past its own.
LENGTH_DEPENDENT = {"dynamic", "longrope"}
_MOST = 1 << 40  # a figure beyond it is no model's
_UNGATED = {"gpt_neox", "phi", "starcoder2", "gpt2", "falcon", "mpt"}
_TIED = {"smollm3", "gemma", "gemma2", "gemma3_text", "gpt2", "cohere", "cohere2", "falcon", "mpt"}


@dataclass(frozen=True)
class Needs:
    """Bytes at the peak: the ``weights``, the ``cache`` of keys and values, ``activations`` of the block that
    is read, and the ``adapter`` with its gradient and AdamW's two moments."""

    weights: int
    cache: int
    activations: int
    adapter: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.activations + self.adapter


@dataclass(frozen=True)
class Sizes:
    """Block, window and sinks, in tokens."""

    block: int
    window: int
    sinks: int = 4


@dataclass(frozen=True)
class Figures:
    """The figures of a config.json that matter, under short names."""

    width: int
    layers: int
    inner: int
    heads: int
    kv: int
    dim: int
    vocabulary: int
    tied: bool
    gated: bool
    normed: bool  # queries and keys have norms of their own
    experts: int  # 0 for one MLP that all tokens go through
    chosen: int  # MLPs that a token goes through

    @property
    def attention(self) -> int:
        """Parameters of one layer's attention."""
        return self.width * self.dim * (2 * self.heads + 2 * self.kv)

    @property
    def mlp(self) -> int:
        """Parameters of one MLP."""
        return (3 if self.gated else 2) * self.width * self.inner

    @property
    def layer(self) -> int:
        """Parameters of one layer's matrices, those that choose between experts included."""
        return self.attention + max(1, self.experts) * self.mlp + self.experts * self.width

    @property
    def active(self) -> int:
        """Parameters of one layer that a token is multiplied with."""
        return self.attention + self.chosen * self.mlp


def count(value: Any) -> int:
    """A figure of a config.json as a whole number, of a list (one for each layer) the largest; 0 where it is
    none that a model could have."""
    if isinstance(value, list):
        return max(map(count, value), default=0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < _MOST:
        return 0
    return int(value)


def of_text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A config.json with the figures of the part that reads text at the top; it may be one of several."""
    part = config.get("text_config")
    return {**config, **part} if isinstance(part, Mapping) else config


def figures(config: Mapping[str, Any]) -> Figures:
    """The figures of a config.json, whatever its family calls them. What is no number counts as left out."""
    config = of_text(config)
    said = config.get("model_type")
    kind = said if isinstance(said, str) else ""

    def first(*names: str) -> int | None:
        return next((found for name in names if (found := count(config.get(name)))), None)

    width = first("hidden_size", "n_embd", "d_model") or 0
    heads = first("num_attention_heads", "n_head", "n_heads") or 1
    experts = first("num_local_experts", "num_experts") or 0
    return Figures(
        width=width,
        layers=first("num_hidden_layers", "n_layer", "n_layers") or 0,
        # Where only some layers are mixtures, "intermediate_size" is that of the others.
        inner=(experts and first("moe_intermediate_size"))
        or first("intermediate_size", "ffn_hidden_size", "n_inner")
        or 4 * width,
        heads=heads,
        kv=first("num_key_value_heads", "num_kv_heads") or heads,
        dim=first("head_dim") or width // heads,
        vocabulary=first("vocab_size") or 0,
        # What a config leaves out is what its family does.
        tied=bool(config.get("tie_word_embeddings", kind in _TIED)),
        gated=kind not in _UNGATED,
        normed=kind in {"qwen3", "gemma3_text", "olmo2"},
        experts=experts,
        chosen=first("num_experts_per_tok") or 1 if experts else 1,
    )


def parameter_count(config: Mapping[str, Any]) -> int:
    """Parameters of a decoder with this config.json, norms and biases left out: a fraction of a per cent."""
    model = figures(config)
    return model.layers * model.layer + model.vocabulary * model.width * (1 if model.tied else 2)


def adapter_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a LoRA of this rank on every linear layer but the head."""
    m = figures(config)
    mlp = 0 if m.experts else (3 if m.gated else 2) * (m.width + m.inner)
    attention = 2 * (m.width + m.heads * m.dim) + 2 * (m.width + m.kv * m.dim)
    return rank * m.layers * (attention + mlp)


def needs(
    config: Mapping[str, Any],
    sizes: Sizes,
    *,
    bytes_a_value: int = 4,
    rank: int = 16,
    learn: bool = True,
    stateful: bool = True,
    checkpointed: bool = False,
    behind: bool = False,
    kernel: bool = False,
    parameters: int | None = None,
) -> Needs:
    """Peak bytes of reading with a model of this config; ``rank`` counts where ``learn`` holds.

    ``stateful`` is False for a model that is read in chunks without a cache, ``checkpointed``
    holds where layers run again for the gradient, ``behind`` where a block is learned by encoding
    the whole window again (the ``paper`` recipe, and what a model has written itself), ``kernel``
    where attention keeps no matrix of scores. ``parameters`` are counted in the weights themselves;
    without them they are reckoned. Of the adapter there are weights, gradients and AdamW's two moments,
    and beside them the watch's copy of all but the gradients, in float32.
    """
    m = figures(config)
    rows = sizes.block if stateful else sizes.window
    seen = sizes.window if stateful else 0
    # SinkCache's buffers hold the window and a quarter, or as much as one block beside it.
    kept = sizes.window + max(sizes.block, sizes.window // 4) if stateful else 0
    cache = 2 * m.layers * m.kv * m.dim * kept * bytes_a_value
    adapter = adapter_parameters(config, rank) if learn else 0
    how = (bytes_a_value, rank, learn, checkpointed, kernel)
    activations = _activations(m, rows, seen, *how)
    if learn and behind:
        activations = max(activations, _activations(m, sizes.window, 0, *how))
    return Needs(
        weights=(parameters or parameter_count(config)) * bytes_a_value,
        cache=cache,
        activations=activations,
        adapter=adapter * (16 + 12),
    )


def _activations(
    m: Figures, rows: int, seen: int, value: int, rank: int, learn: bool, checkpointed: bool, kernel: bool
) -> int:
    """Bytes beside weights, cache and adapter while a block of ``rows`` tokens is read: what backward needs
    of every layer, or of one and the others' inputs, or, without learning, what a tile of attention and an
    MLP hold."""
    tile = min(rows, _TILE)
    keys = seen + tile if seen else rows
    tiles = -(-rows // tile)
    heads = 2 * rows * m.heads * m.dim
    score = 0 if kernel else value if value == 4 else value + 4  # softmax is computed in float32
    working = m.heads * tile * keys * score
    near = 0 if kernel else 2 * m.kv * m.dim * keys  # a tile's keys and values, joined
    # Products in float32; the kernel turns them into the gradient where they lie, in the model's format.
    at_once, wide = (_LOGITS_BY_KERNEL, value) if kernel else (_LOGITS, 4)
    logits = min(rows, at_once // max(m.vocabulary, 1)) * m.vocabulary * wide
    if not learn:
        # Five tiles' scores were measured (docs/log.md): they, their softmax, the tile's before, and copies.
        inner = 3 * rows * m.chosen * m.inner
        return 5 * working + (near + heads + inner + 4 * rows * m.width) * value + logits + _TEXT
    attention = working * rows // tile  # softmax's rows, kept for the gradient
    copies = near * tiles + heads
    # The residual stream before each norm, and its norm; gate, its activation, up, and their product.
    linear = rows * (4 * m.width + m.heads * m.dim + 4 * m.chosen * m.inner + 7 * rank)
    norms = 2 * rows * (m.heads + m.kv) * m.dim if m.normed else 0
    saved = attention + (copies + linear + norms) * value
    saved = saved + m.layers * rows * m.width * value if checkpointed else m.layers * saved
    return saved + 2 * working + 3 * rows * m.inner * value + logits + _TEXT


def speed(
    config: Mapping[str, Any],
    sizes: Sizes,
    rate: float,
    *,
    learn: bool,
    checkpointed: bool = False,
    cached: bool = True,
) -> float:
    """Tokens a second, estimated from the machine's ``rate`` of matrix products (FLOP/s).

    2 FLOP a parameter that multiplies, 4 a head's dimension and key in sight; in the layers once for each
    token, or without a cache of keys (``cached``) for the whole window at each block.
    """
    m = figures(config)
    attention = 4 * m.layers * m.heads * m.dim * sizes.window
    layers = (2.0 * m.layers * m.active + attention) * (1.0 if cached else sizes.window / sizes.block)
    head = 2.0 * m.vocabulary * m.width
    cost = (layers + head) * (LEARNING * (_TWICE if checkpointed else 1.0) if learn else 1.0)
    return max(rate * EFFICIENCY / max(cost, 1.0), 0.01)


def lengths(config: Mapping[str, Any]) -> tuple[int | None, bool]:
    """The longest text (tokens) that the model was trained on, None where its config does not say; and
    whether its rotary frequencies change with the longest position in sight (dynamic NTK, longrope)."""
    config = of_text(config)
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    rope = rope if isinstance(rope, Mapping) else {}
    tables = [rope, *(table for table in rope.values() if isinstance(table, Mapping))]
    dependent = [t for t in tables if t.get("rope_type", t.get("type")) in LENGTH_DEPENDENT]
    original = [count(t.get("original_max_position_embeddings")) for t in (*dependent, config)]
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length")
    known = (original if dependent else []) + [count(config.get(name)) for name in names]
    return next(filter(None, known), None), bool(dependent)


def default_sizes(config: Mapping[str, Any], window: int | None = None, block: int | None = None) -> Sizes:
    """The sizes that are taken where the user leaves them open."""
    trained, dependent = lengths(config)
    trained = trained or 2048
    window = window or min(trained * 3 // 4 if dependent else trained, WINDOW)
    return Sizes(block or max(1, window // 4), window)
