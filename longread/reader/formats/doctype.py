"""What a page of XML may declare about itself before it begins.

Knows the entities that a document type declares in its own brackets. HTML has no such brackets: its parser
takes their end for text. Knows nothing of elements. Whoever made a file may mean harm, so that entities hold
no other entities and what they are replaced by is bounded; nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MOST, _FREE = 256, 4096  # entities of a page; characters by which a short page may grow
_OPENING = re.compile(
    r"\ufeff?\s*+(?:(?:<\?[^>]{0,500}>|<!--(?s:.){0,4000}?-->)\s*+)*+"
    r"(?P<doctype><!DOCTYPE\s[^<>\[\]]{0,1000})\[(?P<declared>(?s:.){0,20000}?)\]\s*+>",
    re.I,
)
_NAME = r"[A-Za-z_][\w.-]{0,40}"
_SIGN = r"[^&%<]|&#\d{1,7};|&#x[\da-fA-F]{1,6};"
_DECLARED = re.compile(
    rf"<!--(?s:.)*?-->|<!ENTITY\s+(?P<name>{_NAME})\s+(?P<quote>[\"'])"
    rf"(?P<said>(?:(?!(?P=quote))(?:{_SIGN})){{0,100}}+)(?P=quote)\s*>"
)
_NAMED = re.compile(f"&({_NAME});")
_XML = ("amp", "lt", "gt", "quot", "apos")


def opened(markup: str) -> tuple[str, dict[str, str]]:
    """``markup`` without the brackets of its document type, and the entities that are declared in them."""
    found = _OPENING.match(markup)
    if not found:
        return markup, {}
    entities: dict[str, str] = {}
    for one in _DECLARED.finditer(found["declared"]):
        if one["name"] and one["name"] not in _XML and len(entities) < _MOST:
            entities.setdefault(one["name"], one["said"])
    return f"{found['doctype']}>{markup[found.end() :]}", entities


def filled(markup: str, entities: Mapping[str, str]) -> str:
    """``markup`` with the entities in it replaced, until it has grown to about twice its length."""
    room = len(markup) + _FREE

    def said(match: re.Match[str]) -> str:
        nonlocal room
        value = entities.get(match[1])
        if value is None or len(value) > room:
            return match[0]
        room -= len(value)
        return value

    return _NAMED.sub(said, markup) if entities else markup
