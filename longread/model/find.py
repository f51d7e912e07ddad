"""From a name to a folder of files on this machine, without a network and without torch.

Knows the bundled models, local folders and the Hugging Face cache. Knows which files a
model must have before anything is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from longread.errors import ModelError, UnsupportedError
from longread.model.catalog import Entry, catalogue


@dataclass(frozen=True)
class Found:
    """A model's files. ``config`` is its config.json; ``entry`` its place in the catalogue, if any."""

    name: str
    folder: Path
    config: dict[str, Any]
    entry: Entry | None


def find_model(name: str) -> Found:
    """The files of a bundled model, a local folder, or a Hugging Face id that is already on disk.

    ``ModelError`` when there is none or it is not safetensors; ``UnsupportedError`` for a
    kind of model that longread cannot read with, or that needs code of its own.
    """
    entry = catalogue().get(name)
    if entry is not None and entry.folder is not None:
        return _checked(name, Path(str(resources.files("longread").joinpath(entry.folder))), entry)
    path = Path(name).expanduser()
    if path.is_dir():
        return _checked(name, path, entry)
    if path.exists():
        raise ModelError(f"{name} is a file, not a model's folder", "give the folder that holds config.json")
    folder = _in_hub_cache(name)
    if folder is None:
        raise ModelError(
            f"the model {name} is not on this machine",
            f"`longread models pull {name}` will fetch it once that command exists; "
            "until then give a folder that holds config.json, tokenizer.json and *.safetensors, "
            "or leave --model out for the bundled model",
        )
    return _checked(name, folder, entry)


def _in_hub_cache(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        hit = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(hit).parent if isinstance(hit, str) else None


def _checked(name: str, folder: Path, entry: Entry | None) -> Found:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} holds no config.json", "give the folder of a transformers model"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}", "fetch the model again") from None
    if not isinstance(config, dict):
        raise ModelError(f"{file} is not a model's configuration", "fetch the model again")
    if config.get("is_encoder_decoder"):
        raise UnsupportedError(
            f"{name} is an encoder-decoder model",
            "longread streams a text through a causal language model; use one",
        )
    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} holds no *.safetensors",
            "longread loads no pickled weights; fetch the safetensors version",
        )
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} holds no tokenizer.json", "fetch the model again with its tokenizer")
    return Found(name, folder, config, entry)


def special_token(found: Found, key: str) -> str | None:
    """A special token's text, such as ``bos_token``, from tokenizer_config.json; None if it has none."""
    try:
        text = (found.folder / "tokenizer_config.json").read_text(encoding="utf-8")
        value = json.loads(text).get(key)
    except (OSError, ValueError):
        return None
    return value.get("content") if isinstance(value, dict) else value
