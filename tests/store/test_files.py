"""Names that change hands: a system that holds them for a moment, folders that are made on the way."""

from __future__ import annotations

import os
import threading

import pytest

from longread.places import private_dir
from longread.store import files


@pytest.mark.parametrize("refused", [0, 2, 99])
def test_a_scanner_that_holds_a_new_file_is_waited_for(tmp_path, monkeypatch, refused):
    """As on Windows, where what is open cannot be renamed."""
    whole, calls = os.replace, []

    def replace(path, place):
        calls.append(path)
        if len(calls) <= refused:
            raise PermissionError(13, "it is used by another process")
        whole(path, place)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(files, "_TRIES", 5)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    if refused == 99:
        with pytest.raises(PermissionError):
            files.write(tmp_path / "one", b"new")
        assert len(calls) == 5 and not [*tmp_path.iterdir()]
    else:
        files.write(tmp_path / "one", b"new")
        assert (tmp_path / "one").read_bytes() == b"new" and len(calls) == refused + 1


def test_a_lock_may_be_given_back_by_another_thread(tmp_path):
    """Events of one job may be asked for by several threads, of which the last one ends it."""
    held = files.locked(tmp_path / "lock")
    held.__enter__()
    other = threading.Thread(target=held.__exit__, args=(None, None, None))
    other.start()
    other.join()
    with files.locked(tmp_path / "lock"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_every_folder_that_is_made_is_its_owners_alone(tmp_path):
    old = os.umask(0o022)
    try:
        made = private_dir(tmp_path / "home" / "cache" / "weights")
    finally:
        os.umask(old)
    assert {made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777} == {0o700}
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
