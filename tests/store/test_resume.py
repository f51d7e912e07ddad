"""Jobs and the readings they leave: stopped, taken up, grown, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import longread
from longread.errors import Interrupted, LongreadError, OutputError
from longread.events import BlockRead, Done, Note, Planned
from longread.model.tokens import load_encoder
from longread.store import saves
from longread.store.library import Library
from tests.tiny import tiny_folder

# Bit for bit is promised on a CPU alone.
OPTIONS = {"device": "cpu", "block": 16, "window": 64, "rank": 2}
LINES = [f"On day {n} the ferry from Gull Yard carried {n % 7} barrels and no news.\n\n" for n in range(26)]


@pytest.fixture(scope="module", autouse=True)
def model(tmp_path_factory):
    """A tiny model: what is saved and taken up does not depend on how well it reads."""
    folder = tiny_folder(tmp_path_factory.mktemp("models") / "tiny", "llama", num_hidden_layers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIONS, "model", str(folder))
        yield folder


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("".join(LINES), encoding="utf-8")
    return path


def _run(path, task="read", stop_after=None, **more):
    """The job's notes and its Done; interrupted after so many blocks."""
    events = longread.stream(task, path, **OPTIONS, **more)
    notes, done, blocks = [], None, 0
    event = next(events)
    while event is not None:
        if isinstance(event, Note):
            notes.append(event.text)
        elif isinstance(event, Done):
            done = event
        elif isinstance(event, BlockRead):
            blocks += 1
        if blocks == stop_after and isinstance(event, BlockRead):
            event = events.throw(Interrupted("interrupted"))
        else:
            event = next(events, None)
    return notes, done


def test_a_reading_says_where_it_is_and_is_not_read_twice(text):
    notes, first = _run(text)
    assert any("saving the reading in" in note and "readings rm" in note for note in notes)
    notes, second = _run(text)
    assert second.result.resumed_at == second.result.blocks == first.result.blocks
    assert second.result.adapter_sha256 == first.result.adapter_sha256
    assert not any("saving" in note for note in notes)


def test_the_time_announced_is_for_what_is_left(text, monkeypatch):
    monkeypatch.setattr("longread.tasks.estimate.matrix_rate", lambda: 1e11)  # a busy machine's varies

    def planned(task):
        return next(e for e in longread.stream(task, text, **OPTIONS) if isinstance(e, Planned)).seconds

    whole = planned("summarize")
    _run(text, stop_after=21)
    assert 0 < planned("read") < 0.7 * whole
    _run(text)
    assert planned("summarize") == 0 < planned("score")


def test_stopped_and_resumed_is_unbroken(text, tmp_path, monkeypatch):
    whole = _run(text)[1]
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    _, part = _run(text, stop_after=21)
    assert part.partial and part.result.blocks == 21
    notes, rest = _run(text)
    assert rest.result.resumed_at == 21 and any("resumed at" in note for note in notes)
    assert rest.result.adapter_sha256 == whole.result.adapter_sha256
    assert rest.stats["nll"] == whole.stats["nll"] and rest.stats["tokens"] == whole.stats["tokens"]


def test_a_summary_that_is_stopped_keeps_all_it_has_read(text, monkeypatch):
    """Not only what the last save before it held."""
    monkeypatch.setattr("longread.tasks.keep.EVERY", 1000)
    _run(text, "summarize", words=60, stop_after=13)
    assert _run(text)[1].result.resumed_at == 13


def test_a_summary_of_a_saved_reading_is_the_same(text, tmp_path, monkeypatch):
    summary = _run(text, "summarize", words=60)[1].result
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    _run(text, stop_after=13)
    _run(text)
    _, done = _run(text, "summarize", words=60)
    assert done.stats["resumed_at"] == done.stats["blocks"]
    assert done.result == summary


def test_a_text_that_has_grown_goes_on_from_where_it_was(text, tmp_path, monkeypatch):
    before = _run(text)[1]
    text.write_text("".join(LINES) + "And on the last day it carried the bell.\n" * 9, encoding="utf-8")
    notes, grown = _run(text)
    assert any("begins with one read before" in note for note in notes)
    assert 0 < grown.result.resumed_at <= before.result.blocks < grown.result.blocks
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    assert _run(text)[1].result.adapter_sha256 == grown.result.adapter_sha256


def test_other_text_or_options_are_another_reading(text, tmp_path):
    ids = {_run(text)[1].result.reading, _run(text, seed=1)[1].result.reading}
    other = tmp_path / "other.txt"
    other.write_text("".join(reversed(LINES)), encoding="utf-8")
    notes, done = _run(other)
    assert done.result.resumed_at == 0 and not any("begins with" in note for note in notes)
    assert len(ids | {done.result.reading}) == 3


def test_nothing_is_left_with_save_off(text, home):
    _, done = _run(text, save=False)
    assert done.result.reading is None and done.result.path is None
    assert not (home / "readings").exists()


def test_fresh_reads_anew(text):
    first = _run(text)[1]
    _, again = _run(text, fresh=True)
    assert again.result.resumed_at == 0
    assert again.result.adapter_sha256 == first.result.adapter_sha256
    assert _run(text)[1].result.resumed_at == first.result.blocks


def test_a_fresh_reading_that_was_killed_leaves_nothing_half(text):
    summary = _run(text, "summarize", words=60)[1].result
    events = longread.stream("summarize", text, **OPTIONS, words=60, fresh=True)
    next(event for event in events if isinstance(event, BlockRead))
    events.close()  # as a kill does: nothing is saved on the way out
    _, done = _run(text, "summarize", words=60)
    assert "resumed_at" not in done.stats and done.result == summary and summary.summary


@pytest.mark.parametrize("task", ["read", "summarize"])
def test_a_reading_whose_rows_are_gone_is_read_again(text, task):
    wish = {"words": 60} if task == "summarize" else {}
    summary = _run(text, "summarize", words=60)[1].result
    path = Path(_run(text)[1].result.path)
    (path / "rows.db").unlink()
    notes, done = _run(text, task, **wish)
    assert any("has lost sentences" in note for note in notes) and "resumed_at" not in done.stats
    assert _run(text, "summarize", words=60)[1].result == summary


def test_a_grown_text_keeps_the_sentences_of_its_beginning(text, tmp_path, monkeypatch):
    _run(text)
    text.write_text("".join(LINES) + "And on the last day it carried the bell.\n" * 9, encoding="utf-8")
    grown = _run(text, "summarize", words=60)[1]
    assert grown.stats["resumed_at"] > 0
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    assert _run(text, "summarize", words=60)[1].result == grown.result


def test_a_text_whose_beginning_is_being_read_just_now_is_read_on_its_own(text):
    _run(text)
    (one,) = Library().all()
    text.write_text("".join(LINES) + "And on the last day it carried the bell.\n" * 9, encoding="utf-8")
    with one.writing():
        notes, done = _run(text)
    assert any("is being read just now" in note for note in notes) and done.result.resumed_at == 0


def test_rows_reach_the_disk_before_the_save_that_counts_them(text, monkeypatch):
    from longread.store import rows

    def full(self, rows):
        raise OutputError("the disk is full")

    whole = Path(_run(text)[1].result.path)
    assert [*(whole / "saves").iterdir()]
    monkeypatch.setattr(rows.Rows, "append", full)
    with pytest.raises(OutputError, match="disk is full"):
        _run(text, fresh=True)
    assert not [*(whole / "saves").glob("[0-9]*")]


def test_a_job_may_be_taken_on_by_another_thread(text):
    import threading

    events, found, wrong = longread.stream("read", text, **OPTIONS), [], []

    def take() -> None:
        try:
            found.append(next(events, None))
        except Exception as error:
            wrong.append(error)

    while not (found and found[-1] is None) and not wrong:
        one = threading.Thread(target=take)
        one.start()
        one.join()
    assert not wrong and isinstance(found[-2], Done)


def test_a_damaged_table_is_made_anew_by_what_its_error_advises(text):
    path = Path(_run(text)[1].result.path)
    (path / "rows.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LongreadError, match="is damaged") as error:
        _run(text)
    assert "--fresh" in error.value.hint
    assert _run(text, fresh=True)[1].result.resumed_at == 0


def test_a_text_that_has_grown_from_a_whole_number_of_blocks(tmp_path, monkeypatch, model):
    """Its last block is no tail, so that the complete save itself is the longer text's beginning."""
    encoder = load_encoder(model)
    path, whole = tmp_path / "log.txt", ""
    for line in LINES:
        whole = (whole + "\n\n" + line).strip()
        tokens = len(encoder.encode(whole))
        block = next((size for size in range(12, 24) if tokens % size == 0), None)
        if block and tokens >= 8 * block:
            break
    sizes = OPTIONS | {"block": block}
    path.write_text(whole, encoding="utf-8")
    before = longread.read(path, **sizes)
    path.write_text(whole + "\n\n" + "And on the last day it carried the bell.\n" * 9, encoding="utf-8")
    events = list(longread.stream("read", path, **sizes))
    grown = events[-1].result
    assert grown.resumed_at == before.blocks < grown.blocks
    (said,) = (e.text for e in events if isinstance(e, Note) and "resumed at" in e.text)
    assert f"resumed at {len(whole) / len(path.read_text(encoding='utf-8')):.0%}" in said
    again = longread.read(path, **sizes)
    assert again.resumed_at == again.blocks == grown.blocks, "it was saved as complete"
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    assert longread.read(path, **sizes).adapter_sha256 == grown.adapter_sha256


def test_a_model_that_is_trusted_otherwise_since_reads_again(text, monkeypatch):
    """A cache and the last tokens of a window without one cannot stand for each other."""
    from longread.model import load

    cached = _run(text)[1].result
    whole = load.Backbone
    monkeypatch.setattr(load, "Backbone", lambda model, **more: whole(model, **more | {"stateful": False}))
    notes, done = _run(text)
    assert any("in another way than this model is now trusted with" in note for note in notes)
    assert done.warnings and done.result.resumed_at == 0 and done.result.reading == cached.reading
    assert _run(text)[1].result.resumed_at == cached.blocks


def test_what_another_engine_has_learned_is_not_taken_up(text, monkeypatch):
    from longread.store import reading

    before = _run(text)[1].result
    monkeypatch.setattr(reading, "ENGINE", reading.ENGINE + 1)
    notes, done = _run(text)
    assert any("made by an older version and stays as it is" in note for note in notes)
    assert done.result.resumed_at == 0 and done.result.reading != before.reading
    assert {one.outdated for one in Library().all()} == {True, False}


def test_a_reading_of_before_there_was_an_engine_is_outdated_and_not_damaged(text):
    import json

    from longread.store import reading

    path = Path(_run(text)[1].result.path)
    manifest = json.loads((path / "manifest.json").read_bytes())
    del manifest["key"]["engine"]
    manifest["id"] = reading.identity(manifest["key"])
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    path.rename(path.with_name(manifest["id"]))
    (one,) = Library().all()
    assert one.outdated and not one.damage and one.manifest["name"].endswith("log.txt")


def test_a_damaged_beginning_keeps_nobody_from_reading_on(text):
    path = Path(_run(text)[1].result.path)
    (path / "rows.db").write_bytes(b"this is no database" * 100)
    text.write_text("".join(LINES) + "And on the last day it carried the bell.\n" * 9, encoding="utf-8")
    notes, done = _run(text)
    assert any("whose rows.db is damaged" in note for note in notes)
    assert done.warnings and done.result.resumed_at == 0
    assert _run(text)[1].result.resumed_at == done.result.blocks


def test_damage_costs_only_what_came_after_it(text):
    path = Path(_run(text)[1].result.path)
    last, before = saves.sound(path / "saves")[0]
    (last.folder / "state.safetensors").write_bytes(b"gone")
    notes, done = _run(text)
    assert done.result.resumed_at == before.blocks
    assert any("is damaged" in note and "going on from the save before it" in note for note in notes)
    assert done.warnings


def test_one_writer_at_a_time(text):
    done = _run(text)[1]
    (one,) = Library().all()
    assert one.id == done.result.reading
    with one.writing(), pytest.raises(OutputError, match=r"another longread is reading .*log"):
        _run(text)


def test_the_paper_recipe_resumes_too(text, tmp_path, monkeypatch):
    whole = _run(text, recipe="paper", part="0%-50%")[1]
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    _run(text, recipe="paper", part="0%-50%", stop_after=9)
    rest = _run(text, recipe="paper", part="0%-50%")[1]
    assert rest.result.resumed_at == 9
    assert rest.result.adapter_sha256 == whole.result.adapter_sha256
