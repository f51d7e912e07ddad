"""A reading that is killed and resumed ends as an unbroken one does, to the last bit.

Each trial is a process of its own, forked from this one so that torch is imported once, and
killed with SIGKILL at a moment that nothing chose.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

import longread
from longread.store import saves
from longread.store.library import Library

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
TEXT = " ".join(
    f"On day {n} the ferry from Gull Yard carried {n % 7} barrels and no news." for n in range(40)
)
# Bit for bit is promised on a CPU alone.
OPTIONS = {"device": "cpu", "block": 16, "window": 64, "rank": 4}


def _read(text: Path, home: Path) -> int:
    """Start a reading in a child; its process id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        import torch

        torch.set_num_threads(1)
        os.environ["LONGREAD_HOME"] = str(home)
        longread.read(text, **OPTIONS)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def _finished(child: int) -> bool:
    """Wait for a child; whether it ended by itself and well (False: it was killed)."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.waitstatus_to_exitcode(status) == 0
    return True


def _final(home: Path) -> tuple[str, list]:
    """The digest of everything that the finished reading holds, and its rows."""
    from longread.store.rows import Rows

    (reading,) = Library(home / "readings").all()
    (save, *_), wrong = saves.sound(reading.saves)
    assert save.complete and not wrong
    with Rows(reading.rows) as rows:
        return save.record["sha256"], list(rows)


def _kill_until_done(text: Path, home: Path, kills: int, whole: float, seed: int) -> tuple[int, list[int]]:
    """Kill readings at random moments, then let one finish; kills done, and the blocks each left saved."""
    chance, done, left = random.Random(seed), 0, []
    while done < kills:
        child = _read(text, home)
        time.sleep(chance.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        if _finished(child):  # it was quicker: begin again, for there is nothing left to kill
            for reading in Library(home / "readings").all():
                assert saves.sound(reading.saves)[0][0].complete
                Library(home / "readings").remove(reading)
            continue
        done += 1
        for reading in Library(home / "readings").all():
            found, wrong = saves.sound(reading.saves)
            assert not wrong and not reading.damage.replace("manifest.json is missing", "")
            left.append(found[0].blocks if found else 0)
    assert _finished(_read(text, home))
    return done, left


@pytest.fixture
def unbroken(tmp_path):
    """The text, what a reading of it without a break ends with, and its seconds."""
    text = tmp_path / "log.txt"
    text.write_text(TEXT, encoding="utf-8")
    # Here, so that the children find everything imported; without it each would take seconds to begin.
    longread.read(text, **OPTIONS, part="0%-10%", save=False)
    assert _finished(_read(text, tmp_path / "warm"))  # proves the model and measures its speed
    began = time.perf_counter()
    assert _finished(_read(text, tmp_path / "one"))
    return text, _final(tmp_path / "one"), time.perf_counter() - began


def _trial(unbroken, tmp_path, kills: int) -> None:
    text, expected, whole = unbroken
    done, left = _kill_until_done(text, tmp_path / "killed", kills, whole, seed=kills)
    assert _final(tmp_path / "killed") == expected
    print(f"\n{done} kills; blocks saved after each: {left}")
    assert any(left)


def test_killed_and_resumed_is_unbroken(unbroken, tmp_path):
    _trial(unbroken, tmp_path, 5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills(unbroken, tmp_path):
    _trial(unbroken, tmp_path, 100)
