"""sink_attention on a GPU against what a library would do for the same block.

Knows four ways: the kernel; SDPA with the rule as an explicit mask; FlexAttention with it as a
block mask; and FlashAttention's dense causal pass over as many score elements, which is the
yardstick for speed though it computes something else. The second rotation for the sinks is
left out for the others, which have no place for it: it favours them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from clock import matmul_rate, milliseconds, peak
from longread_kernels.sink_attention import sink_attention
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

HEADS, KV, DIM, WINDOW, SINKS, BLOCK, START = 32, 8, 128, 4100, 4, 2048, 20_000


def made(heads: int, tokens: int) -> Tensor:
    """[1, heads, tokens, DIM] bf16 that wants a gradient."""
    return torch.randn(1, heads, tokens, DIM, device="cuda", dtype=torch.bfloat16).requires_grad_()


class Book:
    """A block of ``n`` queries behind a full window; ``score_elements`` are those that count."""

    def __init__(self, n: int) -> None:
        self.cached = WINDOW - SINKS - 1
        self.q, self.q_sink, self.k_new, self.v_new = made(HEADS, n), made(HEADS, n), made(KV, n), made(KV, n)
        self.k, self.v = made(KV, self.cached + n).detach(), made(KV, self.cached + n).detach()
        self.k_sink, self.v_sink = made(KV, SINKS).detach(), made(KV, SINKS).detach()
        self.n, self.score_elements = n, n * WINDOW
        self.mask = self.visible(
            torch.arange(n, device="cuda")[:, None],
            torch.arange(SINKS + self.cached + n, device="cuda")[None],
        )
        self.flex_mask: Any = None

    def visible(self, query: Tensor, key: Tensor) -> Tensor:
        """The rule over [sinks | window | block]."""
        far = query + self.cached - (key - SINKS)
        return (key < SINKS) | ((far >= 0) & (far < WINDOW - SINKS))

    def joined(self) -> tuple[Tensor, Tensor]:
        """Keys and values in one piece, as the others want them."""
        k = torch.cat((self.k_sink, self.k[:, :, : self.cached], self.k_new), dim=2)
        return k, torch.cat((self.v_sink, self.v[:, :, : self.cached], self.v_new), dim=2)

    def ours(self) -> Tensor:
        """The kernel."""
        options = {"k_new": self.k_new, "v_new": self.v_new} if self.n > 1 else {}
        sinks = {"q_sink": self.q_sink, "k_sink": self.k_sink, "v_sink": self.v_sink}
        place = {"start": START, "window": WINDOW, "scale": DIM**-0.5}
        return sink_attention(self.q, self.k, self.v, **place, **sinks, **options)

    def sdpa(self) -> Tensor:
        """torch's attention with a mask."""
        return F.scaled_dot_product_attention(self.q, *self.joined(), attn_mask=self.mask, enable_gqa=True)

    def flex(self) -> Tensor:
        """FlexAttention with a block mask, made once."""
        from torch.nn.attention.flex_attention import create_block_mask

        if self.flex_mask is None:
            rule = lambda b, h, query, key: self.visible(query, key)  # noqa: E731
            self.flex_mask = create_block_mask(rule, None, None, self.n, SINKS + self.cached + self.n)
        return compiled_flex()(self.q, *self.joined(), block_mask=self.flex_mask, enable_gqa=True)


_flex: list[Callable[..., Tensor]] = []


def compiled_flex() -> Callable[..., Tensor]:
    """FlexAttention, compiled the first time."""
    if not _flex:
        from torch.nn.attention.flex_attention import flex_attention

        _flex.append(torch.compile(flex_attention, dynamic=False))
    return _flex[0]


def dense(score_elements: int) -> Callable[[], Tensor]:
    """FlashAttention's causal pass over as many scores: n * n / 2 of them."""
    n = round((2 * score_elements) ** 0.5)
    q, k, v = made(HEADS, n), made(KV, n), made(KV, n)

    def run() -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    return run


def on_gpu() -> Iterator[dict[str, Any]]:
    """Forward, forward and backward, peak memory, and one query at a time."""
    rate, book = matmul_rate(), Book(BLOCK)
    yield {"what": "bf16 product 8192 x 8192 x 8192", "tflops": rate / 1e12}
    flops = 4 * HEADS * DIM * book.score_elements
    shape = f"{BLOCK} queries, window {WINDOW}, {HEADS}/{KV} heads of {DIM}, bf16"
    ways = {"sink_attention": book.ours, "SDPA with a mask": book.sdpa, "FlexAttention": book.flex}
    ways["FlashAttention, dense causal"] = dense(book.score_elements)
    for how, way in ways.items():
        try:
            with torch.no_grad():
                forward = milliseconds(way)
            gradient = torch.randn_like(way())

            def both(way: Callable[[], Tensor] = way, gradient: Tensor = gradient) -> None:
                way().backward(gradient)

            total, used = milliseconds(both), peak(both)
        except Exception as error:  # another way's failure is a row of the table, not the end of it
            yield {"what": shape, "how": how, "why": f"did not run: {type(error).__name__}: {error}"[:200]}
            continue
        share = flops / (forward / 1e3) / rate
        row = {"forward_ms": forward, "both_ms": total, "share_of_matmul": share, "peak_MiB": used / 2**20}
        yield {"what": shape, "how": how, **row}
    one = Book(1)
    for how, way in {
        "sink_attention": one.ours,
        "SDPA with a mask": one.sdpa,
        "FlexAttention": one.flex,
    }.items():
        try:
            with torch.no_grad():
                yield {"what": f"one query, window {WINDOW}", "how": how, "ms": milliseconds(way)}
        except Exception as error:
            yield {
                "what": "one query",
                "how": how,
                "why": f"did not run: {type(error).__name__}: {error}"[:200],
            }
