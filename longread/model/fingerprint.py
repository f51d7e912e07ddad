"""A name for a model's weights that follows from their content.

Knows how to hash files once and remember it by path, size and time. Knows no model.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from longread.places import cache_dir, private_dir


def fingerprint(folder: Path) -> str:
    """SHA-256 (hex) over config.json and every *.safetensors of a model's folder, in order of name."""
    known = known_fingerprint(folder)
    if known is not None:
        return known
    files, key, marks = _marks(folder)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as stream:
            while piece := stream.read(1 << 22):
                digest.update(piece)
    remember("weights.json", key, {"files": marks, "sha256": digest.hexdigest()})
    return digest.hexdigest()


def known_fingerprint(folder: Path) -> str | None:
    """The folder's fingerprint if it was taken before and no file has changed since; reads no weights."""
    _, key, marks = _marks(folder)
    entry = recall("weights.json").get(key)
    known = isinstance(entry, dict) and entry.get("files") == marks
    return entry["sha256"] if known and isinstance(entry.get("sha256"), str) else None


def _marks(folder: Path) -> tuple[list[Path], str, list[list]]:
    """The files that count, the folder's name in the table, and what tells that a file has changed."""
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    marks = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    return files, str(folder.resolve()), marks


def recall(name: str) -> dict:
    """A small JSON table of the cache folder; empty if there is none or it is damaged."""
    try:
        table = json.loads((cache_dir() / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def remember(name: str, key: str, value: object) -> None:
    """Put an entry into a table of the cache folder. A cache that cannot be written is no error."""
    try:
        folder = private_dir(cache_dir())
        table = recall(name) | {key: value}
        partial = folder / f"{name}.{os.getpid()}.partial"
        partial.write_text(json.dumps(table, indent=1), encoding="utf-8")
        os.replace(partial, folder / name)
    except OSError:
        pass
