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
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    key = str(folder.resolve())
    marks = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    known = recall("weights.json")
    if known.get(key, {}).get("files") == marks:
        return known[key]["sha256"]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as stream:
            while piece := stream.read(1 << 22):
                digest.update(piece)
    remember("weights.json", key, {"files": marks, "sha256": digest.hexdigest()})
    return digest.hexdigest()


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
