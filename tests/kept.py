"""Readings on disk for tests, made without a model: real files, figures that can be computed by hand."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_bytes

from longread.store import reading
from longread.store.library import Library
from longread.store.reading import Reading

CHARACTERS = 1000
CHAPTERS = [["One", 0, 500], ["Two", 500, 1000]]


def keep(
    title: str = "The Mud Book",
    *,
    name: str = "mud.txt",
    bits: Sequence[float] = (6.0, 5.0, 4.0, 3.0),
    without: Sequence[float] | None = None,
    read: int = CHARACTERS,
    saved: str = "2026-01-02T03:04:05+00:00",
    chapters: list[Any] | None = None,
    lora: list[Any] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    **changes: Any,
) -> Reading:
    """A reading with one save, below LONGREAD_HOME: equal blocks of 101 tokens up to character ``read``.

    ``bits`` is each block's surprisal in bits a token; ``without`` the same without the adapter, of all its
    tokens but the first; 6 on the second block where nothing is given. ``changes`` replace what the
    manifest says; ``saved`` "" leaves the save out.
    """
    sha256 = hashlib.sha256(title.encode()).hexdigest()
    text = {"title": title, "author": "A. Writer", "language": "en", "encoding": "utf-8", "format": "txt",
            "chapters": 2, "characters": CHARACTERS, "sha256": sha256}  # fmt: skip
    memory = {
        "block": 101,
        "window": 512,
        "sinks": 4,
        "learn": True,
        "recipe": "fused",
        "rank": 2,
        "rate": None,
    }
    key = {"text": text["sha256"], "extractor": reading.EXTRACTOR, "engine": reading.ENGINE,
           "weights": "w" * 64, "memory": memory, "dtype": "float32", "part": None, "seed": 0}  # fmt: skip
    made = reading.create(
        Library().root,
        {
            "key": key,
            "name": name,
            "source": f"/somewhere/{name}",
            "text": text,
            "chapters": CHAPTERS,
            "model": {"name": "pocket", "weights": "w" * 64, "parameters": 7_343_360},
            "memory": memory,
            "dtype": "float32",
            "part": [0, CHARACTERS],
            "device": "cpu",
            "created": "2026-01-01T00:00:00+00:00",
            "longread": "0.1.0",
        },
    )
    if chapters is not None:
        changes["chapters"] = chapters
    if changes:
        rewrite(made, **changes)
    if saved:
        without = [6.0 if at == 1 else math.nan for at in range(len(bits))] if without is None else without
        _save(made, bits, without, read, saved, lora or [], tensors or {})
    return reading.load(made.folder)


def rewrite(made: Reading, **changes: Any) -> None:
    """Change fields of a manifest behind the program's back."""
    path = made.folder / "manifest.json"
    table = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(table), encoding="utf-8")


def _save(made, bits, without, read, saved, lora, tensors) -> None:
    edges = np.linspace(0, read, len(bits) + 1).astype(np.int64)
    nats = math.log(2)
    columns = {
        "blocks.tokens": np.full(len(bits), 101, np.int32),
        "blocks.nll": np.array(bits, np.float64) * 101 * nats,
        "blocks.without": np.array(without, np.float64) * 100 * nats,
        "blocks.start": edges[:-1],
        "blocks.end": edges[1:],
    }
    data = to_bytes(columns | tensors)
    record = {
        "schema": 1,
        "blocks": len(bits),
        "tokens": 101 * len(bits),
        "learned": 101 * len(bits),
        "nll": float(columns["blocks.nll"].sum()),
        "share": read / CHARACTERS,
        "complete": read == CHARACTERS,
        "threads": 2,
        "saved": saved,
        "lora": lora,
        "adapter_sha256": "ad" * 32 if lora else None,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    folder = made.saves / "000001"
    os.makedirs(folder, mode=0o700)
    (folder / "state.safetensors").write_bytes(data)
    (folder / "state.json").write_text(json.dumps(record), encoding="utf-8")


def ask(made: Reading, *lines: Any) -> None:
    """Append to what was asked of a reading: objects as JSON, strings as they stand."""
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path: Path = made.folder / "asked.jsonl"
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
