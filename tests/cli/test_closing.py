"""The last line of a job, from the stats that each task really gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longread.cli import main
from longread.cli.render.screen import closing
from longread.events import Done
from longread.model.catalog import Trust
from longread.tasks import reading
from longread.tasks.abstract import Counts as Written
from longread.tasks.translate.translator import Counts as Translated

READ = {"tokens": {"read": 500, "learned": 400, "dropped": 0, "unread": 1500}, "seconds": {"reading": 98.0}}


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({}, "read 25% of 2,000 tokens in 98 s"),
        ({"style": "extract", "length": 400, "got": 399}, "read 25% of 2,000 tokens in 98 s"),
        (
            {"written": Written(notes=3, tokens=1234).as_dict(), "style": "abstract"},
            "read 25% of 2,000 tokens and wrote 1,234 tokens, notes and summary, in 98 s",
        ),
        ({"passages": 70, "asked": 2}, "looked through 70 passages in 98 s"),
        ({"written": 320, "learned_writing": 256}, "wrote 320 tokens after reading 500 in 98 s"),
        (
            {"segments": {"total": 24, "done": 20, "failed": 1}, "written": Translated(tokens=9).as_dict()},
            "translated 19 of 24 segments in 98 s",
        ),
    ],
)
def test_the_last_line_of_every_job(stats, said):
    assert closing(Done("job", "model", {}, None, READ | stats)) == said


def test_a_summary_in_own_words_ends_well(monkeypatch, capsys):
    """The whole command, its model let write though it cannot: what it says is replaced, and counted."""
    load = reading.load
    trust = Trust(True, True, True, True, "for this test")
    monkeypatch.setattr(reading, "load", lambda job: replace(load(job), trust=trust))
    arguments = ["--part", "0%-3%", "--style", "abstract", "--words", "60", "--no-learn", "--no-save"]
    code = main(["summarize", "sample:en", *arguments, "--window", "512", "--block", "128"])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert out.strip()
    assert " and wrote " in err and " tokens, notes and summary, in " in err
