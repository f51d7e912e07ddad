"""A book's title and author, from its first lines or its file's name.

Knows how title pages are set in several languages. Knows nothing of chapters beyond where
the first heading is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from longread.reader import headings

_BY = re.compile(r"(?:written\s+)?(?:by|par|von|автор:?)\s+(?P<name>\S.{2,60})$", re.I)
_SKIP = re.compile(
    r"(?:translated|edited|illustrated|produced|prepared|e-?text|\W*transcrib|notes?:|text enclosed|"
    r"images? of|(?:the )?internet archive|online distributed|http|www\.|"
    r"\(|\[|_*by_*$|roman$|a novel$|роман\b|vol(?:ume)?\b|part\b|"
    r"[长長中短]篇小[说說]$|小[说說]$|copyright|contents|author of|\d+$|[-*=_\s]+$)",
    re.I,
)
_CJK_BOOK = re.compile(r"《(?P<title>[^》]{1,30})》\s*(?P<author>[\u3400-\u9fff]{2,5})?")
_REPEATED = re.compile(
    r"(?P<title>[\u3400-\u9fff]{2,12}?)(?P=title)+(?:(?P<author>[\u3400-\u9fff]{2,4})(?:著|撰))?"
)
_META = re.compile(r"#*\s*(?P<key>title|author|titel|autor|titre|auteur)\s*:\s*(?P<value>\S.*)$", re.I)
_SMALL = frozenset(
    "the a an of in and to by der die das le la les un une et und de des du и с в на о "
    "edition magazine monthly series press".split()
)
_CJK_NAME = re.compile(r"[\u3400-\u9fff\u3041-\u30ff・ 　]{2,8}(?:著|作)?$")


def find(opening: Sequence[str], name: str, markdown: bool = False) -> tuple[str, str]:
    """Title and author by the first lines (those that are not blank); the author may be empty.

    ``name`` is the file's, from which a title is made when the lines give none.
    """
    title = author = ""
    lines = []
    for line in opening:
        text = headings.clean(line)
        meta = _META.match(text)
        if meta:
            if meta["key"].lower().startswith("tit"):
                title = title or meta["value"].strip()
            else:
                author = author or meta["value"].strip()
            continue
        if markdown and not title and line.startswith("# ") and not headings.classify(text):
            title = text
            continue
        lines.append(text)
    if title:
        return headings.shorten(title), headings.shorten(author)
    title, found = _from_lines(lines)
    return headings.shorten(title or _from_name(name)), headings.shorten(author or found)


def _from_lines(lines: Sequence[str]) -> tuple[str, str]:
    if not lines:
        return "", ""
    book = _CJK_BOOK.match(lines[0]) or _REPEATED.match(lines[0])
    if book:
        return book["title"], book["author"] or ""
    page: list[str] = []
    author = ""
    for index, line in enumerate(lines[:14]):
        said = headings.classify(line)
        if not line or (said and not (said.kind == "numbered" and _looks_like_name(line))):
            break
        by = _BY.match(line)
        if by:
            author = by["name"]
            break
        if line.strip("_").lower() in ("by", "par", "von") and index + 1 < len(lines):
            author = lines[index + 1]
            break
        if len(line) > 75:
            break
        if _SKIP.match(line):
            if page and not author and line.lower().startswith(("translated", "edited", "illustrated")):
                break
            continue
        page.append(line)
        if len(page) == 4:
            break
    if not page or (len(page) == 4 and not author and not _stands_out(page[0])):
        return "", ""
    if page[0].endswith((",", ";", '"', "”", "?")) or page[0][0].islower():
        return "", author
    if not author and len(page) > 1 and _looks_like_name(page[0]) and not _looks_like_name(page[1]):
        return page[1].rstrip("."), page[0]
    if not author and len(page) > 1 and _looks_like_name(page[1]):
        author = page[1]
    return page[0].rstrip("."), author.strip(" _,")


def _stands_out(line: str) -> bool:
    return headings.is_caps(line) or (len(line) < 60 and not line.endswith((".", "。", "!", "！")))


def _looks_like_name(line: str) -> bool:
    """Whether a line reads like a person's name: two to four capitalised words, or a few characters."""
    if _CJK_NAME.fullmatch(line) and not re.search(r"[はのをがに了的]", line):
        return True
    words = line.split()
    return 2 <= len(words) <= 4 and all(
        word[0].isupper() and word.casefold() not in _SMALL and not any(map(str.isdigit, word))
        for word in words
    )


def _from_name(name: str) -> str:
    if name == "-":
        return "standard input"
    # The bytes of a name that is not UTF-8 are characters that no file can be written with.
    name = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in name)
    return " ".join(PurePath(name).stem.replace("_", " ").split()) or name.strip() or "untitled"
