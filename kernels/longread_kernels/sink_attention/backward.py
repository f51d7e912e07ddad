"""Triton: the gradients of ``sink_attention``, its probabilities computed anew from the log-sum-exp.

Knows pointers, strides and the rows of ``forward.py``. Knows no torch; ``kernel.py`` calls it.

    P = exp(S - lse)    delta = rowsum(dO * O) - dlse    dP = dO V^T    dS = P * (dP - delta)
    dQ = scale dS K     dK = scale dS^T Q     dV = P^T dO     with a soft cap: dS * (1 - (S / cap)^2)

(FlashAttention, arXiv 2205.14135, appendix B.4; the log-sum-exp's own gradient adds P dlse to
dS.) ``queries`` walks over all keys that a row sees, cached ones and sinks included, and leaves
delta for ``block_keys``, which walks over the rows that see a key of the block: no atomics, so
that two runs give the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

from longread_kernels.floats import LOG2E
from longread_kernels.sink_attention.forward import key_rows, scores, tile


@triton.jit
def slopes(q, k, v, do, lse, delta, scale, cap, CAPPED: tl.constexpr, PRECISION: tl.constexpr):
    """P and dS / scale, both [rows, keys] float32, as if every key were seen."""
    s = scores(q, k, scale, cap, CAPPED, PRECISION)
    p = tl.exp2((s - lse[:, None]) * LOG2E)
    ds = p * (tl.dot(do, tl.trans(v), input_precision=PRECISION) - delta[:, None])
    if CAPPED:
        bend = s / cap
        ds = ds * (1.0 - bend * bend)
    return p, ds


@triton.jit(do_not_specialize=("n", "cached", "start", "ring", "recent", "window"))
def queries(
    Q, QS, K, V, KS, VS, OUT, LSE, DOUT, DLSE, DQ, DQS, DELTA,
    q_sb, q_sh, q_sn, qs_sb, qs_sh, qs_sn, k_sb, k_sh, k_sn, v_sb, v_sh, v_sn, o_sb, o_sh, o_sn,
    g_sb, g_sh, g_sn,
    n, cached, start, ring, recent, window, sinks, sliding, kv_heads, dim, scale, cap,
    GROUPS: tl.constexpr, M: tl.constexpr, N: tl.constexpr, S: tl.constexpr, D: tl.constexpr,
    RING: tl.constexpr, CAPPED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """DQ and DQS, both laid out as OUT, and DELTA, as LSE; grid (tiles of rows, batch * kv_heads)."""
    batch = (tl.program_id(1) // kv_heads).to(tl.int64)
    kv_head = (tl.program_id(1) % kv_heads).to(tl.int64)
    rows = tl.program_id(0) * M + tl.arange(0, M)
    token = rows // GROUPS
    head = kv_head * GROUPS + rows % GROUPS
    real = token < n
    far_token = token.to(tl.int64)
    columns = tl.arange(0, D)
    used = real[:, None] & (columns < dim)[None, :]
    out_at = (batch * o_sb + head * o_sh + far_token * o_sn)[:, None] + columns[None, :]
    grad_at = (batch * g_sb + head * g_sh + far_token * g_sn)[:, None] + columns[None, :]
    number = (batch * kv_heads * GROUPS + head) * n + token
    lse = tl.load(LSE + number, mask=real, other=0.0)
    do = tl.load(DOUT + grad_at, mask=used, other=0.0)
    out = tl.load(OUT + out_at, mask=used, other=0.0)
    delta = tl.sum(do.to(tl.float32) * out.to(tl.float32), 1) - tl.load(DLSE + number, mask=real, other=0.0)
    tl.store(DELTA + number, delta, mask=real)

    if sinks > 0:
        dq = tl.zeros([M, D], dtype=tl.float32)
        qs_at = (batch * qs_sb + head * qs_sh + far_token * qs_sn)[:, None] + columns[None, :]
        q = tl.load(QS + qs_at, mask=used, other=0.0)
        place = tl.minimum(start + token, window - 1)
        begin = (batch * kv_heads + kv_head) * sinks * dim
        for at in range(0, sinks, S):
            keys = at + tl.arange(0, S)
            inside = keys < sinks
            k = tile(KS + begin, keys, dim, dim, inside, D)
            v = tile(VS + begin, keys, dim, dim, inside, D)
            _, ds = slopes(q, k, v, do, lse, delta, scale, cap, CAPPED, PRECISION)
            seen = (place[:, None] - keys[None, :] < sliding) & inside[None, :]
            dq = tl.dot(tl.where(seen, ds, 0.0).to(k.dtype), k, dq, input_precision=PRECISION)
        tl.store(DQS + out_at, (dq * scale).to(DQS.dtype.element_ty), mask=used)

    dq = tl.zeros([M, D], dtype=tl.float32)
    q_at = (batch * q_sb + head * q_sh + far_token * q_sn)[:, None] + columns[None, :]
    q = tl.load(Q + q_at, mask=used, other=0.0)
    own = cached + token
    first = cached + tl.program_id(0) * M // GROUPS
    last = tl.minimum(cached + n - 1, cached + (tl.program_id(0) * M + M - 1) // GROUPS)
    low = tl.maximum(first - recent + 1, 0)
    high = last + 1
    whole = tl.minimum(low + tl.cdiv(tl.maximum(last - recent + 1 - low, 0), N) * N, high)
    edge = whole + tl.maximum(first + 1 - whole, 0) // N * N
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
            v = tile(V, held, v_sn, dim, inside, D)
            _, ds = slopes(q, k, v, do, lse, delta, scale, cap, CAPPED, PRECISION)
            if part != 1:
                far = own[:, None] - keys[None, :]
                ds = tl.where((far >= 0) & (far < recent) & inside[None, :], ds, 0.0)
            dq = tl.dot(ds.to(k.dtype), k, dq, input_precision=PRECISION)
    tl.store(DQ + out_at, (dq * scale).to(DQ.dtype.element_ty), mask=used)


@triton.jit(do_not_specialize=("n", "cached", "recent"))
def block_keys(
    Q, K, V, LSE, DOUT, DELTA, DK, DV,
    q_sb, q_sh, q_sn, k_sb, k_sh, k_sn, v_sb, v_sh, v_sn, g_sb, g_sh, g_sn,
    n, cached, recent, kv_heads, dim, scale, cap,
    GROUPS: tl.constexpr, M: tl.constexpr, N: tl.constexpr, D: tl.constexpr,
    CAPPED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """DK and DV [batch, kv_heads, n, dim], contiguous; grid (tiles of the block's keys, batch * kv_heads)."""
    batch = (tl.program_id(1) // kv_heads).to(tl.int64)
    kv_head = (tl.program_id(1) % kv_heads).to(tl.int64)
    first = tl.program_id(0) * N
    keys = first + tl.arange(0, N)
    inside = keys < n
    held = (cached + keys).to(tl.int64)
    k = tile(K + batch * k_sb + kv_head * k_sh, held, k_sn, dim, inside, D)
    v = tile(V + batch * v_sb + kv_head * v_sh, held, v_sn, dim, inside, D)
    Q += batch * q_sb + kv_head * GROUPS * q_sh
    DOUT += batch * g_sb + kv_head * GROUPS * g_sh
    LSE += (batch * kv_heads + kv_head) * GROUPS * n
    DELTA += (batch * kv_heads + kv_head) * GROUPS * n
    dk = tl.zeros([N, D], dtype=tl.float32)
    dv = tl.zeros([N, D], dtype=tl.float32)
    # Rows on the block's diagonal, rows that see the whole tile, rows that are losing sight of it.
    last = tl.minimum(first + N, n) - 1
    low = first * GROUPS
    high = tl.minimum(last + recent, n) * GROUPS
    whole = tl.minimum(low + tl.cdiv((last - first) * GROUPS, M) * M, high)
    edge = whole + tl.maximum(tl.minimum(first + recent, n) * GROUPS - whole, 0) // M * M
    columns = tl.arange(0, D)
    for part in tl.static_range(3):
        begin = low if part == 0 else whole if part == 1 else edge
        end = whole if part == 0 else edge if part == 1 else high
        for at in range(begin, end, M):
            rows = at + tl.arange(0, M)
            token, head = rows // GROUPS, rows % GROUPS
            real = token < n
            used = real[:, None] & (columns < dim)[None, :]
            q_at = (head * q_sh + token.to(tl.int64) * q_sn)[:, None] + columns[None, :]
            grad_at = (head * g_sh + token.to(tl.int64) * g_sn)[:, None] + columns[None, :]
            q = tl.load(Q + q_at, mask=used, other=0.0)
            do = tl.load(DOUT + grad_at, mask=used, other=0.0)
            # Rows past the end have no gradient and give nothing, whatever their P.
            lse = tl.load(LSE + head * n + token, mask=real, other=0.0)
            delta = tl.load(DELTA + head * n + token, mask=real, other=0.0)
            p, ds = slopes(q, k, v, do, lse, delta, scale, cap, CAPPED, PRECISION)
            if part != 1:
                far = token[:, None] - keys[None, :]
                seen = (far >= 0) & (far < recent) & real[:, None]
                p, ds = tl.where(seen, p, 0.0), tl.where(seen, ds, 0.0)
            dv = tl.dot(tl.trans(p.to(do.dtype)), do, dv, input_precision=PRECISION)
            dk = tl.dot(tl.trans(ds.to(q.dtype)), q, dk, input_precision=PRECISION)
    at = ((batch * kv_heads + kv_head) * n + keys)[:, None] * dim + columns[None, :]
    used = inside[:, None] & (columns < dim)[None, :]
    tl.store(DK + at, (dk * scale).to(DK.dtype.element_ty), mask=used)
    tl.store(DV + at, dv.to(DV.dtype.element_ty), mask=used)
