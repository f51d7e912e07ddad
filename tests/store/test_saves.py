"""Readings on disk: what is written, what damage is noticed, what is kept of it."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from longread.errors import LongreadError, OutputError, UsageError
from longread.store import files, reading, saves
from longread.store.library import Library
from longread.store.rows import Rows
from longread.tasks.shelf import entry

KEY = {
    "text": "ab",
    "extractor": 1,
    "engine": 1,
    "weights": "cd",
    "memory": {},
    "dtype": "float32",
    "part": None,
    "seed": 0,
}
MANIFEST = {"key": KEY, "name": "novel.txt", "source": "/books/novel.txt", "text": {"title": "The Mud Book"}}


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "readings"


@pytest.fixture
def one(root) -> reading.Reading:
    return reading.create(root, MANIFEST)


def _save(one: reading.Reading, blocks: int, **record) -> saves.Save:
    tensors = {"session.x": torch.arange(blocks), "blocks.nll": torch.ones(blocks, dtype=torch.float64)}
    return saves.write(one.saves, {"blocks": blocks, "complete": False, **record}, tensors)


def test_tensors_of_every_kind_come_back(one):
    made = {
        "half": torch.tensor([[1.5, -2.0], [0.1, 3e30]], dtype=torch.bfloat16),
        "float16": torch.ones(2, dtype=torch.float16),
        "steps": torch.tensor(7),
        "nothing": torch.zeros(0, 3),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "turned": torch.arange(6.0).reshape(2, 3).T,
    }
    saves.write(one.saves, {"blocks": 1}, made)
    found = one.newest().tensors()
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {
        name: (t.dtype, t.shape) for name, t in made.items()
    }
    assert all(torch.equal(found[name], t) for name, t in made.items())


def test_what_is_written_comes_back(one):
    _save(one, 3, share=0.5)
    (save,), wrong = saves.sound(one.saves)
    assert not wrong and save.blocks == 3 and save.record["share"] == 0.5
    assert torch.equal(save.tensors()["session.x"], torch.arange(3))
    assert np.array_equal(save.columns()["nll"], np.ones(3))
    assert one.newest().number == save.number


@pytest.mark.skipif(os.name == "nt", reason="rights are POSIX")
@pytest.mark.parametrize("name", sorted(KEY))
def test_whatever_it_was_read_from_or_with_makes_another_reading(name):
    """A second model on the same text must not take up the first one's adapter."""
    assert reading.identity({**KEY, name: "other"}) != reading.identity(KEY)


def test_only_the_owner_may_look(one):
    _save(one, 1)
    with one.writing(), Rows(one.rows):
        pass
    for path in [one.folder, *one.folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_two_saves_are_kept(one):
    for blocks in (1, 2, 3, 4):
        _save(one, blocks)
    found, _ = saves.sound(one.saves)
    assert [save.blocks for save in found] == [4, 3]
    assert len(list(one.saves.iterdir())) == 2


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("hurt", "says"),
    [
        (lambda folder: _flip(folder / "state.safetensors"), "is not what was written"),
        (lambda folder: (folder / "state.safetensors").write_bytes(b"x"), "has 1 bytes, not"),
        (lambda folder: (folder / "state.safetensors").unlink(), "cannot be read"),
        (lambda folder: (folder / "state.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "state.json").write_text("[]"), "is not a save's record"),
        (lambda folder: (folder / "state.json").unlink(), "cannot be read"),
        (
            lambda folder: (folder / "state.json").write_text('{"blocks": 2, "schema": 99}'),
            "has schema 99",
        ),
    ],
)
def test_damage_is_named_and_the_save_before_it_kept(one, hurt, says):
    _save(one, 1)
    hurt(_save(one, 2).folder)
    found, wrong = saves.sound(one.saves)
    assert [save.blocks for save in found] == [1]
    assert len(wrong) == 1 and says in wrong[0] and "save 000002" in wrong[0]


def test_what_a_killed_process_left_is_cleared_away(one):
    _save(one, 1)
    half = one.saves / ".2.999"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    _save(one, 2)
    assert sorted(path.name for path in one.saves.iterdir()) == ["000001", "000002"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m | {"schema": 2}, "schema 2"),
        (lambda m: m | {"id": "../../etc"}, "belongs to another reading"),
        (lambda m: m | {"key": KEY | {"text": "other"}}, "belongs to another reading"),
        (lambda m: {k: v for k, v in m.items() if k != "key"}, "belongs to another reading"),
        (lambda m: [m], "is not a reading's manifest"),
    ],
)
def test_a_manifest_that_is_not_this_readings(root, one, change, says):
    path = one.folder / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    (found,) = Library(root).all()
    assert says in found.damage
    with pytest.raises(LongreadError, match="damaged") as error:
        reading.require(found)
    assert "readings rm" in error.value.hint


@pytest.mark.skipif(os.name == "nt", reason="pipes and links are POSIX")
@pytest.mark.parametrize(
    "put", [lambda path: os.mkfifo(path), lambda path: path.symlink_to(path.parent / "elsewhere.json")]
)
def test_what_is_no_ordinary_file_is_damage_and_nobody_waits_for_it(root, one, put):
    _save(one, 1)
    newer = _save(one, 2).folder / "state.json"
    for path in (newer, one.folder / "manifest.json"):
        path.rename(path.parent / "elsewhere.json")
        put(path)
    found, wrong = saves.sound(one.saves)
    assert [save.blocks for save in found] == [1] and "cannot be read" in wrong[0]
    (left,) = Library(root).all()
    assert "manifest.json cannot be read" in left.damage


def test_names_of_readings(root, one):
    library = Library(root)
    for word in ("novel.txt", "the mud book", "Mud", "/books/novel.txt", one.id, one.id[:6]):
        assert library.find(word).id == one.id
    with pytest.raises(UsageError, match="no reading") as error:
        library.find("nowel.txt")
    assert "novel.txt" in error.value.hint
    other = reading.create(root, MANIFEST | {"key": KEY | {"seed": 1}})
    assert other.id != one.id
    with pytest.raises(UsageError, match="names 2 readings"):
        library.find("novel.txt")


def test_a_second_writer_is_refused(one):
    with one.writing(), pytest.raises(OutputError, match="another longread"), one.writing():
        pass
    with one.writing():
        pass


@pytest.mark.parametrize("error", [NotImplementedError("no flock here"), OSError(errno.ENOLCK, "No locks")])
def test_a_disk_without_locks_is_told_and_nothing_is_written(one, monkeypatch, error):
    def acquire(self):
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with pytest.raises(OutputError, match="its disk has no locks") as caught, one.writing():
        raise AssertionError("nobody may be here")
    assert "--no-save" in caught.value.hint


def test_removing_follows_no_link(root, one, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "book.txt").write_text("mine")
    (one.folder / "link").symlink_to(outside, target_is_directory=True)
    assert files.size(one.folder) < 10_000
    Library(root).remove(one)
    assert not one.folder.exists() and (outside / "book.txt").read_text() == "mine"


def test_the_reading_used_last_comes_first_and_the_index_goes_with_the_texts_last(root, one, monkeypatch):
    dropped: list[str] = []
    monkeypatch.setattr("longread.store.library.passages.drop", dropped.append)
    other = reading.create(root, {**MANIFEST, "key": {**KEY, "seed": 1}})
    for made in (one, other):
        _save(made, 1)
    for first, second in ((one, other), (other, one)):
        for at, made in ((2_000_000_000, first), (1_000_000_000, second)):
            for folder in (made.saves, made.folder):
                os.utime(folder, (at, at))
        assert [found.id for found in Library(root).all()] == [first.id, second.id]
    Library(root).remove(one)
    assert dropped == []
    Library(root).remove(other)
    assert dropped == [KEY["text"]]


def test_what_is_too_large_is_not_read_into_memory(tmp_path):
    path = tmp_path / "list.json"
    path.write_bytes(b"four")
    assert files.read(path, most=4) == b"four"
    with pytest.raises(OSError, match="4 bytes"):
        files.read(path, most=3)


def test_rows_are_cut_where_the_save_ends(one):
    with Rows(one.rows) as rows:
        rows.append([(0, b"a", b"1"), (1, b"b", b"2")])
        rows.append([(2, b"c", b"3")])
    with Rows(one.rows) as rows:
        rows.cut(2)
        assert list(rows) == [(b"a", b"1"), (b"b", b"2")]


def test_a_damaged_table_is_named(one):
    one.rows.write_bytes(b"this is no database" * 100)
    with pytest.raises(LongreadError, match=r"rows\.db is damaged"), Rows(one.rows) as rows:
        rows.cut(0)


def test_a_disk_that_is_full_is_no_damage(one):
    """The table's own limit stands in for the disk; SQLite says the same of both."""
    with Rows(one.rows) as rows:
        rows._db.execute("PRAGMA max_page_count = 4")
        with pytest.raises(OutputError, match="the disk is full"):
            rows.append([(0, b"a" * 100_000, b"1")])
    with Rows(one.rows) as rows:
        assert list(rows) == []
    one.rows.unlink()
    one.rows.mkdir()
    with pytest.raises(OutputError, match=r"rows\.db cannot be written"):
        Rows(one.rows)


def test_a_loaded_save_may_be_removed(one):
    """What is loaded holds no file open: Windows would not let go of it."""
    tensors = _save(one, 1).tensors()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    for path in one.saves.rglob("state.safetensors"):
        path.write_bytes(b"\0" * path.stat().st_size)
    assert all(torch.equal(tensors[name], before[name]) for name in before)


def test_a_disk_that_is_full_leaves_what_was_there(one):
    """A limit on the size of files stands in for the disk; the error comes from the same calls."""
    resource = pytest.importorskip("resource")
    _save(one, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError):
            _save(one, 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found, wrong = saves.sound(one.saves)
    assert [save.blocks for save in found] == [1] and not wrong
    assert [path.name for path in one.saves.iterdir()] == ["000001"]


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(OutputError) as error:
        reading.create(tmp_path / "home" / "readings", MANIFEST)
    assert "--no-save" in error.value.hint


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX alone")
def test_what_counts_is_on_the_disk_before_it_does(one, tmp_path, monkeypatch):
    """The order of syncs and renames, as a power cut would find it."""
    done = []
    for name in ("fsync", "rename", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: done.append(name) or real(*given))
    _save(one, 3)
    assert done == ["fsync", "fsync", "fsync", "replace", "fsync"]  # two files, their folder; then the name
    done.clear()
    files.write(tmp_path / "a", b"x")
    assert done == ["fsync", "replace", "fsync"]
    done.clear()
    files.append(tmp_path / "b", b"x")
    assert done == ["fsync"]
    with Rows(one.rows) as rows:
        assert rows._db.execute("PRAGMA synchronous").fetchone()[0] == 3  # EXTRA


def test_what_is_cleared_loses_its_saves_first(one, monkeypatch):
    """Rows without a save are cut off when they are met; a save without its rows would be believed."""
    _save(one, 3)
    Rows(one.rows).__exit__()

    def refuse(folder):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(files, "remove_tree", refuse)
    with pytest.raises(OutputError):
        one.clear()
    assert one.rows.exists()


def test_a_share_beyond_all_numbers_is_no_traceback(one):
    save = _save(one, 3)
    path = save.folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"share": 10**400}), encoding="utf-8")
    assert entry(one).share == 1.0
