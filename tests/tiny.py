"""Tiny random models of many families, made so that a wrong forward cannot pass for a right one."""

from __future__ import annotations

import torch

_BASE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attention_dropout": 0.0,
}

# What each family adds: its sliding windows, partial rotation, caps, scales, biases, layers without rotation.
FAMILIES: dict[str, dict] = {
    "llama": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "llama-yarn": {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 16,
        }
    },
    "llama-llama3": {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        }
    },
    "qwen2": {"use_sliding_window": True, "sliding_window": 11, "max_window_layers": 4},
    "qwen3": {"head_dim": 16, "attention_bias": True},
    "mistral": {"sliding_window": 11},
    "gemma": {"head_dim": 16},
    "gemma2": {"head_dim": 16, "sliding_window": 11, "query_pre_attn_scalar": 16},
    "phi": {"partial_rotary_factor": 0.5, "num_key_value_heads": 4, "qk_layernorm": True},
    "phi3": {"sliding_window": 11},
    "smollm3": {"no_rope_layer_interval": 3},
    "gpt_neox": {"rotary_pct": 0.25, "num_key_value_heads": 4},
    "granite": {
        "logits_scaling": 3.0,
        "residual_multiplier": 0.7,
        "embedding_multiplier": 2.0,
        "attention_multiplier": 0.3,
    },
    "olmo2": {},
    "stablelm": {"partial_rotary_factor": 0.25, "use_qkv_bias": True, "qk_layernorm": True},
    "starcoder2": {"sliding_window": 11, "use_bias": True},
}


def tiny_config(family: str, **changes):
    """The config of a tiny model of ``family``; ``changes`` overrule."""
    from transformers import AutoConfig

    kind, _, _ = family.partition("-")
    options = {**_BASE, **FAMILIES.get(family, {}), **changes}
    if kind == "gpt_neox":
        options.pop("num_key_value_heads")
    return AutoConfig.for_model(kind, **options)


def tiny_model(family: str, *, seed: int = 0, dtype: torch.dtype = torch.float32, **changes):
    """8 layers, random norms and biases, weights times 4: every part of the forward shows in the logits."""
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(tiny_config(family, **changes))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter.normal_(0, 0.2)
                elif parameter.ndim == 1:  # norms
                    parameter.add_(torch.randn_like(parameter) * 0.2)
                else:
                    parameter.mul_(4)
    return model.to(dtype).eval()
