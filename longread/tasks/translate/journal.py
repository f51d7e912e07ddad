"""What has been translated, line by line on disk, so that no kill costs more than a sentence.

Knows one folder a translation, below ``translations`` in the data folder:

    <id>/key.json       what is translated, with which model and how
         pairs.jsonl    one line a segment, appended and synced as soon as it is done
         saves/         the adapter, where the model learns
         lock           held by whoever writes

A segment that was translated again has a second line, and the last one counts; a failure
takes no translation's place. A line may bear the name of the round that tried it again, until a
line says that this round is over. Knows nothing of how a segment came to be.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from longread.errors import OutputError
from longread.places import data_dir, private_dir
from longread.store import files
from longread.tasks.translate.segments import Piece, Segment

KEY, LINES = "key.json", "pairs.jsonl"


class Journal:
    """The segments of one translation that are done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0  # lines that could not be read
        self._lines: dict[int, Segment] = {}  # what became of each at last
        self._sound: dict[int, Segment] = {}  # what each was translated as at last
        self._given_up: Counter[int] = Counter()
        self._rounds: dict[int, str] = {}  # which unfinished round had the last word on each

    def __len__(self) -> int:
        return len(self._lines)

    def get(self, piece: Piece, fits: Callable[[Segment], bool] = lambda segment: True) -> Segment | None:
        """The last translation of ``piece``, if it ``fits``; else its last try, if that failed; else None.

        So what failed under one glossary is what it was before without it.
        """
        for found in (self._sound.get(piece.number), self._lines.get(piece.number)):
            if found is not None and _is_of(found, piece) and (not found.ok or fits(found)):
                return found
        return None

    def tried(self, piece: Piece, again: str) -> Segment | None:
        """What became of ``piece`` in the round ``again``, which was stopped; None where it did not come so
        far, and where another run has translated the piece since."""
        found = self._lines.get(piece.number)
        mine = self._rounds.get(piece.number) == again
        return found if mine and found is not None and _is_of(found, piece) else None

    def add(self, number: int, segment: Segment, again: str = "") -> None:
        """Keep ``segment``, of the round ``again`` if it was tried in one; it is on the disk when this
        returns."""
        self._note(number, segment, again)
        self._append({"n": number, **vars(segment)} | ({"round": again} if again else {}))

    def close(self, again: str) -> None:
        """The round ``again`` is over: the next one of this name tries everything anew."""
        if again in self._rounds.values():
            self._end(again)
            self._append({"over": again})

    def rounds(self, piece: Piece) -> int:
        """How often ``piece`` was given up."""
        return self._given_up[piece.number]

    def _load(self) -> None:
        path = self.folder / LINES
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1  # a line that was being written when the process died
        if whole < len(data):
            os.truncate(path, whole)
        for line in data[:whole].splitlines():
            try:
                record = json.loads(line)
                if "over" in record:
                    self._end(record["over"])
                    continue
                number, again = record.pop("n"), record.pop("round", "")
                fields = Segment(**record)
                if (
                    type(number) is not int
                    or type(fields.paragraph) is not int
                    or type(fields.ok) is not bool
                ):
                    raise ValueError
                texts = (fields.source, fields.target, fields.why, again)
                if not all(isinstance(text, str) for text in texts):
                    raise ValueError
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self.damaged += 1
                continue
            self._note(number, fields, again)

    def _note(self, number: int, segment: Segment, again: str) -> None:
        self._lines[number] = segment
        if again:
            self._rounds[number] = again
        else:
            self._rounds.pop(number, None)
        if segment.ok:
            self._sound[number] = segment
        self._given_up[number] += not segment.ok

    def _end(self, again: str) -> None:
        self._rounds = {number: held for number, held in self._rounds.items() if held != again}

    def _append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False) + "\n"
        try:
            files.append(self.folder / LINES, line.encode("utf-8", "replace"))
        except OSError as error:
            raise files.unwritable(self.folder, error) from error

    def _open(self) -> None:
        self._load()
        files.append(self.folder / LINES, b"")
        files.sync_folder(self.folder)


def _is_of(segment: Segment, piece: Piece) -> bool:
    return (segment.paragraph, segment.source) == (piece.paragraph, piece.source)


def home() -> Path:
    """The folder that holds every translation's."""
    return data_dir() / "translations"


@contextmanager
def kept(key: Mapping[str, Any], name: str) -> Iterator[Journal]:
    """The journal of the translation that ``key`` describes, locked; ``name`` is the text's, for errors."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    folder = home() / hashlib.sha256(text.encode()).hexdigest()[:16]
    journal = Journal(folder)
    with ExitStack() as stack:
        try:
            private_dir(folder.parent)
            private_dir(folder)
            if not (folder / KEY).exists():
                files.write(folder / KEY, json.dumps({**key, "name": name}, indent=1).encode())
            stack.enter_context(files.locked(folder / "lock"))
            journal._open()
        except BlockingIOError:
            raise OutputError(
                f"another longread is translating {name} just now", "wait for it, or use --no-save"
            ) from None
        except OSError as error:
            raise files.unwritable(folder, error) from error
        yield journal
