"""Sentences on one line, as they read."""

from __future__ import annotations

import pytest

from longread.reader.sentences import unwrapped


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The mud\n  book\nof Agnes", "The mud book of Agnes"),
        ("他读了 Harry Potter 和 New York Times。", "他读了 Harry Potter 和 New York Times。"),
        ("他读了\nHarry\nPotter\n和报纸。", "他读了Harry Potter和报纸。"),
        ("潮水\n　退去\n以后", "潮水退去以后"),
        ("그는 책을\n읽었다.", "그는 책을 읽었다."),
        ("", ""),
    ],
)
def test_a_line_break_is_a_space_where_words_have_spaces(text, line):
    assert unwrapped(text) == line
