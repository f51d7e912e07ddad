"""The words behind ``longread ask``: whether the first of them is a question.

Knows pipes and how people write. Opens no file and answers nothing.
"""

from __future__ import annotations

import os
import re
import sys

_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # they hold few spaces or none
_PATH = re.compile(r"(\.{0,2}|~[^/]*|[A-Za-z]:)[/\\]")


def is_question(word: str, others: bool) -> bool:
    """Whether the first argument is no file: ``cat novel.txt | longread ask "Who is Ahab?" "And Ishmael?"``.

    Where nothing but a space speaks for a question, a path, and whatever has ``others`` behind it, is a file
    that is missing.
    """
    piped = sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()
    if not piped or word == "-" or word.startswith("sample:") or os.path.exists(word):
        return False
    word = word.strip()
    if word.endswith(("?", "？")):
        return True
    ending = re.search(r"\.\w{1,5}$", word, re.ASCII)
    if any(map(str.isspace, word)):
        return not others and not _PATH.match(word)
    return bool(_CJK.search(word)) and not ending and not {"/", os.sep} & set(word)
