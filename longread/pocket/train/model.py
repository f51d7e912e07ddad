"""A Llama for training: its weights have transformers' names, its forward is plain torch.

Knows the architecture and its loss. Knows no optimizer, no data and no file. That it computes what
``LlamaForCausalLM`` computes from the same weights is a test.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Tokens whose logits are held at once by the loss, on a CPU and on a GPU: 42 and 671 MB with 10,240 words.
CHUNK, CHUNK_GPU = 1024, 16_384


@dataclass(frozen=True)
class Shape:
    """The sizes of a model. ``window`` is the longest sequence it is trained on (tokens)."""

    vocabulary: int = 10240
    hidden: int = 240
    layers: int = 4
    heads: int = 3
    kv_heads: int = 1
    head_dim: int = 64
    mlp: int = 768
    window: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-6

    def config(self) -> dict:
        """The same as transformers' ``config.json``."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
            "dtype": "bfloat16",
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.mlp,
            "max_position_embeddings": self.window,
            "mlp_bias": False,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.epsilon,
            "rope_parameters": {"rope_theta": self.rope_base, "rope_type": "default"},
            "tie_word_embeddings": True,
            "use_cache": True,
            "vocab_size": self.vocabulary,
        }

    def as_dict(self) -> dict:
        """For JSON; ``Shape(**…)`` brings it back."""
        return asdict(self)


class Llama(nn.Module):
    """The model without its head, which is the embedding once more."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.model.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.model.norm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        cos, sin = rotation(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Initial weights: what writes into the residual stream begins at zero, so that every layer does."""
        for name, weight in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.zero_()
            elif name.endswith("_proj.weight"):
                weight.normal_(std=weight.shape[1] ** -0.5)
            elif "embed" in name:
                weight.normal_(std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states [rows, n, hidden] of ids [rows, n], after the last norm."""
        n = ids.shape[1]
        cos, sin = self.cos[:n], self.sin[:n]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        return self.model.norm(x)

    def loss(self, ids: Tensor, targets: Tensor, weights: Tensor, z: float = 0.0) -> tuple[Tensor, Tensor]:
        """Weighted sums over all tokens: of NLL and ``z`` times the squared log-partition (for the
        gradient), and of NLL alone (for the log). ids, targets, weights: [rows, n]."""
        hidden = self(ids).flatten(0, 1)
        head = self.model.embed_tokens.weight
        return _Loss.apply(hidden, head, targets.flatten(), weights.flatten(), z)


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.dim = shape.heads, shape.head_dim
        wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        linear = lambda inside, out: nn.Linear(inside, out, bias=False)  # noqa: E731
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": linear(shape.hidden, wide),
                "k_proj": linear(shape.hidden, narrow),
                "v_proj": linear(shape.hidden, narrow),
                "o_proj": linear(wide, shape.hidden),
            }
        )
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": linear(shape.hidden, shape.mlp),
                "up_proj": linear(shape.hidden, shape.mlp),
                "down_proj": linear(shape.mlp, shape.hidden),
            }
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, n, _ = x.shape
        at, y = self.self_attn, self.input_layernorm(x)
        q, k, v = (
            at[name](y).view(rows, n, -1, self.dim).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj")
        )
        q, k = turned(q, cos, sin), turned(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + at["o_proj"](y.transpose(1, 2).reshape(rows, n, -1))
        y = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


def rotation(shape: Shape) -> tuple[Tensor, Tensor]:
    """cos and sin [window, head_dim] of the rotary embedding (RoFormer, arXiv 2104.09864)."""
    half = torch.arange(0, shape.head_dim, 2, dtype=torch.float64) / shape.head_dim
    angle = torch.outer(torch.arange(shape.window, dtype=torch.float64), shape.rope_base**-half)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos().float(), angle.sin().float()


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``x`` [rows, heads, n, dim] rotated by the tables [n, dim]; pairs lie half a vector apart."""
    half = x.shape[-1] // 2
    aside = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + aside * sin.to(x.dtype)


class _Loss(torch.autograd.Function):
    """Cross-entropy of a linear head, with its gradient taken while a chunk's probabilities are at hand:
    the logits of a batch are never held, nor computed twice."""

    @staticmethod
    def forward(ctx, hidden, head, targets, weights, z):
        wanted = ctx.needs_input_grad[0]
        small = torch.bfloat16 if hidden.is_cuda else hidden.dtype
        matrix = head.to(small)
        exact = torch.promote_types(small, torch.float32)
        weights = weights.to(exact)
        total = torch.zeros(2, dtype=exact, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if wanted else None
        d_head = torch.zeros_like(head) if wanted else None
        chunk = CHUNK_GPU if hidden.is_cuda else CHUNK
        for low in range(0, len(hidden), chunk):
            part = slice(low, low + chunk)
            states, index, weight = hidden[part].to(small), targets[part, None], weights[part, None]
            logits = (states @ matrix.T).to(exact)
            right = logits.gather(1, index)
            most = logits.amax(dim=1, keepdim=True)
            pull = logits.sub_(most).exp_()
            sums = pull.sum(dim=1, keepdim=True)
            log_sum = sums.log() + most
            nll = (weight * (log_sum - right)).sum()
            total += torch.stack((nll + z * (weight * log_sum**2).sum(), nll))
            if wanted:
                # d/dlogit of NLL + z * L^2 is (1 + 2 z L) * softmax - onehot.
                pull.mul_(weight * (1 + 2 * z * log_sum) / sums)
                pull.scatter_add_(1, index, -weight)
                pull = pull.to(small)
                d_hidden[part] = pull @ matrix
                d_head += pull.T @ states
        if wanted:
            ctx.save_for_backward(d_hidden, d_head)
        nll = total[1].clone()
        ctx.mark_non_differentiable(nll)
        return total[0].clone(), nll

    @staticmethod
    def backward(ctx, upstream, _):
        d_hidden, d_head = ctx.saved_tensors
        return d_hidden * upstream, d_head * upstream, None, None, None
