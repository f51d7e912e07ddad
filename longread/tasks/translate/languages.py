"""Which languages a translation is from and into.

Knows BCP 47 codes as people write them and which pairs a model is listed with. Knows no
text and no template.
"""

from __future__ import annotations

import re

from longread.errors import UnsupportedError, UsageError
from longread.model.catalog import Entry
from longread.reader.language import base_language
from longread.tasks.prompts import language_name
from longread.tasks.translate.checks import Pair

_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_REGIONS = {
    "zh-cn": "zh-Hans",
    "zh-sg": "zh-Hans",
    "zh-tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
}
_SCRIPTS = {"zh-hans": "zh-Hans", "zh-hant": "zh-Hant"}


def code(wish: str, flag: str) -> str:
    """``wish`` as it is written here: "ZH-cn" is zh-Hans. UsageError for what is no language."""
    low = wish.strip().lower().replace("_", "-")
    known, (base, *more) = {**_REGIONS, **_SCRIPTS}, low.split("-")
    found = known.get("-".join((base, *more[:1])), base)  # zh-Hant-TW says all in its first two parts
    if not _CODE.fullmatch(low) or language_name(found) == found:
        raise UsageError(f"{flag} {wish}: that language is not known", "give a code such as en, zh, de or ja")
    return found


def pair(src: str | None, tgt: str | None, detected: str) -> Pair:
    """The two languages; the source's is the one ``detected`` where ``src`` is left out.

    UsageError where one is missing, or both are the same.
    """
    if tgt is None:
        raise UsageError("translate needs the language to translate into", "add --tgt en, for example")
    target = code(tgt, "--tgt")
    if src is None and detected == "und":
        raise UsageError("the text's language could not be told", "add --src zh, for example")
    source = code(src, "--src") if src is not None else detected
    same = base_language(source) == base_language(target)
    if source == target or (same and "zh" in (source, target)):
        raise UsageError(f"the text is in {language_name(source)} already", "give another --tgt")
    return Pair(source, target)


def allowed(pair: Pair, entry: Entry | None, name: str) -> None:
    """``UnsupportedError`` for a pair that a listed model does not know."""
    listed = entry.languages if entry is not None else ()
    for language in (pair.src, pair.tgt):
        open_ended = any(" " in known for known in listed)  # "about 100 more"
        if listed and not open_ended and base_language(language) not in map(base_language, listed):
            known = " and ".join(language_name(item) for item in listed)
            raise UnsupportedError(
                f"{name} knows {known}, not {language_name(language)}",
                "use --model with one that knows both languages",
            )
