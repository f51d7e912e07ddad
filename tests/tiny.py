"""Tiny random models of many families, made so that a wrong forward cannot pass for a right one."""

from __future__ import annotations

import json
from pathlib import Path

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
    "qwen2": {"use_sliding_window": True, "sliding_window": 11, "max_window_layers": 2},
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
    "gemma3_text": {
        "head_dim": 16,
        "sliding_window": 11,
        "query_pre_attn_scalar": 16,
        "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"] * 2,
    },
    "glm": {"head_dim": 16, "partial_rotary_factor": 0.5, "attention_bias": True},
    "glm4": {"head_dim": 16, "partial_rotary_factor": 0.5},
    "cohere": {"logit_scale": 0.5, "use_qk_norm": True, "num_hidden_layers": 3},
    "cohere2": {"logit_scale": 0.5, "sliding_window": 11},
    "gpt_oss": {
        "head_dim": 16,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "sliding_window": 11,
        "layer_types": ["sliding_attention", "full_attention"] * 4,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 16,
            "truncate": False,
        },
    },
}

# Read in chunks: attention of their own, learned positions, recurrent states (longread/model/families.py).
CHUNKED: dict[str, dict] = {
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 2},
    "falcon-alibi": {"alibi": True},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 4, "max_seq_len": 64, "expansion_ratio": 2},
    "gpt2": {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 64},
    "mamba2": {"num_heads": 4, "head_dim": 16, "state_size": 8, "n_groups": 2, "expand": 2, "chunk_size": 16},
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "recurrent_gemma": {"head_dim": 8, "lru_width": 32, "attention_window_size": 11, "logits_soft_cap": 5.0},
    "falcon_h1": {
        "head_dim": 8,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "mamba_n_groups": 1,
        "mamba_chunk_size": 16,
        "lm_head_multiplier": 0.5,
    },
    "qwen3_5_text": {
        "head_dim": 16,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    },
}


def tiny_config(family: str, **changes):
    """The config of a tiny model of ``family``; ``changes`` overrule."""
    from transformers import AutoConfig

    kind, _, _ = family.partition("-")
    options = {**_BASE, **FAMILIES.get(family, {}), **CHUNKED.get(family, {}), **changes}
    if kind == "gpt_neox":
        options.pop("num_key_value_heads")
    if "layer_types" in options:
        options["layer_types"] = options["layer_types"][-options["num_hidden_layers"] :]
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


TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)


def tiny_folder(folder: Path, family: str, **changes) -> Path:
    """A tiny model as it would be shipped: weights, a tokenizer of bytes, a chat template that can think."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<|turn|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["The ferry from Gull Yard carried barrels and no news that day."], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    shape = {"vocab_size": tokenizer.get_vocab_size(), "num_hidden_layers": 4, **changes}
    model = tiny_model(family, **shape)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": token for name, token in zip(("pad", "bos", "eos"), special, strict=False)},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8", newline="\n")
    return folder
