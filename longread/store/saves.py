"""The saves of one reading: each a folder that became current by one rename.

Knows how a state is written and proved sound. Knows nothing of what the tensors mean.

A save is ``saves/<number>/`` with ``state.safetensors`` and ``state.json``, the latter
with the former's size and SHA-256. It is written under another name, synced and renamed;
the highest number is current. The last two are kept, so that damage to one costs a few
blocks and a text that has grown finds the last state before its old end.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longread.store import files

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

KEPT = 2
SCHEMA = 1
_TENSORS, _RECORD = "state.safetensors", "state.json"
_HALVES = "bfloat16"  # which tensors stand there as int16


@dataclass(frozen=True)
class Save:
    """One state of a reading. ``record`` is what its ``state.json`` holds."""

    folder: Path
    record: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def blocks(self) -> int:
        """How many blocks had been read."""
        return int(self.record["blocks"])

    @property
    def complete(self) -> bool:
        """Whether the text had been read to its end."""
        return bool(self.record.get("complete"))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor, on the CPU; none of them holds the file, which a later save removes."""
        import torch
        from safetensors.torch import load_file

        halves = self.record.get(_HALVES, ())
        loaded = load_file(self.folder / _TENSORS)
        return {k: (v.view(torch.bfloat16) if k in halves else v).clone() for k, v in loaded.items()}

    def columns(self, prefix: str = "blocks.") -> dict[str, np.ndarray]:
        """The arrays whose names begin with ``prefix``, without it; needs no torch."""
        from safetensors import safe_open

        with safe_open(self.folder / _TENSORS, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  it is no dict
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}

    def damage(self) -> str:
        """What is wrong with the tensors' file, in words; "" if it is what was written."""
        path = self.folder / _TENSORS
        try:
            found = path.stat().st_size
            if found != self.record.get("bytes"):
                return f"{_TENSORS} has {found:,} bytes, not {self.record.get('bytes'):,}"
            if _sha256(path) != self.record.get("sha256"):
                return f"{_TENSORS} is not what was written"
        except (OSError, TypeError, ValueError) as error:
            return f"{_TENSORS} cannot be read ({getattr(error, 'strerror', None) or error})"
        return ""


def write(folder: Path, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Save:
    """A new current save in ``folder``; older ones than the last two go. Raises OSError."""
    import torch
    from safetensors.numpy import save

    folder.mkdir(mode=0o700, exist_ok=True)
    number = max((int(path.name) for path in _folders(folder)), default=0) + 1
    spare, final = folder / f".{number}.{os.getpid()}", folder / f"{number:06d}"
    # As arrays: safetensors.torch.save keeps 6 KB for ever for each size of tensor that it has written.
    # NumPy has no bfloat16, so those go as their bits.
    halves = [name for name, tensor in tensors.items() if tensor.dtype == torch.bfloat16]
    data = save(
        {
            name: (t.view(torch.int16) if name in halves else t).numpy()
            for name, t in ((name, tensor.detach().cpu().contiguous()) for name, tensor in tensors.items())
        }
    )
    whole = {
        **record,
        _HALVES: halves,
        "schema": SCHEMA,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    try:
        spare.mkdir(mode=0o700, exist_ok=True)
        files.write_new(spare / _TENSORS, data)
        files.write_new(spare / _RECORD, json.dumps(whole, indent=1).encode())
        files.sync_folder(spare)
        files.move(spare, final)
        files.sync_folder(folder)
    except OSError:
        if spare.exists():
            files.remove_tree(spare)
        raise
    with suppress(OSError):  # what cannot be removed now is removed after the next save
        prune(folder)
    return Save(final, whole)


def prune(folder: Path) -> None:
    """Remove what a later save has replaced and what a killed process left half written."""
    for old in _folders(folder)[KEPT:]:
        files.remove_tree(old)
    for path in folder.glob(".*"):
        if path.is_dir() and not path.is_symlink():
            files.remove_tree(path)


def sound(folder: Path) -> tuple[list[Save], list[str]]:
    """The saves that are what was written, newest first, and what is wrong with the others."""
    found, wrong = [], []
    for path in _folders(folder):
        save, why = read(path)
        why = why or save.damage()
        if why:
            wrong.append(f"save {path.name}: {why}")
        else:
            found.append(save)
    return found, wrong


def readable(folder: Path) -> list[Save]:
    """The saves whose records can be read, newest first, their tensors unproved."""
    return [save for save, why in map(read, _folders(folder)) if not why]


def newest(folder: Path) -> tuple[Save | None, list[str]]:
    """The newest save whose record can be read, its tensors unproved; and what is wrong with later ones."""
    wrong = []
    for path in _folders(folder):
        save, why = read(path)
        if not why:
            return save, wrong
        wrong.append(f"save {path.name}: {why}")
    return None, wrong


def read(path: Path) -> tuple[Save, str]:
    """The save in ``path``, and what is wrong with its record ("" for nothing)."""
    try:
        record = json.loads(files.read(path / _RECORD))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "not JSON"
        return Save(path, {}), f"{_RECORD} cannot be read ({why})"
    if not isinstance(record, dict) or not isinstance(record.get("blocks"), int):
        return Save(path, {}), f"{_RECORD} is not a save's record"
    if record.get("schema") != SCHEMA:
        return Save(path, record), f"{_RECORD} has schema {record.get('schema')}, not {SCHEMA}"
    return Save(path, record), ""


def _folders(folder: Path) -> list[Path]:
    try:
        found = [p for p in folder.iterdir() if p.name.isdigit() and p.is_dir() and not p.is_symlink()]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
