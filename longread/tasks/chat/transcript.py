"""Conversations on disk: one file each, a line of JSON for whatever happened.

Knows how turns are appended, taken back and found again. Knows no model, no terminal
and nothing of how a turn came about. A line is written with one call and made durable,
so that a power cut costs the turn that it cut off and no other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longread import __version__
from longread.config import suggestion
from longread.errors import InputError, OutputError
from longread.places import data_dir, private_dir
from longread.shares import percent
from longread.store import files

SCHEMA = 1
KINDS = ("ask", "chat", "continue")


@dataclass(frozen=True)
class Turn:
    """What was said and what came back. ``evidence`` are passages as in the JSON of ``ask``."""

    kind: str
    said: str
    answer: str
    found: bool = True
    evidence: tuple[dict[str, Any], ...] = ()


@dataclass
class Transcript:
    """One conversation. ``source`` is the book's path, "" without a book; ``document`` its JSON object.

    With ``save`` false nothing is ever written.
    """

    model: str
    source: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    save: bool = True
    turns: list[Turn] = field(default_factory=list)
    path: Path | None = None
    damaged: int = 0  # lines that could not be read when it was taken up again

    def add(self, turn: Turn) -> bool:
        """Keep ``turn``; whether this was the first to be written. ``OutputError`` where it cannot be, once:
        from then on nothing is written any more."""
        self.turns.append(turn)
        # One that was dropped meanwhile begins anew: without its first line it could not be taken up again.
        fresh = self.save and (self.path is None or not self.path.exists())
        if fresh:
            self.path = _new_path()
            head = {"schema": SCHEMA, "longread": __version__, "created": _now(), "model": self.model}
            self._write({**head, "source": self.source, "document": dict(self.document)})
        self._write({"turn": dataclasses.asdict(turn)})
        return fresh

    def use(self, model: str) -> None:
        """From here on ``model`` answers; taken up again, the conversation goes on with it."""
        self.model = model
        self._write({"model": model})

    def undo(self) -> Turn | None:
        """Take the last turn back, on disk too; None where there is none."""
        if not self.turns:
            return None
        turn = self.turns.pop()
        self._write({"undo": True})
        return turn

    def as_text(self) -> str:
        """The conversation as Markdown: what was said as quotations, the answers below them."""
        title = self.document.get("title") or "A conversation"
        parts = [f"# {title}", f"Model: {self.model}"]
        for turn in self.turns:
            said = turn.said or "(continue)"
            parts.append("\n".join(f"> {line}" for line in said.splitlines()))
            parts.append(turn.answer.strip() if turn.found else "No answer to this was found in the text.")
            parts += [f"[{item['rank']}] {place(item)}" for item in turn.evidence]
        return "\n\n".join(parts) + "\n"

    def _write(self, record: dict[str, Any]) -> None:
        if not self.save or self.path is None or not ("schema" in record or self.path.exists()):
            return
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        try:
            private_dir(self.path.parent)
            files.append(self.path, line)
        except OSError as error:
            self.save = False
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror}; from here on nothing is saved",
                "keep it with /export FILE",
            ) from None


def place(item: Mapping[str, Any]) -> str:
    """Where a passage of the evidence stands, in words."""
    chapter = item.get("chapter")
    where = [str(chapter)] if chapter not in (None, "") else []
    return ", ".join([*where, percent(item["share"]), f"characters {item['start']:,} to {item['end']:,}"])


def folder() -> Path:
    """Where conversations are kept; it need not exist."""
    return data_dir() / "chats"


def load(path: Path) -> Transcript:
    """The conversation in ``path``, to be gone on with in the same file.

    A last line that was cut off is removed; other lines that make no sense are counted in
    ``damaged`` and left alone. ``InputError`` for a file that is no conversation or of a
    newer kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with contextlib.suppress(OSError):
            os.truncate(path, len(whole))
    lines = whole.splitlines()
    head = _record(lines[0]) if lines else None
    if head is None or "schema" not in head:
        raise InputError(f"{path} is no saved conversation", "remove that file, or begin a new conversation")
    if head["schema"] != SCHEMA:
        raise InputError(f"{path} was written by another version of longread ({head.get('longread')})",
                         "use that version, or begin a new conversation")  # fmt: skip
    document = head.get("document")
    found = Transcript(
        str(head.get("model") or ""),
        str(head.get("source") or ""),
        document if isinstance(document, dict) else {},
        path=path,
    )
    for line in lines[1:]:
        record = _record(line)
        turn = _turn(record.get("turn")) if record else None
        if turn is not None:
            found.turns.append(turn)
        elif record and record.get("undo"):
            del found.turns[-1:]
        elif record and isinstance(record.get("model"), str):
            found.model = record["model"]
        else:
            found.damaged += 1
    return found


def find(word: str = "", sha256: str = "") -> Path:
    """The latest saved conversation, on the text with that hash if one is given.

    ``word`` is a book's title or file name, or the beginning of a conversation's name.
    ``InputError`` where there is none.
    """
    heads = {path: head_of(path) for path in sorted(folder().glob("*.jsonl"), key=_age, reverse=True)}
    for path, head in heads.items():
        document = head.get("document") or {}
        if sha256:
            if document.get("sha256") == sha256:
                return path
        elif not word or path.name.startswith(word) or word.casefold() in _names(head):
            return path
    if not heads:
        raise InputError("no conversation is saved yet", "begin one: longread chat FILE")
    known = {name: None for head in heads.values() for name in _names(head)}
    wanted = f"called {word!r}" if word else "about this book"
    raise InputError(
        f"there is no saved conversation {wanted}",
        suggestion(word.casefold(), known) or f"the latest is {next(iter(heads)).stem}",
    )


def _names(head: Mapping[str, Any]) -> list[str]:
    source = str(head.get("source") or "")
    title = str((head.get("document") or {}).get("title") or "")
    file = Path(source).name
    return [name.casefold() for name in (title, source, file, Path(file).stem) if name]


def head_of(path: Path) -> dict[str, Any]:
    """The first line of a conversation: model, source, document; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return _record(file.readline(1 << 20)) or {}
    except OSError:
        return {}


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _turn(value: Any) -> Turn | None:
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        return None
    said, answer = value.get("said"), value.get("answer")
    if not isinstance(said, str) or not isinstance(answer, str):
        return None
    evidence = value.get("evidence")
    kept = tuple(item for item in evidence if _is_passage(item)) if isinstance(evidence, list) else ()
    return Turn(value["kind"], said, answer, bool(value.get("found", True)), kept)


def _is_passage(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("text"), str)
        and all(isinstance(item.get(key), int) for key in ("rank", "start", "end"))
        and isinstance(item.get("share"), int | float)
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _new_path() -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return folder() / f"{stamp}-{secrets.token_hex(2)}.jsonl"
