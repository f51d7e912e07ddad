"""The names met in a text, counted as it streams by.

Knows capitals: which words carry one in the middle of a sentence, which of those mostly go without,
which stand beside each other ("Lady Catherine de Bourgh"), and which forms belong to one person
("Mr. Slope", "Slope"). Knows no model and no dictionary of names. Where capitals mark no names
it counts nothing (Japanese) or leaves it to ``names_zh``; German, which capitalises every noun, is asked
how often a word follows an article.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from longread.reader.language import base_language
from longread.reader.names_zh import ChineseNames

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Between two words: these start something new, after which a capital means nothing.
_FRESH = re.compile('[.!?…:"“”«»„‘\\[(—–\n]|--')
# "M. Poirot" is a title everywhere but after another initial.
TITLES = _set(
    """mr mrs ms miss messrs dr doctor prof professor st saint sir lady lord madame madam mme mlle
    mademoiselle monsieur m mm master mistress capt captain col colonel gen general lt lieut
    lieutenant major maj sergeant corporal admiral king queen prince princess duke duchess count
    countess baron baroness earl marquis marquise viscount emperor empress bishop archbishop
    archdeacon dean abbé abbe father brother sister mother uncle aunt cousin rev reverend hon
    president senator governor judge inspector squire don donna signor signora señor señora herr
    frau fräulein hr frl graf gräfin fürst könig kaiser kapitän doktor комте граф графиня князь
    княгиня княжна господин госпожа барон генерал капитан comte comtesse duc duchesse roi reine
    capitaine docteur colonel père mère frère sœur oncle tante"""
)
_PARTICLES = _set("de du des la le of von van der den zu zum di da della del y bin ibn al el af")
_NEVER = _set(
    """i i'm i'll i'd i've o oh ah eh ha well yes no god heaven heavens lord christian chapter book volume
    part section act scene canto letter appendix preface contents note notes illustration footnote
    page january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday christmas easter english englishman
    englishmen french frenchman german germans italian spanish russian russians american americans
    british dutch irish scotch scottish greek greeks latin roman romans jew jews turk turks turkish
    chinese indian indians european papa mamma mama mother father madam ma'am sire gentlemen ladies
    majesty highness excellency honour lordship ladyship january mai janvier février mars avril juin
    juillet août septembre octobre novembre décembre lundi mardi mercredi jeudi vendredi samedi
    dimanche dieu chapitre januar februar märz juni juli oktober dezember montag dienstag mittwoch
    donnerstag freitag samstag sonntag gott kapitel capitel herr herren gutenberg project sie ihr
    ihnen ihre ihrer ihrem ihren es er бог господь боже глава вы ваш ты я monsieur madame messieurs
    mesdames"""
)
_ARTICLES_DE = _set(
    """der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner mein meine
    meinen meinem meiner meines sein seine seinen seinem seiner seines ihr ihre ihren ihrem ihrer
    ihres unser unsere unseren unserem unserer dieser diese dieses diesen diesem jeder jede jedes
    jeden jedem jener jene jenes welcher welche alle allen aller alles viele vielen viel mehr einige
    einigen zwei drei vier im am vom zum zur beim ins ans aufs ohne mit von zu nach aus in an auf
    bei für durch über unter vor um gegen wenig solche solcher solchen"""
)
_ELIDED = re.compile(r"(?:[ldjnmtsc]|qu|jusqu|lorsqu|puisqu)['’]", re.IGNORECASE)
# Case endings, and the vowel that comes and goes in a stem (Павел, Павла).
_FLEETING_RU = re.compile(r"[ео](?=[лнркц]$)")
_ENDING_RU = re.compile(r"(?:ого|ому|ыми|ами|ями|ой|ою|ом|ем|ей|ею|ым|ых|ах|ях|ам|ям|[аеиоуыюяйь])$")


def name_counter(language: str) -> NameCounter | ChineseNames:
    """What counts the names of a text in ``language``, a BCP 47 code."""
    return ChineseNames() if base_language(language) == "zh" else NameCounter(language)


@dataclass
class _Seen:
    """Of one form: times inside a sentence, times opening one, and the chapter it was first met in."""

    inside: int = 0
    opening: int = 0
    chapter: int | None = None


class NameCounter:
    """Counts names over a stream of sentences; memory is bounded by ``capacity`` forms.

    Parameters
    ----------
    language
        BCP 47 code. ``zh`` and ``ja`` count nothing.
    capacity
        How many forms, and how many words, are remembered; the rarest are forgotten at twice that.
    """

    def __init__(self, language: str, capacity: int = 20_000) -> None:
        self.language = base_language(language)
        self.capacity = capacity
        self._forms: dict[tuple[str, ...], _Seen] = {}
        self._lower: Counter[str] = Counter()
        self._capital: Counter[str] = Counter()
        self._article: Counter[str] = Counter()
        self._points: Counter[str] = Counter()  # "Mr." less "Mr", by the word in small letters

    def add(self, sentence: str, chapter: int | None = None) -> None:
        """Count the names of one sentence that stands in ``chapter``."""
        if self.language in {"zh", "ja"}:
            return
        runs, lower = self._runs(sentence)
        self._lower.update(lower)
        for words, opening in runs:
            seen = self._forms.get(words)
            if seen is None:
                seen = self._forms[words] = _Seen(chapter=chapter)
            if opening:
                seen.opening += 1
            else:
                seen.inside += 1
        if len(self._forms) > 2 * self.capacity:
            # min() of what survives may rise, so that the book's late names still get in.
            kept = sorted(
                self._forms.items(),
                key=lambda item: -(item[1].inside + item[1].opening),
            )
            self._forms = dict(kept[: self.capacity])
        for counter in (self._lower, self._capital, self._article):
            if len(counter) > 2 * self.capacity:
                kept_words = counter.most_common(self.capacity)
                counter.clear()
                counter.update(dict(kept_words))

    def top(self, n: int) -> list[tuple[str, int, int | None]]:
        """The ``n`` names met most often: (name, times, index of the chapter it first appears in)."""
        found = _fold(self._believed(), self.language)
        ranked = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
        return [(self._spell(words), times, chapter) for words, (times, chapter) in ranked if times >= 2][:n]

    def _runs(self, sentence: str) -> tuple[list[tuple[tuple[str, ...], bool]], list[str]]:
        """The capitalised runs of a sentence, each with whether it opens one, and its lower-case words."""
        runs: list[tuple[tuple[str, ...], bool]] = []
        lower: list[str] = []
        run: list[str] = []
        particles: list[str] = []
        opening = False
        at, before = 0, ""
        for match in _WORD.finditer(sentence):
            word, low, previous = match[0], at, before
            at, before = match.end(), word
            if word[0].islower() and not run and "'" not in word and "’" not in word:
                lower.append(word)
                continue
            gap = sentence[low : match.start()]
            fresh = not previous or _breaks(gap, previous)
            bare = self._bare(word)
            small = bare.lower()
            capital = bare[:1].isupper() and not (len(bare) > 1 and bare.isupper())
            joined = bool(run) and not fresh and gap.strip() in {"", "."}
            if capital and (not _never(small) or (joined and small in TITLES)):
                if joined:
                    if previous.lower() in _DOTTED:
                        self._points[previous.lower()] += 1 if gap.strip() else -1
                    run += [*particles, bare]
                else:
                    self._close(run, opening, runs)
                    run, opening = [bare], fresh
                particles = []
                if not fresh:
                    self._capital[bare] += 1
                    if previous.lower() in _ARTICLES_DE or gap.strip()[-1:].isdigit():
                        self._article[bare] += 1
                if bare != word and word.startswith(bare):  # "Eleanor's Bertie" are two
                    self._close(run, opening, runs)
                    run = []
            elif joined and not gap.strip() and bare in _PARTICLES and len(particles) < 2:
                particles.append(bare)
            else:
                self._close(run, opening, runs)
                run, particles = [], []
            if bare[:1].islower():
                lower.append(bare)
        self._close(run, opening, runs)
        return runs, lower

    def _bare(self, word: str) -> str:
        if word.endswith(("'s", "’s")):
            word = word[:-2]
        if self.language in {"fr", "it"}:
            word = _ELIDED.sub("", word, count=1)
        return word

    def _spell(self, words: tuple[str, ...]) -> str:
        """A name as it is printed: with a full stop after an initial, and after a title unless the book has
        none there more often than not."""
        return " ".join(
            word + "."
            if (word.lower() in _DOTTED and self._points[word.lower()] >= 0)
            or (len(word) == 1 and word.isupper())
            else word
            for word in words
        )

    @staticmethod
    def _close(run: list[str], opening: bool, runs: list[tuple[tuple[str, ...], bool]]) -> None:
        if run:
            runs.append((tuple(run[:6]), opening))

    def _believed(self) -> dict[tuple[str, ...], tuple[int, int | None]]:
        """Forms that are names by all that was read, with what opened sentences given its due."""
        believed: dict[tuple[str, ...], tuple[int, int | None]] = {}
        for words, seen in self._forms.items():
            for part, times in (
                (words, seen.inside),
                (self._without_opening(words), seen.opening),
            ):
                part = self._without_ends(part)
                if times and part and self._is_name(part):
                    had, chapter = believed.get(part, (0, seen.chapter))
                    believed[part] = (had + times, _earlier(chapter, seen.chapter))
        return believed

    def _without_opening(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """``words`` of a run that opens a sentence, less a first word that is there only by its place."""
        first = words[0]
        if first.lower() in TITLES and len(words) > 1:
            return words
        return words[1:] if self._capital[first] <= max(1, self._lower[first.lower()]) else words

    @staticmethod
    def _without_ends(words: tuple[str, ...]) -> tuple[str, ...]:
        while words and (_never(words[-1]) or words[-1] in _PARTICLES):
            words = words[:-1]
        while words and words[0] in _PARTICLES:
            words = words[1:]
        return words

    def _is_name(self, words: tuple[str, ...]) -> bool:
        if all(word.lower() in TITLES or len(word) == 1 for word in words):
            return False
        own = [word for word in words if word.lower() not in TITLES and word not in _PARTICLES]
        if len(own) < len(words) and words[0].lower() in TITLES:
            return True
        if self.language == "de":
            # A noun follows an article or a preposition about every second time, a name seldom.
            own = [w for w in own if self._capital[w] >= 3 and self._article[w] <= 0.15 * self._capital[w]]
        return any(self._capital[word] > 2 * self._lower[word.lower()] for word in own)


def _never(word: str) -> bool:
    """Whether a capital on ``word`` means nothing, however its apostrophe is written."""
    return word.lower().replace("’", "'") in _NEVER


def _breaks(gap: str, before: str) -> bool:
    """Whether what stands between ``before`` and the next word starts something new."""
    if gap == ". " or gap == ".\n" or gap == ".":
        return not (before.lower() in TITLES or (len(before) == 1 and before.isupper()))
    return "\n\n" in gap or bool(_FRESH.search(gap.replace("\n", " ")))


def _earlier(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return a if b is None else b
    return min(a, b)


_Found = dict[tuple[str, ...], tuple[int, "int | None"]]


def _fold(found: _Found, language: str) -> _Found:
    """One entry a person: inflected forms, and surnames with and without a title, brought together."""
    if language == "ru":
        found = _uninflected(found)
    longer: dict[str, list[tuple[str, ...]]] = {}
    for words in found:
        if len(words) > 1:
            for word in {words[0], words[-1]}:
                longer.setdefault(word, []).append(words)
    folded = dict(found)
    for words in sorted(found, key=lambda words: (-found[words][0], words)):
        if len(words) > 1 or words not in folded:
            continue
        others = [other for other in longer.get(words[0], ()) if other in folded]
        times = sum(folded[other][0] for other in others)
        if folded[words][0] >= times:
            into, taken = words, others
        else:
            # "Slope" is Mr. Slope where nobody else is called so half as often.
            into, taken = (
                max(others, key=lambda other: (folded[other][0], other)),
                [words],
            )
            if folded[into][0] < 0.6 * times:
                continue
        for other in taken:
            mine, its = folded[into], folded.pop(other)
            folded[into] = (mine[0] + its[0], _earlier(mine[1], its[1]))
    return folded


def _uninflected(found: _Found) -> _Found:
    """Russian case forms under the form met most often."""
    best: dict[tuple[str, ...], tuple[str, ...]] = {}
    merged: _Found = {}
    for words, (times, chapter) in sorted(found.items(), key=lambda item: (-item[1][0], item[0])):
        stem = tuple(
            _FLEETING_RU.sub("", _ENDING_RU.sub("", word)) if len(word) > 3 else word for word in words
        )
        form = best.setdefault(stem, words)
        had, first = merged.get(form, (0, chapter))
        merged[form] = (had + times, _earlier(first, chapter))
    return merged


_DOTTED = _set("mr mrs ms dr st capt col gen lt prof rev hon m mm lieut messrs sgt hr frl")
