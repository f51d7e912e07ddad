"""A reading's adapter as the files of an ordinary PEFT folder.

Knows PEFT's names and configuration for a LoRA and how a save keeps one. Knows no
model, loads no torch and writes nothing.
"""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from longread.errors import LongreadError, UnsupportedError
from longread.store import reading as readings
from longread.store import saves
from longread.store.reading import Reading

if TYPE_CHECKING:
    import numpy as np

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_FLAT = "session.lora.weight"
# The name of a parameter while it learns: PEFT's prefix, the layer, which matrix, the adapter's name.
_LEARNING = re.compile(r"base_model\.model\.(?P<layer>.+)\.(?P<matrix>lora_[AB])\.default\.weight")


def peft_files(reading: Reading) -> dict[str, bytes]:
    """The files of the folder that ``PeftModel.from_pretrained(base, folder)`` loads, by name.

    The configuration comes last: a folder that holds one holds the rest. UnsupportedError where the reading
    has no adapter, LongreadError where it is damaged.
    """
    from safetensors.numpy import save

    readings.require(reading)
    found, wrong = saves.sound(reading.saves)  # a hash tells what a shape would not
    shapes = found[0].record.get("lora") if found else []
    if not shapes:
        why = f" ({'; '.join(wrong)})" if wrong else ""
        raise UnsupportedError(
            f"the reading {reading.id[:8]} has no adapter to export{why}",
            "read the text again with --learn, to the first save at least",
        )
    tensors = _tensors(found[0], shapes, reading.id)
    downs = sorted(name for name in tensors if name.endswith(_DOWN))
    modules = [name.removeprefix("base_model.model.").removesuffix(_DOWN) for name in downs]
    config = _config(reading.manifest, modules, rank=tensors[downs[0]].shape[0])
    return {
        TENSORS: save(tensors, metadata={"format": "pt"}),
        CONFIG: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode(),
    }


def _tensors(save: saves.Save, shapes: Any, reading: str) -> dict[str, np.ndarray]:
    """The adapter's matrices, float32, under the names that PEFT saves them by."""
    from safetensors import SafetensorError

    try:
        flat = save.columns(_FLAT)[""]
        names = [_saved(learning) for learning, _ in shapes]
        places = [0]
        for _, shape in shapes:
            places.append(places[-1] + math.prod(shape))
        if flat.shape != (places[-1],) or len(set(names)) != len(names):
            raise ValueError("the shapes are not those of the tensor")
        parts = zip(names, shapes, pairwise(places), strict=True)
        matrices = {name: flat[low:high].reshape(shape) for name, (_, shape), (low, high) in parts}
        downs = [name for name in matrices if name.endswith(_DOWN)]
        ranks = {(matrices[n].shape[0], matrices[n.removesuffix(_DOWN) + _UP].shape[1]) for n in downs}
        if 2 * len(downs) != len(matrices) or len(ranks) != 1 or len(set(*ranks)) != 1:
            raise ValueError("its matrices are no pairs of one rank")
        return matrices
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise LongreadError(
            f"the adapter of the reading {reading[:8]} is damaged: {error}",
            "read the text again; a sound save, if there is one, is taken up",
        ) from error


def _saved(learning: str) -> str:
    """The name in a PEFT file of a parameter that learned as ``learning``; ValueError for no such name."""
    match = _LEARNING.fullmatch(learning)
    if match is None:
        raise ValueError(learning)
    return f"base_model.model.{match['layer']}.{match['matrix']}.weight"


def _config(manifest: dict[str, Any], modules: list[str], rank: int) -> dict[str, Any]:
    """PEFT's ``LoraConfig`` as JSON; what is left out has PEFT's default, which is what learned."""
    from longread.model.catalog import listed as entry_of

    model = manifest.get("model")
    name = str(model.get("name") or "") if isinstance(model, dict) else ""
    listed = entry_of(name)
    bundled = listed is not None and listed.folder is not None
    name = (listed.repo if listed is not None else None) or name
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        # The bundled model has no name that others could fetch it by.
        "base_model_name_or_path": None if bundled else name or None,
        "target_modules": modules,
        "r": rank,
        "lora_alpha": rank,  # as the engine trains it: a scale of 1
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }
