"""What is kept beside the readings: conversations, translations, indexes of texts that were asked about.

Knows the folder of each kind, what it tells of itself and how it is dropped. What is a link, and what lies
in a folder that is one, is neither told of nor dropped. Knows no model, and nothing of what was said or
translated.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longread.errors import LongreadError, OutputError
from longread.store import files, passages
from longread.tasks.chat import transcript
from longread.tasks.translate import journal

CHAT, TRANSLATION, INDEX = "conversation", "translation", "index"
_LEAST = 4  # characters of an id that name something


@dataclass(frozen=True)
class Thing:
    """One of them. ``id`` is its name, which ``chat --resume`` takes of a conversation; ``file`` is the
    text's, "" if unknown, ``languages`` those that it is translated from and into. ``updated`` is UTC, None
    if unknown."""

    kind: str
    id: str
    path: str
    title: str
    file: str
    model: str
    languages: tuple[str, ...]
    bytes: int
    updated: str | None

    def age(self, now: datetime) -> float | None:
        """Seconds since something was last added to it."""
        return (now - datetime.fromisoformat(self.updated)).total_seconds() if self.updated else None


def everything() -> list[Thing]:
    """All of them, kind after kind, of each the one used last first."""
    return [
        thing
        for kind in (_chats, _translations, _indexes)
        for thing in sorted(kind(), key=lambda thing: thing.updated or "", reverse=True)
    ]


def called(word: str) -> list[Thing]:
    """Those whose id is ``word`` or begins with it. A title names a reading, never these."""
    word = word.strip()
    found = [thing for thing in everything() if len(word) >= _LEAST and thing.id.startswith(word)]
    return [thing for thing in found if thing.id == word] or found


def remove(thing: Thing) -> None:
    """Delete it. ``OutputError`` where it is being written, or cannot be deleted."""
    path = Path(thing.path)
    try:
        if thing.kind == INDEX:
            passages.drop(thing.id)
            if path.exists():
                raise OutputError(
                    f"{path} cannot be deleted", "see who may write in the folder that it is in"
                )
        elif thing.kind == CHAT:
            path.unlink(missing_ok=True)
        else:
            with files.locked(path / "lock"):
                pass
            files.remove_tree(path)
    except BlockingIOError:
        raise OutputError(
            f"another longread is translating {thing.file or 'this text'} just now ({thing.id[:8]})",
            "wait until it has finished",
        ) from None
    except OSError as error:
        raise files.undeletable(path, error) from error


def _chats() -> Iterator[Thing]:
    for path, found in _inside(transcript.folder()):
        if path.suffix != ".jsonl" or not stat.S_ISREG(found.st_mode):
            continue
        head = transcript.head_of(path)
        document = head.get("document")
        source = _word(head, "source")
        yield Thing(
            CHAT,
            path.stem,
            str(path),
            _word(document, "title") or os.path.basename(source),
            source,
            _word(head, "model"),
            (),
            found.st_size,
            _time(found.st_mtime),
        )


def _translations() -> Iterator[Thing]:
    for path, found in _inside(journal.home()):
        if not stat.S_ISDIR(found.st_mode):
            continue
        key: Any = None
        with suppress(OSError, ValueError, RecursionError):
            key = json.loads(files.read(path / journal.KEY))
        pair = key.get("pair") if isinstance(key, dict) else None
        languages = (
            tuple(pair) if isinstance(pair, list) and all(isinstance(one, str) for one in pair) else ()
        )
        changed = found.st_mtime
        with suppress(OSError):
            changed = os.lstat(path / journal.LINES).st_mtime
        name = _word(key, "name")
        size = files.size(path)
        yield Thing(TRANSLATION, path.name, str(path), name, name, "", languages, size, _time(changed))


def _indexes() -> Iterator[Thing]:
    """One a text: an older version or another guess at its language may have left a second file."""
    texts: dict[str, list[tuple[Path, os.stat_result]]] = {}
    for path, found in _inside(passages.index_folder()):
        if re.fullmatch(r"[0-9a-f]{64}-.*\.db", path.name) and stat.S_ISREG(found.st_mode):
            texts.setdefault(path.name[:64], []).append((path, found))
    for sha256, some in texts.items():
        path, newest = max(some, key=lambda one: one[1].st_mtime)
        title = ""
        with suppress(LongreadError), passages.Passages.open(path) as index:
            title = index.title
        size = sum(found.st_size for _, found in some)
        yield Thing(INDEX, sha256, str(path), title, "", "", (), size, _time(newest.st_mtime))


def _inside(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What lies in ``folder``, links left out; nothing where the folder is missing, or a link itself."""
    if folder.is_symlink():
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISLNK(found.st_mode):
                yield Path(entry.path), found


def _word(table: Any, name: str) -> str:
    value = table.get(name) if isinstance(table, dict) else None
    return value if isinstance(value, str) else ""


def _time(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, OverflowError):
        return None
