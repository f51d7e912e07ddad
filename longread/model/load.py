"""Loading: the only caller of ``from_pretrained``.

Knows devices and dtypes, and what must hold before a model is read with: its files are
safetensors, its code is transformers' own, its attention has been proved. Knows no
cache, adapter or text.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from longread.config import Memory
from longread.errors import ModelError, UnsupportedError
from longread.model import compat
from longread.model.backbone import Backbone
from longread.model.catalog import Trust, trust_in
from longread.model.find import MEND, Found, find_model, has_template
from longread.model.fingerprint import fingerprint
from longread.model.machine import no_device
from longread.model.placement import device_map
from longread.model.prefix import prefix_of
from longread.model.probe import MakePolicy, Verdict, head_agrees, remembered_verdict
from longread.model.room import Fit, fitted
from longread.model.shortage import is_shortage
from longread.model.tokens import Encoder, load_encoder


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, ready to read.

    ``prefix`` is what begins every stream (learned sink, BOS); ``learned_sink`` says that
    the model was trained with it and needs no other sinks. ``fit`` is what the machine's
    memory made of the reading, ``fit_says`` the same in a line, empty where nothing was given up.
    """

    name: str
    backbone: Backbone
    encoder: Encoder
    trust: Trust
    parameters: int
    prefix: list[int]
    learned_sink: bool
    weights: str
    verdict: Verdict
    found: Found
    fit: Fit
    fit_says: str

    @property
    def model(self) -> nn.Module:
        return self.backbone.model

    @property
    def dtype(self) -> str:
        """Its number format as options name it: "float32"."""
        return str(self.backbone.dtype).removeprefix("torch.")


def load_model(
    name: str,
    make_policy: MakePolicy,
    *,
    device: str = "auto",
    dtype: str = "auto",
    memory: Memory = Memory(),  # noqa: B008  (frozen)
    anew: bool = False,
) -> LoadedModel:
    """Load the model called ``name`` (see ``find_model``), prove it with the KV policies that
    ``make_policy`` makes, ``anew`` whatever is remembered, and say what it is trusted with and how it fits
    to be read with as ``memory`` has it."""
    found = find_model(name)
    encoder = load_encoder(found.folder)
    prefix, learned = prefix_of(found)
    place = pick_device(device)
    if isinstance(found.config.get("text_config"), dict) and not compat.reaches_text(outline(found)):
        raise UnsupportedError(
            f"{name} reads more than text (model type {found.config.get('model_type', '?')}), and longread "
            "does not know which part of it reads text",
            "use a model for text alone, often a version of the same one",
        )
    planned = device if place.type == "cuda" else "cpu"  # a card that torch cannot use holds nothing
    how, machine = fitted(found, memory, device=planned, dtype=dtype)
    model = _placed(found, pick_dtype(dtype, place), place, how, every=device == "auto").eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    parameters = sum(p.numel() for p in model.parameters())
    weights = fingerprint(found.folder)
    try:
        verdict = remembered_verdict(model, weights, make_policy, anew=anew)
    except Exception as error:
        if not is_shortage(error):
            raise
        raise ModelError(
            f"there is not enough memory to test {name} before it reads",
            "use a smaller model, or --device cpu",
        ) from None
    if not verdict.agrees:
        how, machine = fitted(found, memory, device=planned, dtype=dtype, stateful=False)
    # What waits elsewhere would all be on the card at once if layers kept what the gradient needs.
    twice = how.checkpointed or any(p.is_meta for p in model.parameters())
    backbone = Backbone(model, stateful=verdict.agrees, checkpointed=twice)
    backbone.sizes = how.sizes if how.shrunk else None
    if not verdict.agrees and not head_agrees(backbone):
        raise UnsupportedError(
            f"{name} scores its words in a way that longread does not know (model type "
            f"{model.config.model_type})",
            "use one of `longread models list`",
        )
    return LoadedModel(
        name=name,
        backbone=backbone,
        encoder=encoder,
        trust=trust_in(found.entry, parameters, has_template(found)),
        parameters=parameters,
        prefix=prefix,
        learned_sink=learned,
        weights=weights,
        verdict=verdict,
        found=found,
        fit=how,
        fit_says=how.says(machine.room),
    )


def _placed(found: Found, dtype: torch.dtype, place: torch.device, how: Fit, *, every: bool) -> nn.Module:
    """The model on ``place``; where that does not hold it, on ``every`` card and in the machine's memory."""
    if place.type == "cuda":
        first = place.index or 0
        cards = list(range(torch.cuda.device_count())) if every else [first]
        rooms = [torch.cuda.mem_get_info(card)[0] for card in cards]
        if how.needs.total > rooms[0]:
            parts = device_map(outline(found), rooms, how.needs)
            where = {name: cards[at] if isinstance(at, int) else at for name, at in parts.items()}
            return _from_pretrained(found, dtype, device_map=where)
    return _from_pretrained(found, dtype).to(place)


def pick_device(wanted: str) -> torch.device:
    """The device called ``wanted``; "auto" takes CUDA, then Apple's, then the CPU."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(wanted)
    except RuntimeError:
        raise ModelError(
            f"there is no device called {wanted!r}", "use auto, cpu, cuda, cuda:N or mps"
        ) from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(place.type, False) or (
        place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count()
    ):
        raise no_device(wanted)
    return place


def pick_dtype(wanted: str, place: torch.device) -> torch.dtype:
    """The dtype called ``wanted``; "auto" is float32 on a CPU and bfloat16 on a GPU that computes in it.

    bf16 on a CPU measured slower than float32 (docs/log.md), so it is never chosen there.
    """
    if wanted == "auto":
        if place.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]


def _from_pretrained(found: Found, dtype: torch.dtype, **parts: Any) -> nn.Module:
    """The model in the machine's memory, or laid out as ``parts`` (device_map, offload_folder) say."""
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)  # what waits elsewhere is told in our own words
    where = {"local_files_only": True, "trust_remote_code": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warnings are for programmers; what matters is checked below
            config = AutoConfig.from_pretrained(found.folder, **where)
            if config.model_type == "rwkv":
                config.rescale_every = 0  # it would divide its own weights when it is first run
            model, report = AutoModelForCausalLM.from_pretrained(
                found.folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                **parts,
                **where,
            )
    except (KeyError, ValueError) as error:
        kind = found.config.get("model_type", "?")
        if "auto_map" in found.config or "trust_remote_code" in str(error):
            raise UnsupportedError(
                f"{found.name} brings code of its own (model type {kind})",
                "longread never runs a model's code; use a model that transformers knows",
            ) from None
        raise UnsupportedError(
            f"transformers {transformers.__version__} cannot load {found.name} (model type {kind}) as a "
            f"causal language model: {_first_line(error)}",
            "use another model, or a newer transformers",
        ) from None
    except Exception as error:  # safetensors and transformers raise many kinds for damaged files
        if is_shortage(error):
            raise ModelError(
                f"there is no memory for {found.name}", "use a smaller model, or --device cpu"
            ) from None
        raise ModelError(
            f"the weights in {found.folder} cannot be loaded: {_first_line(error)}",
            MEND,
        ) from error
    missing = report.get("missing_keys")
    if missing:
        raise ModelError(
            f"the weights in {found.folder} lack {len(missing)} tensors, {sorted(missing)[0]} among them",
            MEND,
        )
    return model


def outline(found: Found) -> nn.Module:
    """The model without its weights: every module by its name, and no memory taken.

    ``UnsupportedError`` where transformers does not know the kind of model, or cannot make one of the config.
    """
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            config = AutoConfig.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False)
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # a package that its pictures need, figures that do not go together
        raise UnsupportedError(
            f"transformers {transformers.__version__} does not know {found.name} as a causal language model "
            f"(model type {found.config.get('model_type', '?')}): {_first_line(error)}",
            "use another model, or a newer transformers",
        ) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
