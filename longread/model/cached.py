"""What of a model lies in the Hugging Face cache, and how to be rid of it.

Knows the cache's layout (``models--owner--name`` with blobs, snapshots and refs) and
which files longread needs. Opens no connection and loads no model.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from longread.errors import OutputError

# A model may come in one file or in numbered pieces; variants (fp16, consolidated) are other files.
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
INDEX = "model.safetensors.index.json"
PARTIAL = ".incomplete"


def cache_folder() -> Path:
    """The Hugging Face cache: HF_HUB_CACHE, else HF_HOME/hub, else its place in the user's home."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def is_repo(name: str) -> bool:
    """Whether ``name`` could be a repository of the hub: owner/name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def repo_folder(repo: str) -> Path:
    """The folder of the cache that is this repository's; it need not exist."""
    return cache_folder() / ("models--" + repo.replace("/", "--"))


def snapshot(repo: str) -> Path | None:
    """The folder with the files of the revision that was fetched last; None where there is none."""
    from huggingface_hub import try_to_load_from_cache

    if not is_repo(repo):
        return None
    hit = try_to_load_from_cache(repo, "config.json")
    return Path(hit).parent if isinstance(hit, str) else None


def missing_weights(folder: Path) -> list[str]:
    """Names of the weight files that the folder's index lists and that are not there."""
    try:
        names = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return []  # no index, or none that says anything
    return sorted({str(name) for name in names if not (folder / Path(str(name)).name).is_file()})


def parameters_in(folder: Path) -> int | None:
    """Numbers in the weight files of a model's folder, by their headers; None where one cannot be read."""
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        if WEIGHTS.fullmatch(file.name):
            try:
                with open(file, "rb") as stream:
                    header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
                total += sum(math.prod(x["shape"]) for key, x in header.items() if key != "__metadata__")
            except (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError):
                return None
    return total or None


def bytes_of(repo: str) -> int:
    """What the repository takes on the disk, pieces of a cut download included."""
    blobs = [path for path in repo_folder(repo).rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_size for path in blobs)


def repos() -> Iterator[str]:
    """The models in the cache, those of a cut download among them, in order of name."""
    for path in sorted(cache_folder().glob("models--*--*")):
        owner, _, name = path.name.removeprefix("models--").partition("--")
        if is_repo(f"{owner}/{name}") and path.is_dir():
            yield f"{owner}/{name}"


def remove(repo: str) -> None:
    """Delete the repository's folder; links in it are deleted, never followed."""
    folder = repo_folder(repo)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(
            f"{folder} could not be deleted: {error.strerror}", "see who may write there"
        ) from None
    shutil.rmtree(cache_folder() / ".locks" / folder.name, ignore_errors=True)
