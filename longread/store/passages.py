"""The passages of one text in SQLite, found again by their words (BM25, Robertson and Zaragoza 2009).

Knows how paragraphs become passages of a size worth quoting, the database's tables, and its damage.
Knows no question's meaning, no model and no torch. A question is words to look for, never FTS5's syntax.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from longread.errors import LongreadError
from longread.places import cache_dir, private_dir
from longread.reader.document import Document, Passage
from longread.reader.sentences import sentences
from longread.store import files
from longread.store.terms import Stemmer, asked, base, lone, spaced, tokenizer, unjoined

SCHEMA = 2
# Characters that make some 110 and 200 words; Chinese and Japanese write a word with fewer.
_ENOUGH, _MOST = 620, 1100
_CJK_SCALE = 0.45

_TABLES = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE passage (number INTEGER PRIMARY KEY, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
        chapter INTEGER, share REAL NOT NULL, text TEXT NOT NULL);
    CREATE VIRTUAL TABLE words USING fts5(terms, content='', tokenize='{tokenizer}');
    CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row);
"""
_HIT = 'number, "start", "end", chapter, share, text'
_SEARCH = f"""
    SELECT {_HIT}, -bm25(words) FROM words JOIN passage ON number = words.rowid
    WHERE words MATCH ? AND "end" > ? AND "start" < ? ORDER BY bm25(words), number LIMIT ?
"""
_COUNT = "SELECT coalesce(sum(doc), 0) FROM vocabulary WHERE term BETWEEN ? AND ?"


@dataclass(frozen=True)
class Hit:
    """A passage of the text. ``start`` and ``end`` are characters, ``share`` is how much of the book lies
    before its end, ``score`` is BM25's, higher for better, 0 where nothing was looked for."""

    number: int
    start: int
    end: int
    chapter: int | None
    share: float
    text: str
    score: float = 0.0


class Passages:
    """The index of one text. ``build`` makes it, ``open`` takes it up. Use as a context manager.

    ``language`` and ``title`` are the text's, ``count`` how many passages there are; ``new`` says that
    ``build`` has just made it. Every method raises ``LongreadError`` where the file turns out to be damaged.
    """

    new = False

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        with self._sound():
            meta = dict(db.execute("SELECT name, value FROM meta"))
        if meta.get("schema") != SCHEMA:
            raise LongreadError(
                f"{path} was made by another version of longread", "delete it; it is made again by itself"
            )
        try:
            self.language, self.sha256 = str(meta["language"]), str(meta["sha256"])
            self.count = int(meta["count"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from None
        self.title = str(meta.get("title") or "")
        self._stemmer: Stemmer | None = None

    @classmethod
    def build(cls, path: Path, document: Document) -> Passages:
        """Index ``document`` at ``path``, which appears only when it is complete, and open it.

        One walk through the text, one passage in memory at a time.
        """
        spare = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            private_dir(path.parent)
            _clear(path)
            os.close(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            with closing(sqlite3.connect(spare, isolation_level=None)) as db:
                _fill(db, document)
            with open(spare, "rb+") as file:
                os.fsync(file.fileno())
            files.move(spare, path)
        except sqlite3.Error as error:
            raise _unwritable(path, error) from None
        except OSError as error:
            raise _unwritable(path, error.strerror or error) from None
        finally:
            for left in (spare, *(spare.with_name(spare.name + end) for end in ("-journal", "-wal", "-shm"))):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
        made = cls.open(path)
        made.new = True
        return made

    @classmethod
    def open(cls, path: Path) -> Passages:
        """The index at ``path``, for reading; ``LongreadError`` where there is none or it is damaged."""
        if not path.is_file():
            raise LongreadError(f"there is no index of passages at {path}", "read the text again")
        try:
            db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _damaged(path, error) from None
        try:
            return cls(path, db)
        except BaseException:
            db.close()
            raise

    def __enter__(self) -> Passages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the file."""
        self._db.close()
        if self._stemmer is not None:
            self._stemmer.close()
            self._stemmer = None

    def search(self, question: str, limit: int, start: int = 0, end: int | None = None) -> list[Hit]:
        """The ``limit`` passages that match ``question`` best, best first, of those that lie in part
        between the characters ``start`` and ``end``, and of each what lies there. Empty where no word of it
        is in the text."""
        terms = dict.fromkeys(asked(question, self.language).split())
        query = " OR ".join(f'"{term}"' + "*" * lone(term) for term in terms)
        if not query:
            return []
        end = _END if end is None else end
        return _cut(self._hits(_SEARCH, (query, start, end, limit)), start, end)

    def at(self, number: int) -> Hit:
        """The passage with that number, from 0. ``IndexError`` where there is none."""
        found = self._hits(f"SELECT {_HIT} FROM passage WHERE number = ?", (number,))
        if not found:
            raise IndexError(f"there is no passage {number}, of {self.count}")
        return found[0]

    def neighbours(self, number: int, reach: int = 1, start: int = 0, end: int | None = None) -> list[Hit]:
        """The passage and up to ``reach`` on either side of it, in order, of its own chapter, as far as they
        lie between the characters ``start`` and ``end``."""
        sql = f"""SELECT {_HIT} FROM passage WHERE number BETWEEN ? AND ? AND
            chapter IS (SELECT chapter FROM passage WHERE number = ?) ORDER BY number"""
        return _cut(
            self._hits(sql, (number - reach, number + reach, number)), start, _END if end is None else end
        )

    def within(self, start: int, end: int) -> list[Hit]:
        """Every passage that lies in part between those characters, in order."""
        sql = f'SELECT {_HIT} FROM passage WHERE "end" > ? AND "start" < ? ORDER BY number'
        return self._hits(sql, (start, end))

    def question_terms(self, question: str) -> list[str]:
        """The terms by which it is judged what passages hold of ``question``, each once."""
        terms = self.terms([asked(question, self.language)])[0]
        return list(dict.fromkeys(unjoined(terms, self.has, self.language)))

    def terms(self, texts: list[str], wanted: Iterable[str] = ()) -> list[list[str]]:
        """The index's terms in each of ``texts``, in order; a character alone if ``wanted`` is among them
        wherever it stands."""
        if self._stemmer is None:
            self._stemmer = Stemmer(self.language)
        found, alone = self._stemmer.terms(texts), {*filter(lone, wanted)}
        return [list(_with(one, alone)) for one in found] if alone else found

    def rarity(self, terms: Iterable[str]) -> dict[str, float]:
        """How rare each term is in the text: its idf in nats, the highest for one that is not there."""
        wanted = list(dict.fromkeys(terms))
        counts = dict.fromkeys(wanted, 0)
        with self._sound():
            for term in wanted:
                counts[term] = self._holding(term)
        return {term: math.log(1 + (self.count - n + 0.5) / (n + 0.5)) for term, n in counts.items()}

    def has(self, term: str) -> bool:
        """Whether the text holds that term."""
        with self._sound():
            return self._holding(term) > 0

    def _holding(self, term: str) -> int:
        """How many passages hold a term. One character alone stands for all pairs that it begins, and a
        passage with two of them counts twice."""
        last = term + "\U0010ffff" if lone(term) else term
        return min(self.count, self._db.execute(_COUNT, (term, last)).fetchone()[0])

    def _hits(self, sql: str, values: tuple[object, ...]) -> list[Hit]:
        with self._sound():
            return [Hit(*row) for row in self._db.execute(sql, values)]

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeError) as error:  # any other is a fault of this program
            raise _damaged(self.path, error) from None


def _with(terms: list[str], alone: set[str]) -> Iterator[str]:
    """``terms``, and each character of ``alone`` where it begins a pair or ends the last one of a run."""
    for at, term in enumerate(terms):
        if term[0] in alone:
            yield term[0]
        if len(term) > 1:
            yield term
        last = term[-1]
        if len(term) > 1 and last in alone and (at + 1 == len(terms) or terms[at + 1][0] != last):
            yield last


_END = 1 << 62
_ABANDONED = 3600  # seconds after which nobody is still writing an index


def _clear(path: Path) -> None:
    """Remove what killed processes left of the index at ``path``: it holds the text."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _cut(hits: list[Hit], start: int, end: int) -> list[Hit]:
    """What of each lies between the characters; those of which no word does are left out."""
    found = []
    for hit in hits:
        low, high = max(hit.start, start), min(hit.end, end)
        if (low, high) != (hit.start, hit.end):
            text = hit.text[max(0, low - hit.start) : max(0, high - hit.start)]
            hit = replace(hit, start=low, end=high, text=text, share=hit.share * high / hit.end)
        if hit.text.strip():
            found.append(hit)
    return found


def index_folder() -> Path:
    """Where the indexes of all texts lie, in files whose names begin with the text's sha256."""
    return cache_dir() / "passages"


def indexed() -> set[str]:
    """The digests of the texts that have an index, or the beginning of one that a killed process left."""
    return {path.name.lstrip(".")[:64] for path in _own() if ".db" in path.name}


def drop(sha256: str = "") -> None:
    """Delete the index of the text with this digest, or with "" every index. What cannot be deleted stays."""
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        return
    for path in _own():
        if path.name.lstrip(".").startswith(sha256):  # a dot begins what a killed process left
            with suppress(OSError):
                path.unlink()


def _own() -> Iterator[Path]:
    """The files of the index folder; none where that is a link to a place that may be somebody else's."""
    folder = index_folder()
    yield from () if folder.is_symlink() else folder.glob("*")


def _fill(db: sqlite3.Connection, document: Document) -> None:
    # The journal mode stays in the file: readers of a finished index never wait for each other.
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
    db.executescript(_TABLES.format(tokenizer=tokenizer(document.language)))
    db.execute("BEGIN")
    number = -1
    for number, (start, end, chapter, text) in enumerate(joined(document)):
        share = end / max(document.characters, 1)
        db.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?)", (number, start, end, chapter, share, text)
        )
        db.execute("INSERT INTO words(rowid, terms) VALUES (?, ?)", (number, spaced(text, ends=True)))
    meta = {
        "schema": SCHEMA, "language": document.language, "sha256": document.sha256, "count": number + 1,
        "title": document.title, "characters": document.characters,
    }  # fmt: skip
    db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def joined(document: Document) -> Iterator[tuple[int, int, int | None, str]]:
    """The text as passages worth quoting: (start, end, chapter, text), ``text`` as it stands there.

    Neighbouring short paragraphs go together up to some two hundred words, never across a heading or
    into another chapter. A longer paragraph is divided between sentences.
    """
    pieces, held, at = document.text(), "", 0
    for start, end, chapter in _spans(document):
        while at + len(held) < end:
            held += next(pieces)
        held, at = held[start - at :], start
        yield start, end, chapter, held[: end - start]


def _spans(document: Document) -> Iterator[tuple[int, int, int | None]]:
    scale = _CJK_SCALE if base(document.language) in ("zh", "ja") else 1.0
    enough, most = scale * _ENOUGH, scale * _MOST
    start = end = 0
    chapter: int | None = None
    for passage in document.passages():
        for low, high in _divided(passage, document.language, enough, most):
            fits = end - start < enough and high - start <= most and passage.chapter == chapter
            if end > start and (passage.heading or not fits):
                yield start, end, chapter
                start = end
            if not passage.heading:
                start = start if end > start else low
                end, chapter = high, passage.chapter
    if end > start:
        yield start, end, chapter


def _divided(passage: Passage, language: str, enough: float, most: float) -> Iterator[tuple[int, int]]:
    """The spans that a paragraph is divided into: itself, or runs of whole sentences where it is long."""
    start = end = 0
    for low, high in sentences(passage.text, language) if len(passage.text) > most else ():
        if end > start and (high - start > most or end - start >= enough):
            yield passage.start + start, passage.start + end
            start = low
        end = high
    yield passage.start + start, passage.end


def _damaged(path: Path, error: object) -> LongreadError:
    return LongreadError(
        f"the index of passages {path} is damaged: {error}", "delete it; it is made again by itself"
    )


def _unwritable(path: Path, error: object) -> LongreadError:
    return LongreadError(
        f"{path} cannot be written: {error}", "make room, or set LONGREAD_HOME to another place"
    )
