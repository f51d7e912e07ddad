"""Every contact with the insides of transformers and PEFT, in one place.

Knows, for transformers 5.17 to 5.23 and PEFT 0.21, where a causal model keeps its
decoder, its head, its rotary tables and its linear layers. Knows no cache and no task.
Reads a model; the one thing it changes, PEFT's layers, ``adapter`` puts back.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from longread.model import fit

STATE_SPACE = {"mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"}


def text_config(config: Any) -> Any:
    """The configuration of the part that reads text; of a model that does nothing else its own."""
    part = getattr(config, "text_config", None)
    return config if part is None or isinstance(part, dict) else part


def decoder(model: nn.Module) -> nn.Module:
    """The part of a causal language model that ends in the last hidden state, after its norm.

    Of a model that sees pictures too it is the part that reads text.
    """
    inner = getattr(model.base_model, "language_model", None)
    return inner if isinstance(inner, nn.Module) and is_composite(model.config) else model.base_model


def is_composite(config: Any) -> bool:
    """Whether a model has other parts beside the one that reads text."""
    return text_config(config) is not config


def reaches_text(model: nn.Module) -> bool:
    """Whether ``decoder`` finds the part that reads text, and no other part with it."""
    found = decoder(model)
    own = getattr(found, "config", None)
    return own is not None and not is_composite(own) and found is not model and bool(layers(found))


def layers(decoder: nn.Module) -> list[nn.Module]:
    """The decoder's layers in order: what transformers would checkpoint, the outermost of it."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    found: list[nn.Module] = []
    inside: set[nn.Module] = set()
    for module in decoder.modules():
        if isinstance(module, GradientCheckpointingLayer) and module not in inside:
            found.append(module)
            inside.update(module.modules())
    return found


def linear_names(model: nn.Module) -> list[str]:
    """Names of every linear layer that reads text but the head, sorted: the LoRA targets.

    Without those that PEFT takes no adapter for: a state-space layer's kernels read their weights directly.
    """
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer, stored the other way round

    head = model.get_output_embeddings()
    left = {"out_proj"} if text_config(model.config).model_type in STATE_SPACE else set()
    reads = set(decoder(model).modules()) if is_composite(model.config) else set(model.modules())
    return sorted(
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D)
        and layer is not head
        and layer in reads
        and name.rpartition(".")[2] not in left
    )


@dataclass(frozen=True)
class HeadParts:
    """A head as its family computes it: ``softcap(scale * (h W^T + bias))``."""

    weight: Tensor
    bias: Tensor | None
    scale: float
    softcap: float | None


def head_parts(model: nn.Module) -> HeadParts:
    """Weight, bias, logit scale and soft cap of the model's head."""
    head, config = model.get_output_embeddings(), text_config(model.config)
    scale, cap = 1.0, None
    if getattr(config, "logits_scaling", None):  # granite divides
        scale = 1.0 / config.logits_scaling
    for name in ("logit_scale", "lm_head_multiplier"):  # cohere and falcon-h1 multiply
        if isinstance(getattr(config, name, None), int | float) and config.model_type != "mpt":
            scale = float(getattr(config, name))
    for name in ("final_logit_softcapping", "logits_soft_cap"):  # gemma 2, recurrentgemma
        cap = cap or getattr(config, name, None)
    return HeadParts(head.weight, getattr(head, "bias", None), scale, cap)


def attention_layers(model: nn.Module) -> dict[int, nn.Module]:
    """The decoder's attention modules by layer."""
    named = ((type(m).__name__, m) for m in decoder(model).modules())
    return {
        m.layer_idx: m
        for name, m in named
        if "Attention" in name and getattr(m, "layer_idx", None) is not None
    }


def attention_kind(layer: nn.Module) -> str:
    """What one of ``attention_layers`` sees, in words: "full", "sliding 512", "full, unrotated"."""
    sliding = getattr(layer, "sliding_window", None)
    sees = f"sliding {sliding}" if isinstance(sliding, int) else "full"
    return sees if _rotates(layer) else f"{sees}, unrotated"


def _rotates(layer: nn.Module) -> bool:
    """Whether an attention module marks positions: SmolLM3 says so, in Cohere 2 only sliding ones do."""
    if type(layer).__name__ == "Cohere2Attention":
        return layer.sliding_window is not None
    return bool(getattr(layer, "use_rope", True))


def rotation_kind(config: Any) -> str:
    """How a model marks positions, in words: its rotary embedding's kind and base, or "none"."""
    tables = _rope_tables(config)
    said = {
        f"{table.get('rope_type', 'default')}, base {table.get('rope_theta', 0):,.0f}" for table in tables
    }
    return f"rotary ({'; '.join(sorted(said))})" if said else "not rotary"


def _rope_tables(config: Any) -> list[dict[str, Any]]:
    rope = getattr(text_config(config), "rope_parameters", None) or {}
    return [rope] if "rope_type" in rope else [table for table in rope.values() if isinstance(table, dict)]


def lengths(config: Any) -> tuple[int | None, bool]:
    """``fit.lengths`` of a model's config."""
    return fit.lengths(vars(text_config(config)))


@dataclass(frozen=True)
class Rotation:
    """How one layer turns its queries and keys (RoPE, arXiv 2104.09864).

    ``frequencies`` [pairs] float64, radians a position; the first 2 * pairs dimensions
    of a head are rotated. ``interleaved`` pairs dimension 2i with 2i+1, else i with
    pairs + i. Factors inside cos and sin (YaRN) are left to the model: turning a
    vector that is already rotated must not scale it again.
    """

    frequencies: Tensor
    interleaved: bool

    def table(self, angle: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin [angles, pairs] float64; ``angle`` is in positions and may be negative."""
        phase = angle.to(torch.float64)[:, None] * self.frequencies
        return phase.cos(), phase.sin()

    def turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """``x`` [..., positions, dim] rotated further by a table of its positions; same dtype."""
        return _Turn.apply(x, cos, sin, self.interleaved)


class _Turn(torch.autograd.Function):
    """A rotation's gradient is the rotation back; composed of its parts it would be a dozen nodes."""

    @staticmethod
    def forward(ctx, x, cos, sin, interleaved):
        ctx.save_for_backward(cos, sin)
        ctx.interleaved = interleaved
        return _turned(x, cos, sin, interleaved)

    @staticmethod
    def backward(ctx, g):
        cos, sin = ctx.saved_tensors
        return _turned(g, cos, -sin, ctx.interleaved), None, None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    pairs = cos.shape[-1]
    head, rest = x[..., : 2 * pairs], x[..., 2 * pairs :]
    if interleaved:
        a, b = head[..., 0::2], head[..., 1::2]
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)
    else:
        a, b = head[..., :pairs], head[..., pairs:]
        turned = torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
    return torch.cat((turned, rest), dim=-1) if rest.shape[-1] else turned


class Rotations:
    """The rotation of each attention layer of a model; None for a layer without one."""

    def __init__(self, model: nn.Module) -> None:
        tables = [m for m in decoder(model).modules() if type(m).__name__.endswith("RotaryEmbedding")]
        self._table = tables[0] if tables else None
        self._types = getattr(text_config(model.config), "layer_types", None)
        self._known: dict[tuple[str, bool], Rotation] = {}

    def of(self, layer: nn.Module) -> Rotation | None:
        """The rotation that the attention module ``layer`` applies."""
        if self._table is None or not _rotates(layer):
            return None
        name = "inv_freq"
        if not hasattr(self._table, name):  # one table a layer type (gemma3)
            name = f"{self._types[layer.layer_idx]}_inv_freq"
        interleaved = _interleaved(type(layer))
        key = (name, interleaved)
        if key not in self._known:
            # On the CPU: angles are few, need float64, and not every device has it.
            frequencies = getattr(self._table, name).detach().to("cpu", torch.float64)
            self._known[key] = Rotation(frequencies, interleaved)
        return self._known[key]


@cache
def _interleaved(layer_class: type) -> bool:
    """Which dimensions a family pairs, found by rotating a unit vector with the family's own function."""
    rotate = getattr(sys.modules[layer_class.__module__], "apply_rotary_pos_emb", None)
    if rotate is None:
        return False
    unit = torch.zeros(1, 1, 1, 8)
    unit[..., 0] = 1.0
    # Nearly all functions take an angle for each dimension, GPT-OSS's one for each pair.
    width = 4 if layer_class.__name__.startswith("GptOss") else 8
    cos, sin = torch.full((1, 1, width), 0.6), torch.full((1, 1, width), 0.8)
    rotated, _ = rotate(unit, unit, cos, sin)
    return bool(rotated[..., 1].abs().item() > 0.5)


@contextmanager
def attention_function(model: nn.Module, function: Any) -> Iterator[None]:
    """Within the context the model's layers call ``function`` in place of their attention.

    Registered through transformers' ``AttentionInterface`` under a name of its own and
    without a mask function, so that no mask is built. The registry, the model's config
    and its name for the attention are put back on the way out.
    """
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    name = f"longread_{id(function):x}"
    configs = {id(m.config): m.config for m in model.modules() if hasattr(m, "config")}
    before = [(config, config._attn_implementation_internal) for config in configs.values()]
    ALL_ATTENTION_FUNCTIONS[name] = function
    try:
        for config, _ in before:
            config._attn_implementation_internal = name
        yield
    finally:
        for config, value in before:
            config._attn_implementation_internal = value
        del ALL_ATTENTION_FUNCTIONS[name]


def inject_adapter(model: nn.Module, *, rank: int, alpha: float, dropout: float, targets: list[str]) -> Any:
    """Put a LoRA (arXiv 2106.09685) into the model's linear layers, in float32; returns PEFT's model."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )
    layers = [model.get_submodule(name) for name in targets]
    config.fan_in_fan_out = any(type(layer).__name__ == "Conv1D" for layer in layers)
    if all(type(layer) is nn.Linear for layer in layers):  # a quantised layer needs PEFT's own for its kind
        config._register_custom_module({nn.Linear: _one_node_linear()})
    with warnings.catch_warnings(), _as_if_there(layers):
        # PEFT 0.21 asks the model for a property that transformers 5.23 has renamed.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config, autocast_adapter_dtype=True)


@contextmanager
def _as_if_there(layers: list[nn.Module]) -> Iterator[None]:
    """Within the context weights that wait elsewhere seem to be where they will be at work: PEFT puts an
    adapter beside the weight, and beside one without data it would have none either."""
    waiting = []
    for layer in layers:
        hook = getattr(layer, "_hf_hook", None)
        if hook is not None and hook.offload:
            for name, held in list(layer.named_parameters(recurse=False)):
                waiting.append((layer, name, held))
                stand_in = torch.zeros(1, dtype=held.dtype, device=hook.execution_device).expand(held.shape)
                setattr(layer, name, nn.Parameter(stand_in, requires_grad=False))
    try:
        yield
    finally:
        for layer, name, held in waiting:
            setattr(layer, name, held)


@cache
def _one_node_linear() -> type:
    """PEFT's LoRA layer, its plain case by ``lora_linear``; made late, for PEFT is slow to import."""
    from longread_kernels.lora_linear import lora_linear
    from peft.tuners.lora import Linear

    class OneNodeLinear(Linear):
        def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            names = self.active_adapters
            hook = getattr(self.base_layer, "_hf_hook", None)
            if hook is None or not hook.offload:
                return self._computed(x, names, *args, **kwargs)
            # accelerate brings the weights when the layer is called, and we call what is inside it.
            hook.pre_forward(self.base_layer)
            try:
                return self._computed(x, names, *args, **kwargs)
            finally:
                hook.post_forward(self.base_layer, None)

        def _computed(self, x: Tensor, names: list[str], *args: Any, **kwargs: Any) -> Tensor:
            if len(names) == 1 and not (self.disable_adapters or args or kwargs):
                (name,) = names
                down, up, base = self.lora_A[name], self.lora_B[name], self.base_layer
                dropout = self.lora_dropout[name]
                drops = isinstance(dropout, nn.Dropout) and dropout.training
                plain = not (drops or self.merged or self.lora_variant)
                if plain and x.dtype == base.weight.dtype == down.weight.dtype:
                    return lora_linear(x, base.weight, base.bias, down.weight, up.weight, self.scaling[name])
            return super().forward(x, *args, **kwargs)

    return OneNodeLinear


def remove_adapter(model: nn.Module) -> None:
    """Give the model its own linear layers back, also where an adapter was put in by half.

    PEFT's own ``unload`` would load every weight that waits elsewhere.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, layer.get_base_layer())


@contextmanager
def adapter_switched_off(peft_model: Any) -> Iterator[None]:
    """Within the context the model computes without the adapter."""
    with peft_model.disable_adapter():
        yield
