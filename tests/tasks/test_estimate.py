"""What a job announces: less where a saved reading holds a part, true memory, speeds of this very device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longread.cli import main
from longread.cli.render.screen import announced
from longread.config import Memory, Options
from longread.errors import Interrupted
from longread.events import BlockRead, Planned
from longread.jobs import JOBS
from longread.model import fit
from longread.model.catalog import TRUSTED_FROM, trust_in
from longread.model.find import find_model
from longread.model.fingerprint import recall
from longread.model.machine import taken
from longread.tasks import estimate, summarize
from tests.tiny import tiny_folder

MEMORY = Memory(block=16, window=48, rank=2)
LINE = "The ferry from Gull Yard carried barrels and no news that day. "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny", "llama", num_hidden_layers=2)


@pytest.fixture
def options(folder):
    return Options(model=str(folder), memory=MEMORY)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(LINE * 60, encoding="utf-8")
    return path


def dry(task: str, path, options: Options, **own) -> Planned:
    return next(e for e in JOBS[task].plan(str(path), options, own) if isinstance(e, Planned))


def read_half(path, options: Options) -> float:
    """Read until half of the text is read, then be interrupted; returns the share that was."""
    job = JOBS["read"].start(str(path), options, {})
    for event in job:
        if isinstance(event, BlockRead) and event.share >= 0.5:
            events = [job.throw(Interrupted("stopped")), *job]
            return events[-1].stats["share"]
    raise AssertionError("it was read to its end")


def test_a_dry_run_counts_only_what_a_saved_reading_has_not_read(text, options, capsys, monkeypatch):
    monkeypatch.setattr(estimate, "matrix_rate", lambda: 1e9)
    whole = dry("read", text, options)
    assert whole.read == 0
    share = read_half(text, options)
    assert 0.5 <= share < 0.9
    (resumed,) = [e for e in JOBS["read"].start(str(text), options, {}) if isinstance(e, Planned)]
    assert resumed.read == pytest.approx(share * whole.tokens, abs=1)
    # That run has read the rest: a dry run of every job that takes a reading up finds all of it.
    for task in ("read", "summarize"):
        found = dry(task, text, options)
        assert (found.tokens, found.read, found.seconds) == (whole.tokens, whole.tokens, 0)
    going_on = dry("continue", text, options, tokens=20)
    assert going_on.read == whole.tokens and 0 < going_on.seconds == going_on.writing
    for changed in (replace(options, fresh=True), replace(options, save=False), replace(options, seed=5)):
        assert dry("read", text, changed).read == 0
    assert dry("score", text, options, arms=("sink",)).read == 0  # reads anew each time
    asked = ["--block", "16", "--window", "48", "--rank", "2"]
    assert main(["read", str(text), "-m", options.model, *asked, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "tokens (100%) are read already, none are left" in said


def test_a_dry_run_and_the_job_say_the_same_of_half_a_reading(text, options, capsys, monkeypatch):
    monkeypatch.setattr(estimate, "known_speed", lambda *_, **__: 100.0)
    share = read_half(text, options)
    planned = dry("read", text, options)
    assert planned.read == pytest.approx(share * planned.tokens, abs=1)
    assert planned.seconds == pytest.approx((1 - share) * planned.tokens / 100)
    resumed = next(e for e in JOBS["read"].start(str(text), options, {}) if isinstance(e, Planned))
    assert resumed == planned
    left = f"about {planned.tokens - planned.read:,} are left"
    assert left in announced(resumed) and "saved reading" in announced(resumed)
    asked = ["--block", "16", "--window", "48", "--rank", "2"]
    assert main(["read", str(text), "-m", options.model, *asked, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert left in said and f"tokens: about {planned.tokens:,}" in said and "for what is left" in said


def test_a_summary_that_is_written_takes_no_reading_up(text, options):
    list(JOBS["read"].start(str(text), options, {}))
    small, large = dry("summarize", text, options), trust_in(None, TRUSTED_FROM, True)
    assert small.read == small.tokens  # too small to be trusted with writing: it quotes
    assert not summarize._quotes("auto", large) and not summarize._quotes("abstract", large)
    assert summarize._quotes("extract", large)


def test_what_is_written_is_learned_behind_a_whole_window(text, options):
    """A block of what was written is learned by encoding the window anew, all of it with gradients."""
    config = find_model(options.model).config
    alone = fit.needs(config, fit.Sizes(16, 48, 4), rank=2)
    wide = fit.needs(config, fit.Sizes(48, 48, 4), rank=2, stateful=False)
    behind = fit.needs(config, fit.Sizes(16, 48, 4), rank=2, behind=True)
    assert behind.activations == wide.activations > alone.activations  # a window's rows, as without a cache
    assert (behind.cache, behind.weights, behind.adapter) == (alone.cache, alone.weights, alone.adapter)
    without = fit.needs(config, fit.Sizes(16, 48, 4), learn=False)
    assert fit.needs(config, fit.Sizes(16, 48, 4), learn=False, behind=True) == without

    def of(task, memory=MEMORY, **own):
        return dry(task, text, replace(options, memory=memory), **own).memory_parts["activations"]

    assert of("read") == alone.activations
    assert of("continue", tokens=100) == behind.activations
    assert of("continue", tokens=10) == of("read")  # they fill no block
    assert of("continue", Memory(16, 48, learn=False), tokens=100) == without.activations
    assert of("read", replace(MEMORY, recipe="paper")) == behind.activations


def test_the_time_of_a_summary_counts_its_writing_or_says_that_it_does_not(
    text, options, capsys, monkeypatch
):
    monkeypatch.setattr(estimate, "matrix_rate", lambda: 1e9)
    options = replace(options, memory=Memory(rank=2))
    quoted = dry("summarize", text, options, style="extract")
    written = dry("summarize", text, options, style="abstract")
    assert (quoted.writes, quoted.writing) == (0, 0.0)
    assert written.writes > 0 and written.writing is None and written.seconds == quoted.seconds
    asked = ["summarize", str(text), "-m", options.model, "--rank", "2", "--style", "abstract", "--dry-run"]
    assert main(asked) == 0 and "and the time of writing\n" in capsys.readouterr().out
    assert announced(written).endswith(", and the time of writing")
    found, shape = find_model(options.model), fit.Sizes(written.block, written.window, written.sinks)
    estimate.remember_speed(found, shape, options, 5.0, kind=estimate.WRITING)  # of a continuation: slower
    slower = dry("summarize", text, options, style="abstract").writing
    estimate.remember_speed(found, shape, options, 10.0, kind=estimate.NOTES)
    known = dry("summarize", text, options, style="abstract")
    assert slower - known.writing == pytest.approx(known.writes / 10)
    assert known.writing > known.writes / 10  # and the prompts
    assert known.seconds == pytest.approx(quoted.seconds + known.writing)
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "and the time of writing" not in said and f"writing: about {known.writes:,} tokens, about" in said


def test_a_speed_is_kept_for_the_device_that_it_was_measured_on(text, options):
    list(JOBS["read"].start(str(text), replace(options, save=False), {}))
    (key,) = recall("speeds.json")
    device, dtype = taken("auto", "auto")
    assert f"/{device}/{dtype}/" in key and "auto" not in key.removeprefix(options.model)
    found, shape = find_model(options.model), fit.Sizes(16, 48)
    measured = estimate.known_speed(found, shape, options)
    assert measured == recall("speeds.json")[key]
    same = replace(options, device=device, dtype=dtype)
    assert estimate.known_speed(found, shape, same) == measured
    other = "bfloat16" if dtype == "float32" else "float32"
    assert estimate.known_speed(found, shape, replace(options, dtype=other)) is None
    assert estimate.known_speed(found, shape, replace(options, device="cuda:7")) is None


def test_a_device_without_a_number_is_the_first():
    assert taken("cpu", "auto") == ("cpu", "float32")
    assert taken("cuda", "auto") == ("cuda:0", "bfloat16") == taken("cuda:0", "bfloat16")
    assert taken("mps", "float16") == ("mps:0", "float16")
