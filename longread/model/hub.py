"""``models pull``: a model from the Hugging Face hub into its cache on this disk.

Knows which files of a repository longread needs and where they belong in the cache, which
other programs share. Only safetensors are fetched, and nothing that could be run. Knows
neither how a file is transferred (``fetch``) nor how a fault is worded (``faults``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from longread.errors import Interrupted, LongreadError, ModelError, OutputError, UnsupportedError, UsageError
from longread.events import Done, Event, Note, Transfer
from longread.model import cached, faults
from longread.model.catalog import listed
from longread.model.fetch import Blob, fetch, patiently

_SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
_MORE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja", cached.INDEX)
_LICENCE = re.compile(r"LICEN[CS]E(\.(txt|md))?")
_HEX = {True: re.compile(r"[0-9a-f]{64}"), False: re.compile(r"[0-9a-f]{40}")}
_SPARE = 200_000_000  # bytes of the disk that are left alone
_OFTEN = 0.1  # seconds between two events


@dataclass(frozen=True)
class Pulled:
    """What a pull brought: the model's folder, its bytes, and how many of them came over the network."""

    repo: str
    folder: str
    bytes: int
    fetched: int
    licence: str


@dataclass(frozen=True)
class _Offer:
    """What the hub has under a name: one commit and those of its files that are needed."""

    repo: str
    commit: str
    files: tuple[Blob, ...]
    licence: str

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


def pull(name: str) -> Iterator[Event]:
    """Fetch the model called ``name``, in the catalogue or on the hub; the last event is ``Done``.

    An ``Interrupted`` thrown in, or a fault, leaves what has arrived; the next pull goes on from there.
    """
    from huggingface_hub import constants

    entry = listed(name)
    if entry is not None and entry.folder is not None:
        raise UsageError(f"{name} comes with the program", f"make it the default: longread models use {name}")
    repo = (entry.repo if entry is not None else None) or name
    if not cached.is_repo(repo):
        raise UsageError(
            f"{name} is no name of a model",
            "`longread models list` shows some; any owner/name of the hub will do",
        )
    endpoint, folder = constants.ENDPOINT, cached.repo_folder(repo)
    began, fetched = time.perf_counter(), 0
    try:
        offer = patiently(lambda: _offer(repo, endpoint))
        for part in ("blobs", "refs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        with _alone(folder, repo):
            fetched = yield from _bring(offer, endpoint, folder)
            place = _placed(offer, folder)
    except Interrupted as error:
        raise Interrupted(
            f"stopped; what has come of {repo} is kept", f"go on: longread models pull {name}"
        ) from error
    except LongreadError:
        raise
    except Exception as error:
        raise faults.told(error, repo, endpoint, folder) from error
    result = Pulled(repo, str(place), offer.bytes, fetched, offer.licence)
    yield Done("models pull", repo, {}, result, {"seconds": {"fetch": round(time.perf_counter() - began, 3)}})


def _offer(repo: str, endpoint: str) -> _Offer:
    """Ask the hub for the repository's files; one request."""
    from huggingface_hub import HfApi

    info = HfApi(endpoint=endpoint).model_info(repo, files_metadata=True, timeout=_timeout())
    there = {file.rfilename: file for file in info.siblings or ()}
    weights = sorted(filter(cached.WEIGHTS.fullmatch, there))
    if "model.safetensors" in weights:  # whole; pieces beside it are the same again
        weights = ["model.safetensors"]
    if not weights:
        raise UnsupportedError(
            f"{repo} holds no model.safetensors",
            "longread loads no pickled or GGUF weights; look for a safetensors version of it",
        )
    if "tokenizer.json" not in there:
        raise UnsupportedError(f"{repo} holds no tokenizer.json", "look for a version of it that does")
    wanted = [n for n in (*_SMALL, *_MORE) if n in there] + sorted(filter(_LICENCE.fullmatch, there))
    if "model.safetensors" in weights and cached.INDEX in wanted:
        wanted.remove(cached.INDEX)
    card = info.card_data
    licence = str((card.get("license") if card is not None else None) or "not stated")
    if not (isinstance(info.sha, str) and _HEX[False].fullmatch(info.sha)):
        raise ModelError(
            f"{faults.host(endpoint)} names no commit of {repo}", "look at HF_ENDPOINT if it is set"
        )
    return _Offer(repo, info.sha, tuple(_blob(there[n], endpoint) for n in (*wanted, *weights)), licence)


def _blob(file: Any, endpoint: str) -> Blob:
    """A file as the hub describes it. Its digest will be a file's name: nothing but hex may stand there."""
    large = file.lfs is not None
    digest = file.lfs["sha256"] if large else file.blob_id
    size = file.lfs["size"] if large else file.size
    if not (
        isinstance(digest, str) and _HEX[large].fullmatch(digest) and isinstance(size, int) and size >= 0
    ):
        raise ModelError(
            f"{faults.host(endpoint)} gives no digest of {file.rfilename}", "look at HF_ENDPOINT if it is set"
        )
    return Blob(file.rfilename, size, digest, large)


def _bring(offer: _Offer, endpoint: str, folder: Path) -> Generator[Event, None, int]:
    """Every file of the offer, the small ones first; returns how many bytes were fetched."""
    from huggingface_hub.utils import build_hf_headers

    blobs, here = folder / "blobs", 0
    for file in offer.files:
        for path in (blobs / file.digest, blobs / (file.digest + cached.PARTIAL)):
            here += min(path.stat().st_size, file.size) if path.is_file() else 0
    free = shutil.disk_usage(blobs).free
    if offer.bytes - here > free - _SPARE:
        raise OutputError(
            f"{offer.repo} needs {_gb(offer.bytes - here)} more, and {folder.parent} has {_gb(free)} free",
            "free some space, or set HF_HOME to a folder on a larger disk",
        )
    rest = f", {_gb(here)} of it already here" if here else ""
    yield Note(f"{offer.repo}: {_gb(offer.bytes)} in {len(offer.files)} files{rest}; licence {offer.licence}")
    headers = build_hf_headers()
    began, last, before, done = time.perf_counter(), 0.0, here, 0
    for file in offer.files:
        url = f"{endpoint}/{offer.repo}/resolve/{offer.commit}/{quote(file.name)}"
        for have in fetch(file, blobs, url, headers, _timeout()):
            now = time.perf_counter()
            if now - last >= _OFTEN or done + have == offer.bytes:
                last = now
                yield _transfer(file.name, done + have, offer.bytes, before, now - began)
        done += file.size
        if file.name == "config.json":
            _readable(offer.repo, blobs / file.digest)
    return offer.bytes - here


def _transfer(name: str, done: int, total: int, before: int, seconds: float) -> Transfer:
    speed = max(0, done - before) / seconds if seconds > 0 else 0.0
    left = (total - done) / speed if speed > 0 else None
    return Transfer(
        "fetching", done, total, "bytes", name, done / max(total, 1), 0.0, left, bytes_per_second=speed
    )


def _readable(repo: str, file: Path) -> None:
    """Turn down what longread could not use, before its weights are fetched."""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise ModelError(f"the config.json of {repo} is not a model's configuration", "choose another model")
    if config.get("is_encoder_decoder"):
        raise UnsupportedError(
            f"{repo} is an encoder-decoder model",
            "longread streams a text through a causal language model; use one",
        )


def _placed(offer: _Offer, folder: Path) -> Path:
    """Show the files under their names, as the cache's other users expect; the reference comes last."""
    place = folder / "snapshots" / offer.commit
    place.mkdir(parents=True, exist_ok=True)
    for file in offer.files:
        shown = place / file.name
        shown.unlink(missing_ok=True)
        try:
            shown.symlink_to(Path("..", "..", "blobs", file.digest))
        except OSError:  # Windows lets not everyone make one
            os.link(folder / "blobs" / file.digest, shown)
    spare = folder / "refs" / f"main.{os.getpid()}"
    spare.write_text(offer.commit, encoding="ascii")
    os.replace(spare, folder / "refs" / "main")
    return place


@contextmanager
def _alone(folder: Path, repo: str) -> Iterator[None]:
    """A lock against a second pull of the same model."""
    from filelock import FileLock, Timeout

    path = folder.parent / ".locks" / folder.name / "pull.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ModelError(f"another process is fetching {repo}", "wait for it to end") from None
    try:
        yield
    finally:
        lock.release()


def _timeout() -> float:
    """Seconds that the hub may be silent: HF_HUB_DOWNLOAD_TIMEOUT, 10 where it is not set."""
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
