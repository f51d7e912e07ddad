from __future__ import annotations

import pytest

from longread.cli.render import words
from longread.shares import percent


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (98, "98 s"), (119.6, "2 min"), (120, "2 min"),
     (150, "2 min 30 s"), (3599.7, "1 h"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_durations(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0%"), (0.124, "12%"), (0.9999, "99%"), (1, "100%"), (1.2, "100%")]
)
def test_the_whole_alone_is_100_percent(share, said):
    assert percent(share) == said


def test_amounts_sizes_and_clocks():
    assert words.amount(1, "chapter") == "1 chapter"
    assert words.amount(190412, "token") == "190,412 tokens"
    assert words.extent("zh-Hans", 4996, 5907) == "5,907 characters"
    assert words.extent("en-GB", 1, 5) == "1 word"
    assert [words.size(value) for value in (999, 512e6, 2.5e9, 4e12)] == [
        "999 bytes",
        "512 MB",
        "2.5 GB",
        "4000.0 GB",
    ]
    assert [words.clock(value) for value in (0, 59.6, 98, 7500)] == ["0:00", "1:00", "1:38", "2:05:00"]
    assert [words.parameters(n) for n in (99, 7_300_000, 1_500_000_000)] == [
        "99 parameters", "7.3 M parameters", "1.5 B parameters",
    ]  # fmt: skip


def test_a_name_is_typed_as_no_shell_and_no_option_takes_it():
    assert [words.shell(name) for name in ("novel.txt", "my novel.txt", "-dash.txt", "-")] == [
        "novel.txt", "'my novel.txt'", "./-dash.txt", "-",
    ]  # fmt: skip


def test_languages_fall_back_to_their_code():
    assert [words.language(code) for code in ("en", "en-GB", "zh-Hant", "tlh", "und")] == [
        "English", "English", "Chinese (traditional)", "tlh", "language unknown",
    ]  # fmt: skip


def test_a_sparkline_rises_where_its_values_rise():
    values = [3.0, 1.0, 2.0, 9.0]
    line = words.sparkline(values)
    assert len(line) == 4
    assert sorted(range(4), key=lambda at: line[at]) == sorted(range(4), key=lambda at: values[at])
    assert words.sparkline([1.0, float("inf"), float("nan"), 2.0]) == "▁█ █"
    assert len(set(words.sparkline([5.0, 5.0]))) == 1 and words.sparkline([]) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "now"), (59, "now"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (47 * 3600, "47 h"),
     (48 * 3600, "2 days"), (729 * 86400, "729 days"), (731 * 86400, "2 years")],
)  # fmt: skip
def test_age(seconds, said):
    assert words.age(seconds) == said
