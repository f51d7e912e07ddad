"""Triton: the forward pass of ``sink_attention``, and how its parts are put together.

Knows pointers, strides and one rule of visibility. Knows no torch; ``kernel.py`` calls it.

The query heads that share a key stand one below the other, as rows of one matrix: row r
is token r // GROUPS and head r % GROUPS of the group. So a key is loaded once for all of
them, and one query is a tile of GROUPS rows. The softmax is the online one (Milakov and
Gimelshein, arXiv 1805.02867; FlashAttention, 2205.14135), its exponents base 2.
"""

from __future__ import annotations

import triton
import triton.language as tl

from longread_kernels.floats import LEAST, LN2, LOG2E, tanh


@triton.jit
def key_rows(at, cached, ring, RING: tl.constexpr):
    """Where the stream's keys ``at`` lie: what is cached may begin at ``ring`` and wrap around."""
    if RING:
        turned = at + ring
        turned = tl.where(turned >= cached, turned - cached, turned)
        return tl.where(at < cached, turned, at).to(tl.int64)
    return at.to(tl.int64)


@triton.jit
def tile(base, rows, stride, size, inside, D: tl.constexpr):
    """[rows, D] of a matrix with ``size`` columns next to each other; 0 outside."""
    columns = tl.arange(0, D)
    where = base + rows[:, None] * stride + columns[None, :]
    return tl.load(where, mask=inside[:, None] & (columns < size)[None, :], other=0.0)


@triton.jit
def scores(q, k, scale, cap, CAPPED: tl.constexpr, PRECISION: tl.constexpr):
    """[queries, keys] float32, as they stand in the softmax."""
    s = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
    if CAPPED:
        s = cap * tanh(s / cap)
    return s


@triton.jit
def mix(acc, top, total, s, v, PRECISION: tl.constexpr):
    """One more tile of keys in the running softmax: ``s`` [rows, keys], base 2, ``v`` [keys, D]."""
    higher = tl.maximum(top, tl.max(s, 1))
    fade = tl.exp2(top - higher)
    p = tl.exp2(s - higher[:, None])
    total = total * fade + tl.sum(p, 1)
    acc = tl.dot(p.to(v.dtype), v, acc * fade[:, None], input_precision=PRECISION)
    return acc, higher, total


# Lengths and places change from block to block and must not compile anything anew. Strides are left to
# Triton, which loads 16 bytes at once where it knows that they are multiples of 16.
CHANGING = ("n", "cached", "start", "ring", "recent", "window", "l_ss")


@triton.jit(do_not_specialize=CHANGING)
def attend(
    Q, QS, K, V, KS, VS, OUT, LSE,
    q_sb, q_sh, q_sn, qs_sb, qs_sh, qs_sn, k_sb, k_sh, k_sn, v_sb, v_sh, v_sn,
    o_ss, o_sb, o_sh, o_sn, l_ss,
    n, cached, start, ring, recent, window, sinks, sliding, kv_heads, dim, scale, cap,
    GROUPS: tl.constexpr, M: tl.constexpr, N: tl.constexpr, S: tl.constexpr, D: tl.constexpr,
    RING: tl.constexpr, CAPPED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One program: M rows of one key head over one share of the keys; the first share has the sinks.

    Grid: (tiles of rows, batch * kv_heads, shares). KS and VS are contiguous. Writes OUT [shares,
    batch, heads, n, dim], each share normalised by itself, and LSE [shares, batch, heads, n],
    natural logarithms.
    """
    batch = (tl.program_id(1) // kv_heads).to(tl.int64)
    kv_head = (tl.program_id(1) % kv_heads).to(tl.int64)
    share, shares = tl.program_id(2), tl.num_programs(2)
    rows = tl.program_id(0) * M + tl.arange(0, M)
    token = rows // GROUPS
    head = kv_head * GROUPS + rows % GROUPS
    real = token < n
    q_rows = Q + batch * q_sb + head * q_sh + token.to(tl.int64) * q_sn
    columns = tl.arange(0, D)
    used = real[:, None] & (columns < dim)[None, :]
    acc = tl.zeros([M, D], dtype=tl.float32)
    top = tl.full([M], LEAST, dtype=tl.float32)
    total = tl.zeros([M], dtype=tl.float32)

    # Sinks first: the query turned for them, hidden only by a sliding window of the layer's own.
    if sinks > 0 and share == 0:
        qs_rows = QS + batch * qs_sb + head * qs_sh + token.to(tl.int64) * qs_sn
        q = tl.load(qs_rows[:, None] + columns[None, :], mask=used, other=0.0)
        place = tl.minimum(start + token, window - 1)
        begin = (batch * kv_heads + kv_head) * sinks * dim
        for at in range(0, sinks, S):
            keys = at + tl.arange(0, S)
            inside = keys < sinks
            k = tile(KS + begin, keys, dim, dim, inside, D)
            s = scores(q, k, scale, cap, CAPPED, PRECISION) * LOG2E
            seen = (place[:, None] - keys[None, :] < sliding) & inside[None, :]
            v = tile(VS + begin, keys, dim, dim, inside, D)
            acc, top, total = mix(acc, top, total, tl.where(seen, s, float("-inf")), v, PRECISION)

    # Then this share of the keys that any row sees: masked at both ends, whole tiles between.
    q = tl.load(q_rows[:, None] + columns[None, :], mask=used, other=0.0)
    own = cached + token
    first = cached + tl.program_id(0) * M // GROUPS
    last = tl.minimum(cached + n - 1, cached + (tl.program_id(0) * M + M - 1) // GROUPS)
    low = tl.maximum(first - recent + 1, 0)
    size = tl.cdiv(tl.cdiv(last + 1 - low, shares), N) * N
    low += share * size
    high = tl.minimum(low + size, last + 1)
    whole = low + tl.cdiv(tl.maximum(last - recent + 1 - low, 0), N) * N
    whole = tl.minimum(whole, tl.maximum(high, low))
    edge = whole + tl.maximum(tl.minimum(first + 1, high) - whole, 0) // N * N
    K += batch * k_sb + kv_head * k_sh
    V += batch * v_sb + kv_head * v_sh
    for part in tl.static_range(3):
        begin = low if part == 0 else whole if part == 1 else edge
        end = whole if part == 0 else edge if part == 1 else high
        for at in range(begin, end, N):
            keys = at + tl.arange(0, N)
            inside = keys < high
            held = key_rows(keys, cached, ring, RING)
            k = tile(K, held, k_sn, dim, inside, D)
            s = scores(q, k, scale, cap, CAPPED, PRECISION) * LOG2E
            if part != 1:
                far = own[:, None] - keys[None, :]
                s = tl.where((far >= 0) & (far < recent) & inside[None, :], s, float("-inf"))
            v = tile(V, held, v_sn, dim, inside, D)
            acc, top, total = mix(acc, top, total, s, v, PRECISION)

    some = total > 0
    lse = tl.where(some, (top + tl.log2(tl.where(some, total, 1.0))) * LN2, float("-inf"))
    out = acc / tl.where(some, total, 1.0)[:, None]
    o_rows = OUT + share * o_ss + batch * o_sb + head * o_sh + token.to(tl.int64) * o_sn
    tl.store(o_rows[:, None] + columns[None, :], out.to(OUT.dtype.element_ty), mask=used)
    heads = kv_heads * GROUPS
    tl.store(LSE + share * l_ss + (batch * heads + head) * n + token, lse, mask=real)


@triton.jit(do_not_specialize=("shares", "n"))
def join(
    PART, PART_LSE, OUT, LSE, shares, heads, n, dim, o_sb, o_sh, o_sn, SHARES: tl.constexpr, D: tl.constexpr
):
    """Puts the shares of one query's keys together; grid (batch * heads * n). PART is contiguous."""
    row = tl.program_id(0).to(tl.int64)
    count = tl.num_programs(0).to(tl.int64)
    token, head, batch = row % n, row // n % heads, row // n // heads
    share = tl.arange(0, SHARES)
    columns = tl.arange(0, D)
    part = tl.load(PART_LSE + share * count + row, mask=share < shares, other=float("-inf"))
    top = tl.max(part, 0)
    weight = tl.exp2((part - top) * LOG2E)
    total = tl.sum(weight, 0)
    where = PART + (share[:, None] * count + row) * dim + columns[None, :]
    used = (share < shares)[:, None] & (columns < dim)[None, :]
    out = tl.sum(tl.load(where, mask=used, other=0.0) * weight[:, None], 0) / total
    o_row = OUT + batch * o_sb + head * o_sh + token * o_sn
    tl.store(o_row + columns, out.to(OUT.dtype.element_ty), mask=columns < dim)
    tl.store(LSE + row, top + tl.log2(total) * LN2)
