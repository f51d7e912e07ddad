"""All readings of this user.

Knows the folder they lie in and how one is named by a person. Knows nothing of what a
reading is good for.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from longread.errors import LongreadError, UsageError
from longread.places import data_dir
from longread.store import files, passages, reading
from longread.store.reading import Reading


class Library:
    """The readings below ``root``; ``readings/`` in the data folder where it is not given."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data_dir() / "readings"

    def all(self) -> list[Reading]:
        """Every reading, damaged ones too, the one used last first."""
        try:
            folders = [p for p in self.root.iterdir() if p.is_dir() and not p.is_symlink()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LongreadError(
                f"{self.root} cannot be read: {error.strerror}", "set LONGREAD_HOME to another folder"
            ) from None
        return [reading.load(folder) for folder in sorted(folders, key=_touched, reverse=True)]

    def for_text(self, sha256: str) -> list[Reading]:
        """The sound readings of a text, the one used last first."""
        return [r for r in self.all() if not r.damage and r.manifest["key"]["text"] == sha256]

    def find(self, word: str) -> Reading:
        """The reading called ``word``: its title, its file, or the start of its id.

        UsageError where there is none, or more than one.
        """
        if not word.strip():
            raise UsageError("a reading's name cannot be empty", "`longread readings list` shows them")
        everything = self.all()
        found = _called(word, everything)
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(r.id[:8] for r in found)
            raise UsageError(f"{word!r} names {len(found)} readings: {ids}", "give the start of an id")
        names = {str(r.manifest.get("name")) for r in everything} | {title(r) for r in everything}
        near = difflib.get_close_matches(word, [name for name in names if name], n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "`longread readings list` shows them"
        raise UsageError(f"there is no reading {word!r}", hint)

    def called(self, word: str) -> list[Reading]:
        """The readings that ``word`` names, by the strictest way in which it names any."""
        return _called(word, self.all()) if word.strip() else []

    def remove(self, one: Reading) -> None:
        """Delete a reading, unless someone is writing to it; with a text's last one goes the index of its
        passages."""
        with one.writing():
            pass
        try:
            files.remove_tree(one.folder)
        except OSError as error:
            raise files.undeletable(one.folder, error) from error
        text = one.key.get("text")
        if isinstance(text, str) and text and not self.for_text(text):
            passages.drop(text)


def title(one: Reading) -> str:
    """The text's title; "" where it has none."""
    text = one.manifest.get("text")
    return str(text.get("title") or "") if isinstance(text, dict) else ""


def _called(word: str, everything: list[Reading]) -> list[Reading]:
    found = ([r for r in everything if matches(r)] for matches in _ways(word))
    return next(filter(None, found), [])


def _ways(word: str) -> list[Callable[[Reading], bool]]:
    """How a word may name a reading, the strictest way first."""
    path, folded = os.path.abspath(os.path.expanduser(word)), word.casefold()
    return [
        lambda r: r.id == word,
        lambda r: r.manifest.get("source") in (word, path),
        lambda r: str(r.manifest.get("name", "")) == word,
        lambda r: title(r).casefold() == folded,
        lambda r: len(word) >= 4 and r.id.startswith(folded),
        lambda r: (len(folded) >= 3 or not folded.isascii()) and folded in title(r).casefold(),
    ]


def _touched(folder: Path) -> float:
    """When something was last saved in a reading's folder."""
    try:
        return max((folder / name).stat().st_mtime for name in ("saves", ".") if (folder / name).exists())
    except (OSError, ValueError):
        return 0.0
