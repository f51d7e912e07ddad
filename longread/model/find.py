"""From a name to a folder of files on this machine, without a network and without torch.

Knows the bundled models, local folders and the Hugging Face cache. Knows which files a
model must have before anything is loaded.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from longread.config import suggestion
from longread.errors import ModelError, UnsupportedError
from longread.model import cached
from longread.model.catalog import Entry, catalogue, listed

# What to do about files that are damaged.
MEND = "fetch it again; `longread models pull` mends one of the hub"


@dataclass(frozen=True)
class Found:
    """A model's files. ``config`` is its config.json; ``entry`` its place in the catalogue, if any."""

    name: str
    folder: Path
    config: dict[str, Any]
    entry: Entry | None

    @property
    def given(self) -> str:
        """The name by which ``find_model`` finds it again from any folder."""
        path = Path(self.name).expanduser()
        return os.path.abspath(path) if self.entry is None and path.is_dir() else self.name


def find_model(name: str) -> Found:
    """The files of a bundled model, a local folder, or a Hugging Face id that is already on disk.

    ``ModelError`` when there is none or it is not safetensors; ``UnsupportedError`` for a
    kind of model that longread cannot read with, or that needs code of its own.
    """
    entry = listed(name)
    if entry is not None and entry.folder is not None:
        return _checked(name, Path(str(resources.files("longread").joinpath(entry.folder))), entry)
    if entry is None or name != entry.name:  # ./NAME means a folder that is called like a listed model
        path = _on_disk(name)
        if path is not None and path.is_dir():
            return _checked(name, path, None)
        if path is not None:
            raise ModelError(
                f"{name} is a file, not a model's folder", "give the folder that holds config.json"
            )
    repo = (entry.repo if entry is not None else None) or name
    folder = cached.snapshot(repo)
    if folder is None:
        raise _absent(name, repo)
    return _checked(name, folder, entry)


def _on_disk(name: str) -> Path | None:
    """What is called ``name`` on this machine; None where nothing is, or nothing can be called so."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except PermissionError as error:
        raise ModelError(
            f"{name} cannot be looked at: {error.strerror}", "see who may read the folder"
        ) from None
    except (OSError, RuntimeError, ValueError):  # too long a name; the home of a user who is not there
        return None


def _absent(name: str, repo: str) -> ModelError:
    """The error for a model that is not here: how to get it, if it is one that can be got."""
    if not cached.is_repo(repo):
        near = suggestion(name, catalogue())
        return ModelError(
            f"there is no model called {name}",
            near or "`longread models list` names those that are known; a folder or owner/name will do, too",
        )
    begun = any(cached.repo_folder(repo).glob(f"blobs/*{cached.PARTIAL}"))
    state = "has not arrived whole" if begun else "is not on this machine"
    return ModelError(f"the model {name} {state}", f"fetch it: longread models pull {name}")


def _checked(name: str, folder: Path, entry: Entry | None) -> Found:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} holds no config.json", "give the folder of a transformers model"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{file} cannot be read: {error}",
            MEND,
        ) from None
    if not isinstance(config, dict):
        raise ModelError(
            f"{file} is not a model's configuration",
            MEND,
        )
    if config.get("is_encoder_decoder"):
        raise UnsupportedError(
            f"{name} is an encoder-decoder model",
            "longread streams a text through a causal language model; use one",
        )
    missing = cached.missing_weights(folder)
    if missing:
        raise ModelError(
            f"{len(missing)} of the weight files of {name} are missing, {missing[0]} among them",
            f"fetch the rest: longread models pull {name}",
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
    value = _of_tokenizer(found, key)
    value = value.get("content") if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def _of_tokenizer(found: Found, key: str) -> Any:
    try:
        table = json.loads((found.folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return table.get(key) if isinstance(table, dict) else None


def has_template(found: Found) -> bool:
    """Whether the model comes with a chat template."""
    stated = _of_tokenizer(found, "chat_template")  # a text, or a list of several with their names
    return (found.folder / "chat_template.jinja").is_file() or (
        isinstance(stated, str | list) and bool(stated)
    )
