"""``translate``: a text in another language, sentence by sentence, its names the same throughout.

Knows which model may be asked, and what the user's files hold. The work itself stands in
``work``; what is typed at a terminal, in ``typed``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from longread.config import Options
from longread.errors import UnsupportedError
from longread.events import Event
from longread.tasks import reading

if TYPE_CHECKING:
    from longread.model.catalog import Trust
    from longread.model.load import LoadedModel
    from longread.tasks.translate.checks import Pair


def translate(
    path: str,
    options: Options,
    *,
    src: str | None = None,
    tgt: str | None = None,
    layout: str = "target",
    glossary: str | None = None,
    corrections: str | None = None,
    retry_failed: bool = False,
    anyway: bool = False,
) -> Iterator[Event]:
    """Translate the text at ``path`` into ``tgt``; the result is a ``Translation``.

    ``src`` and ``tgt`` are BCP 47 codes, ``glossary`` and ``corrections`` paths of TSV
    files. ``layout`` concerns whoever writes the result. ``UnsupportedError`` for a model
    that is not trusted to translate, unless it is to try ``anyway``.
    """
    with reading.opened(path, options) as job:
        from longread.tasks.translate import languages

        pair = languages.pair(src, tgt, job.document.language)
        given, corrected = wishes(glossary, corrections)
        yield from reading.announce(job)
        if src is not None and _other(job.document.language, pair):
            yield job.warn(f"the text looks like {job.document.language}, and --src says {src}")
        loaded = trusted(options.model, pair, lambda: reading.load(job), anyway=anyway)
        if not loaded.trust.translates:
            yield job.warn(f"{_distrusted(loaded.name, loaded.trust)}. Nothing vouches for this")
        from longread.tasks.translate.wish import Wish
        from longread.tasks.translate.work import translation_of

        wish = Wish(pair, given, corrected, retry_failed, anyway)
        yield from translation_of(job, loaded, wish)


def check(
    job: reading.Job,
    *,
    src: str | None = None,
    tgt: str | None = None,
    glossary: str | None = None,
    corrections: str | None = None,
    anyway: bool = False,
    **_: object,
) -> None:
    """What can be refused of a job before a model is loaded, as the job itself refuses it later."""
    from longread.tasks.translate import languages

    wishes(glossary, corrections)
    _refuse(job.options.model, languages.pair(src, tgt, job.document.language), anyway=anyway)


def wishes(glossary: str | None, corrections: str | None) -> tuple:
    """The terms and the corrections in the user's files; none where a path is None."""
    from longread.tasks.translate.corrections import Corrections, read_corrections
    from longread.tasks.translate.glossary import read_terms

    terms = tuple(read_terms(glossary)) if glossary else ()
    return terms, read_corrections(corrections) if corrections else Corrections()


def trusted(model: str, pair: Pair | None, load: Callable[[], LoadedModel], *, anyway: bool) -> LoadedModel:
    """The ``model``, by ``load``; ``UnsupportedError`` for one that is not to be asked for this pair.

    A model that is listed is refused before it is loaded.
    """
    _refuse(model, pair, anyway=anyway)
    loaded = load()
    _trusted(loaded.name, loaded.trust, anyway)
    return loaded


def _refuse(model: str, pair: Pair | None, *, anyway: bool) -> None:
    from longread.model.find import find_model
    from longread.tasks.translate import languages

    found = find_model(model)
    if found.entry is not None:
        if pair is not None and not (anyway and found.entry.trust.translates):
            languages.allowed(pair, found.entry, found.name)
        _trusted(found.name, found.entry.trust, anyway)


def _trusted(name: str, trust: Trust, anyway: bool) -> None:
    if not (anyway or trust.translates):
        raise UnsupportedError(
            _distrusted(name, trust),
            "`longread models list` shows which are; --anyway shows what this one makes of the text",
        )


def _distrusted(name: str, trust: Trust) -> str:
    return f"{name} is not trusted to translate: {trust.limit or trust.says}"


def _other(detected: str, pair: Pair) -> bool:
    from longread.reader.language import base_language

    return detected != "und" and base_language(detected) != base_language(pair.src)
