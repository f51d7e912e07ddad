"""sink_attention on a GPU against what a library would do for the same block.

Knows the kernel; SDPA with the rule as an explicit mask; FlexAttention with it as a block mask; and
dense causal passes over as many score elements, which are the yardstick for speed though they compute
something else. SDPA's backends are pinned and named: FLASH_ATTENTION refuses masks, and
EFFICIENT_ATTENTION fewer key heads than query heads.

What the others need is made beforehand: keys in one piece, repeated for every head where they must be,
and the mask in the form that SDPA computes with. The second rotation for the sinks is left out for
them, which have no place for it. All of it favours them. Only in the backward pass they do more: they
have no way to leave out the gradient of keys that are frozen.

One query takes less time on the GPU than in Python. It is therefore timed from a CUDA graph, as the
program runs it, too, with ``one_query``, after a few tokens (longread/memory/token_graph.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from clock import matmul_rate, milliseconds, peak, recorded
from longread_kernels.sink_attention import reference, sink_attention
from longread_kernels.sink_attention.one_query import one_query
from rows import Row, measured
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

HEADS, KV, DIM, WINDOW, SINKS, BLOCK, START = 32, 8, 128, 4100, 4, 2048, 20_000
DEVICE = "cuda"
ALIGNED = 16  # elements; EFFICIENT_ATTENTION copies a mask whose rows begin elsewhere

NAMES = {backend: f"SDPA, {backend.name}" for backend in SDPBackend.__members__.values()}
NAMES[SDPBackend.FLASH_ATTENTION] += " (FlashAttention 2)"  # torch has newer ones only if it is told so


@dataclass(frozen=True)
class Way:
    """One way to attend: its name in the table, how it runs, and what wants a gradient."""

    how: str
    run: Callable[[], Tensor]
    inputs: tuple[Tensor, ...] = ()

    def forward(self) -> Tensor:
        """The result, without a graph of gradients."""
        with torch.no_grad():
            return self.run()

    def both(self) -> Callable[[], Any]:
        """Forward and backward, nothing added up from run to run."""
        gradient = torch.randn_like(self.forward())
        return lambda: torch.autograd.grad(self.run(), self.inputs, gradient)


class Book:
    """A block of ``n`` queries behind a full window."""

    def __init__(self, n: int, dtype: torch.dtype = torch.bfloat16) -> None:
        self.n, self.dtype, self.cached = n, dtype, WINDOW - SINKS - 1
        self.keys = SINKS + self.cached + n
        self.q, self.q_sink, self.k_new, self.v_new = map(self.learned, (HEADS, HEADS, KV, KV))
        self.k, self.v = (self.random(KV, self.cached + n) for _ in range(2))
        self.k_sink, self.v_sink = (self.random(KV, SINKS) for _ in range(2))
        self.sinks = {"q_sink": self.q_sink, "k_sink": self.k_sink, "v_sink": self.v_sink}

    def random(self, heads: int, tokens: int) -> Tensor:
        """[1, heads, tokens, DIM]."""
        return torch.randn(1, heads, tokens, DIM, device=DEVICE, dtype=self.dtype)

    def learned(self, heads: int) -> Tensor:
        """As many as there are queries, with a gradient."""
        return self.random(heads, self.n).requires_grad_()

    def ours(self, how: str = "sink_attention", op: Callable[..., Tensor] = sink_attention) -> Way:
        """The kernel, or ``op`` in its place."""
        own = {"k_new": self.k_new, "v_new": self.v_new} if self.n > 1 else {}
        place = {"start": START, "window": WINDOW, "scale": DIM**-0.5}
        inputs = (self.q, self.q_sink, *own.values())
        return Way(how, lambda: op(self.q, self.k, self.v, **place, **self.sinks, **own), inputs)

    def one_query(self) -> Way:
        """The op of ``memory/token_graph.py``, which looks at all of a buffer as blocks of BLOCK leave it."""
        room = WINDOW + BLOCK
        k, v = (torch.zeros(1, KV, room, DIM, device=DEVICE, dtype=self.dtype) for _ in range(2))
        k[:, :, : self.cached + 1], v[:, :, : self.cached + 1] = self.k, self.v
        numbers = {"low": 0, "last": self.cached, "distance": min(START, WINDOW - 1)}
        numbers = {name: torch.tensor([value], device=DEVICE) for name, value in numbers.items()}
        options = {**numbers, **self.sinks, "scale": DIM**-0.5}
        return Way(f"one_query, buffer of {room}", lambda: one_query(self.q, k, v, **options))

    def joined(self, repeats: int = 1) -> tuple[Tensor, Tensor]:
        """[sinks | window | block] in one piece, each head ``repeats`` times: as the others want them."""
        new = (self.k_new, self.v_new) if self.n > 1 else (self.k[:, :, -1:], self.v[:, :, -1:])
        parts = zip((self.k_sink, self.v_sink), (self.k, self.v), new, strict=True)
        whole = (torch.cat((s, held[:, :, : self.cached], own), dim=2).detach() for s, held, own in parts)
        k, v = (x.repeat_interleave(repeats, dim=1).requires_grad_() for x in whole)
        return k, v

    def visible(self, query: Tensor, key: Tensor) -> Tensor:
        """The rule over [sinks | window | block]."""
        far = query + self.cached - (key - SINKS)
        return (key < SINKS) | ((far >= 0) & (far < WINDOW - SINKS))

    def bias(self) -> Tensor:
        """[n, keys]: 0 where a key is visible and minus infinity elsewhere, each row ALIGNED."""
        query, key = torch.arange(self.n, device=DEVICE), torch.arange(self.keys, device=DEVICE)
        columns = -(-self.keys // ALIGNED) * ALIGNED
        bias = torch.full((self.n, columns), float("-inf"), device=DEVICE, dtype=self.dtype)[:, : self.keys]
        return bias.masked_fill_(self.visible(query[:, None], key[None]), 0.0)

    def masked(self) -> Way:
        """SDPA with a mask, where EFFICIENT_ATTENTION takes it or else as torch chooses."""
        (k, v), bias = self.joined(HEADS // KV), self.bias()
        way = sdpa(SDPBackend.EFFICIENT_ATTENTION, self.q, k, v, attn_mask=bias, note="mask")
        try:
            way.forward()
        except RuntimeError:
            chosen = SDPBackend(torch._fused_sdp_choice(self.q, k, v, attn_mask=bias))
            way = sdpa(chosen, self.q, k, v, attn_mask=bias, note="mask, EFFICIENT_ATTENTION refuses it")
        return way

    def flex(self) -> Way:
        """FlexAttention with a block mask, both made in the first run."""
        made: list[Any] = []
        k, v = self.joined()

        def run() -> Tensor:
            if not made:
                made.extend((compiled_flex(), self.block_mask()))
            attend, mask = made
            return attend(self.q, k, v, block_mask=mask, enable_gqa=True)

        return Way("FlexAttention", run, (self.q, k, v))

    def block_mask(self) -> Any:
        """The rule as FlexAttention wants it."""
        from torch.nn.attention.flex_attention import create_block_mask

        rule = lambda b, h, query, key: self.visible(query, key)  # noqa: E731
        return create_block_mask(rule, None, None, self.n, self.keys, device=DEVICE)


def compiled_flex() -> Callable[..., Tensor]:
    """FlexAttention; not compiled it would hold all scores."""
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)


def sdpa(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, *, note: str, **options: Any) -> Way:
    """torch's attention by one backend or not at all."""

    def run() -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, **options)

    return Way(f"{NAMES[backend]}, {note}", run, (q, k, v))


def dense() -> list[Way]:
    """Causal passes over as many scores as a block has: n * n / 2 of them."""
    book = Book(round((2 * BLOCK * WINDOW) ** 0.5))
    backends = (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION)
    given = book.q, book.k_new, book.v_new
    return [sdpa(one, *given, is_causal=True, enable_gqa=True, note="dense causal") for one in backends]


def block(rate: float) -> Iterator[Row]:
    """Forward, forward and backward, and peak memory, beside ``rate`` FLOPs a second of a product."""
    book = Book(BLOCK)
    what = f"{BLOCK} queries, window {WINDOW}, {HEADS}/{KV} heads of {DIM}, bf16"
    flops = 4 * HEADS * DIM * BLOCK * WINDOW
    for way in (book.ours(), book.masked(), book.flex(), *dense()):
        row = measured(
            {"what": what, "how": way.how},
            forward_ms=lambda way=way: milliseconds(way.forward),
            both_ms=lambda way=way: milliseconds(way.both()),
            peak_MiB=lambda way=way: peak(way.both()) / 2**20,
        )
        if "forward_ms" in row:
            row["share_of_matmul"] = flops / (row["forward_ms"] / 1e3) / rate
        yield row


def one_token() -> Iterator[Row]:
    """One query at a time; the first row is what the launch of a graph takes, which is in all of them."""
    book, count = Book(1), torch.zeros(1, device=DEVICE)
    # A single query sees all that is held: FLASH_ATTENTION needs no mask.
    flash = sdpa(
        *(SDPBackend.FLASH_ATTENTION, book.q, *book.joined()), enable_gqa=True, note="no mask needed"
    )
    empty = Way("a graph that adds two numbers", lambda: count.add_(1))
    what = f"one query, window {WINDOW}, bf16, CUDA graph"
    for way in (empty, book.ours(), book.one_query(), book.masked(), flash, book.flex()):
        row = {"what": what, "how": way.how}
        yield measured(row, ms=lambda way=way: milliseconds(recorded(way.forward)))


def exact() -> Iterator[Row]:
    """Float32, where cuBLAS's products in the reference may be faster than the kernel's."""
    book = Book(BLOCK, torch.float32)
    what = f"{BLOCK} queries, window {WINDOW}, {HEADS}/{KV} heads of {DIM}, float32"
    for way in (book.ours(), book.ours("reference.sink_attention", reference.sink_attention)):
        row = {"what": what, "how": way.how}
        yield measured(row, forward_ms=lambda way=way: milliseconds(way.forward))


def on_gpu() -> Iterator[Row]:
    """A block in bf16, a block in float32, and one query."""
    rate = matmul_rate()
    yield {"what": "bf16 product 8192 x 8192 x 8192", "tflops": rate / 1e12}
    yield from block(rate)
    yield from exact()
    yield from one_token()
