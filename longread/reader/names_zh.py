"""The names of persons in a Chinese text, counted as it streams by.

Knows surnames, and that a name keeps together: its characters stand beside each other and seldom apart,
it is followed by ever different words, and now and then by what a person does (说, 笑, 走). Knows no model
and no dictionary of names. Names without a surname in front, and places, are not found.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_HAN = re.compile(r"[\u3400-\u9fff]+")
# The common surnames, simplified and traditional.
_SURNAMES = frozenset(
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖蕭田董"
    "袁潘于蒋蔣蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范廖石金韦韋贾賈夏付方白邹鄒孟熊秦邱江尹薛"
    "闫閻段雷侯龙龍史陶黎贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯温溫康施文牛樊葛邢安齐齊易乔喬伍庞龐颜顏"
    "倪庄莊聂聶章鲁魯岳翟殷詹申欧歐耿关關兰蘭焦俞柳甘祝包宁寧尚符舒阮柯纪紀梅童凌毕畢单單裴霍涂成苗谷曲盛冉骆駱"
    "蔚费費佟巩鞏匡虞荀卓蒲褚娄婁窦竇冷车車花景荣榮"
)
_DOUBLE = frozenset(
    "欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 东方 東方 皇甫 慕容 令狐 公孙 公孫 司徒 夏侯 尉迟 尉遲".split()
)
_TITLES = frozenset(
    "老师 老師 先生 太太 小姐 师傅 師傅 站长 站長 校长 校長 科长 科長 主任 医生 醫生 大人 老爷 老爺".split()
)
# What persons do, in the character after a name.
_ACTS = frozenset("说說曰道问問答笑喊叫骂罵哭想听聽看见見望走跑站坐拿提摸点點摇搖伸抬低转轉蹲接取写寫拆弹彈")
# What stands in no given name; what is none by itself; surnames that begin more words than names (方才).
_GRAMMAR = frozenset("的了着著是在不就也都又这這那哪个個们們他她它我你么麼呢吗嗎吧啊与與")
_NOT_ALONE = frozenset("一二三四五六七八九十而以於之其则則亦乃即遂已未欲能如有无無可为為所何")
_AMBIGUOUS = frozenset("方何向高尚白冷成单單万萬文齐齊安莫孔于车車马馬花")
_LEAST = 3
_DISTINCT = 8  # followers that are remembered of a form


@dataclass
class _Seen:
    """Of one form: times met, times a person acts after it, what followed it, and its first chapter."""

    chapter: int | None
    times: int = 0
    acts: int = 0
    after: set[str] = field(default_factory=set)


class ChineseNames:
    """Counts names over a stream of sentences; ``capacity`` bounds the forms and pairs remembered."""

    def __init__(self, capacity: int = 20_000) -> None:
        self.capacity = capacity
        self._forms: dict[str, _Seen] = {}
        self._pairs: Counter[str] = Counter()  # of characters, and of each by itself

    def add(self, sentence: str, chapter: int | None = None) -> None:
        """Count the names of one sentence that stands in ``chapter``."""
        for run in _HAN.findall(sentence):
            self._pairs.update(map(str.__add__, run, run[1:]))
            self._pairs.update(run)
            for at, character in enumerate(run):
                own = 2 if run[at : at + 2] in _DOUBLE else 1
                inside = at > 0 and run[at - 1 : at + 1] in _DOUBLE  # 公孙策 is no 孙策
                if own == 2 or (character in _SURNAMES and not inside):
                    for length in (own + 1, own + 2):
                        self._meet(run, at, at + length, chapter)
        if len(self._forms) > 2 * self.capacity:
            kept = sorted(self._forms.items(), key=lambda item: -item[1].times)
            self._forms = dict(kept[: self.capacity])
        if len(self._pairs) > 8 * self.capacity:
            self._pairs = Counter(dict(self._pairs.most_common(4 * self.capacity)))

    def _meet(self, run: str, at: int, end: int, chapter: int | None) -> None:
        form = run[at:end]
        if end > len(run) or _GRAMMAR & {*form}:
            return
        seen = self._forms.setdefault(form, _Seen(chapter))
        following = run[end : end + 1]
        seen.times += 1
        seen.acts += following in _ACTS if following else False
        if len(seen.after) < _DISTINCT:
            seen.after.add(following)

    def top(self, n: int) -> list[tuple[str, int, int | None]]:
        """The ``n`` names met most often: (name, times, index of the chapter it first appears in)."""
        names = {form: seen for form, seen in self._forms.items() if self._is_name(form, seen)}
        for form in sorted(names, key=len):
            # 魏小 is what 魏小岩 begins with, or 秦立拆 what 秦立 goes on with.
            if form[:-1] in names:
                del names[form[:-1] if names[form].times > 0.6 * names[form[:-1]].times else form]
            # 兰江 is the end of 景兰江.
            if form in names and form[1:] in names and names[form].times > 0.6 * names[form[1:]].times:
                del names[form[1:]]
        found = [(form, seen.times, seen.chapter) for form, seen in names.items()]
        return sorted(_fold(found), key=lambda item: (-item[1], item[0]))[:n]

    def _is_name(self, form: str, seen: _Seen) -> bool:
        if seen.times < _LEAST or seen.acts < max(1, 0.03 * seen.times):
            return False
        various = len(seen.after) >= min(_DISTINCT, max(2, seen.times // 3))
        given = form[2:] if form[:2] in _DOUBLE else form[1:]
        if given in _TITLES:
            return various
        if len(given) == 1:
            # 秦立 is told from 金子 by what it does, or by a character that is seldom met without it.
            acts = seen.acts >= 0.12 * seen.times or seen.times > 0.4 * self._pairs[given]
            return various and acts and form[0] not in _AMBIGUOUS and given not in _NOT_ALONE | _ACTS
        begun = self._forms.get(form[:-1], seen).times
        return various and seen.times > 0.5 * max(self._pairs[given], begun)


def _fold(found: list[tuple[str, int, int | None]]) -> list[tuple[str, int, int | None]]:
    """柳老师 under 柳敬堂, where nobody else has that surname."""
    folded = {name: (times, chapter) for name, times, chapter in found}
    for name in [name for name in folded if name[-2:] in _TITLES]:
        others = [other for other in folded if other[0] == name[0] and other[-2:] not in _TITLES]
        if len(others) == 1:
            (mine, first), (times, chapter) = folded[others[0]], folded.pop(name)
            folded[others[0]] = (
                mine + times,
                min((c for c in (first, chapter) if c is not None), default=None),
            )
    return [(name, *told) for name, told in folded.items()]
