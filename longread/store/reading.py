"""One reading on disk: its folder, its manifest, its lock.

Knows ``manifest.json`` and where things lie in the folder:

    <id>/manifest.json   what was read, with which model and options; written once
         saves/          the state (``saves``)
         rows.db         every sentence's figures (``rows``)
         asked.jsonl     the questions put to the text, and the evidence shown
         lock            held by whoever writes

No path is ever taken from a manifest but that of the model, which is looked for and hashed again. Knows
nothing of models or sessions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longread.errors import LongreadError, OutputError
from longread.places import private_dir
from longread.store import files, saves

SCHEMA = 1
# Raised when the text that a file is read as, its passages or its chapters may come out differently.
EXTRACTOR = 5
# Raised when a model that reads the same tokens, or an adapter that learns them, may come out differently.
ENGINE = 2
_KEY = ("text", "extractor", "engine", "weights", "memory", "dtype", "part", "seed")


@dataclass(frozen=True)
class Reading:
    """A reading. ``damage`` says what is wrong with its manifest; "" for nothing."""

    folder: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def saves(self) -> Path:
        return self.folder / "saves"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.db"

    @property
    def outdated(self) -> bool:
        """Whether it was made from the text by an older version's rules."""
        return self.manifest.get("extractor") != EXTRACTOR or self.key.get("engine") != ENGINE

    @property
    def key(self) -> dict[str, Any]:
        return self.manifest.get("key", {})

    def newest(self) -> saves.Save | None:
        """The newest save whose record can be read."""
        return saves.newest(self.saves)[0]

    def clear(self) -> None:
        """Drop what was read, for the holder of ``writing``; the manifest and the questions asked stay.

        Saves go before rows: rows without a save are cut off when they are met, a save without its rows
        would be believed.
        """
        try:
            if self.saves.is_dir():
                files.remove_tree(self.saves)
            for end in ("", "-journal", "-wal", "-shm"):
                self.rows.with_name(self.rows.name + end).unlink(missing_ok=True)
        except OSError as error:
            raise files.unwritable(self.folder, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While this is open nobody else writes to the reading; OutputError if someone does."""
        with ExitStack() as stack:
            try:
                stack.enter_context(files.locked(self.folder / "lock"))
            except BlockingIOError:
                raise OutputError(
                    f"another longread is reading {self.manifest.get('name') or 'this text'} just now "
                    f"(reading {self.id[:8]})",
                    "wait until it has finished, or use --no-save to read beside it",
                ) from None
            except OSError as error:
                raise files.unwritable(self.folder, error) from error
            yield


def identity(key: Mapping[str, Any]) -> str:
    """The id of the reading with this key: what it was read from, with what, and how."""
    # The first keys named no engine; their readings are outdated, not damaged.
    named = {name: key[name] for name in _KEY if name != "engine" or name in key}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def create(root: Path, manifest: Mapping[str, Any]) -> Reading:
    """A reading's folder with its manifest, whose ``key`` names it; the one there is if it is there."""
    folder = root / identity(manifest["key"])
    whole = {**manifest, "schema": SCHEMA, "extractor": EXTRACTOR, "id": folder.name}
    try:
        private_dir(root)
        private_dir(folder)
        if not (folder / "manifest.json").exists():
            files.write(folder / "manifest.json", json.dumps(whole, indent=1).encode())
    except OSError as error:
        raise files.unwritable(folder, error) from error
    return load(folder)


def load(folder: Path) -> Reading:
    """The reading in ``folder``; a damaged manifest is told in ``damage``."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(files.read(path))
    except FileNotFoundError:
        return Reading(folder, damage="manifest.json is missing")
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "it is not JSON"
        return Reading(folder, damage=f"manifest.json cannot be read: {why}")
    if not isinstance(manifest, dict):
        return Reading(folder, damage="manifest.json is not a reading's manifest")
    if manifest.get("schema") != SCHEMA:
        return Reading(
            folder, damage=f"it has schema {manifest.get('schema')}, this version reads schema {SCHEMA}"
        )
    try:
        right = identity(manifest["key"]) == manifest["id"] == folder.name
    except (KeyError, TypeError):
        right = False
    if not right:
        return Reading(folder, damage="manifest.json belongs to another reading")
    return Reading(folder, manifest)


def require(reading: Reading) -> Reading:
    """``reading`` if its manifest is sound; LongreadError otherwise."""
    if reading.damage:
        raise LongreadError(
            f"the reading {reading.id[:8]} is damaged: {reading.damage}",
            f"`longread readings rm {reading.id[:8]}` drops it; reading the text again rebuilds it",
        )
    return reading
