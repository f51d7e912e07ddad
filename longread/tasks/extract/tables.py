"""Words that tell, language by language, what a sentence leans on.

Knows lists and patterns; ``traits`` knows what they mean for a quotation. A language without a list is
judged by its punctuation alone.
"""

from __future__ import annotations

import re


def _sets(words: dict[str, str]) -> dict[str, frozenset[str]]:
    return {language: frozenset(listed.split()) for language, listed in words.items()}


# A sentence that opens with one of these is understood only after the one before it, or says I and you.
LEANING = _sets(
    {
        "en": """he she it they him her his hers its their them this that these those such so but and or
            nor yet then however therefore thus moreover nevertheless nonetheless also besides hence
            still i we you one another both neither either here there which who whom whose otherwise
            meanwhile accordingly consequently furthermore again because for else though although what
            why how thereupon whereupon thence likewise anyhow anyway indeed perhaps too no yes well oh
            ah myself himself herself themselves ours mine yours thereby therein wherefore""",
        "fr": """il elle ils elles ce cet cette ces cela ceci ça c' celui celle ceux celles on je j' nous
            vous tu leur leurs lui eux son sa ses mais et ou or donc car ni puis alors ainsi cependant
            toutefois pourtant aussi d'ailleurs ensuite enfin en y qui que dont où non oui eh ah oh là
            voilà voici quant""",
        "de": """er sie es ihm ihn ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner dies diese
            dieser dieses diesem diesen das dessen deren jener jene jenes solche solcher solches ich wir
            du man aber und oder denn doch jedoch also dann da daher darum deshalb dennoch trotzdem auch
            so hier dort dadurch damit darauf dabei dazu davon hierauf hierbei indessen übrigens ja nein
            ach oh wer was welche welcher welches nun weil""",
        "ru": """он она оно они его ее её ему ей им их это этот эта эти этого этой этом этому этим тот та
            то те такой такая такие я мы вы ты но и а или же зато однако потом затем тогда поэтому так
            также тоже впрочем итак там тут здесь вот да нет ну ах ох кто что который которая которые ни
            если ибо наконец""",
        "es": """él ella ello ellos ellas este esta esto estos estas ese esa eso esos esas aquel aquella
            yo nosotros tú usted su sus pero y o ni pues entonces así sin luego después también además
            se le les""",
        "it": """egli ella esso essa essi esse lui lei loro questo questa questi queste quello quella
            quelli quelle io noi voi tu suo sua suoi sue ma e o né poi allora così però dunque quindi
            anche inoltre si gli le lo ciò""",
    }
)
LEANING_CJK = {
    "zh": re.compile(
        "[他她它我你您咱俺吾余予汝其彼此之這这那哪又但却卻而且則则遂乃便就才亦也故因所以何怎还還谁誰正忽]|"
        "於是|于是|可是|不過|不过|然而|然后|然後|如此|當下|当下|只是|只见|只見|如今|自此|从此|從此|同时|同時|"
        "說著|说着|說罷|说罢|聽了|听了|二人|兩人|两人|三人|众人|眾人|方才|原来|原來"
    ),
    "ja": re.compile(
        "彼|それ|これ|あれ|この|その|あの|こう|そう|ああ|ここ|そこ|あそこ|どこ|しかし|しかも|だが|だから|ですから|"
        "けれど|そして|そこで|また|すると|ところが|さて|つまり|なぜ|私|わたし|僕|俺|君|あなた|お前|吾輩|我輩|"
        "もっとも|ただ|なお|すなわち|従って|が、|で、|と|は、|何|誰|ちょっと|はあ|いや|なに"
    ),
}
# Persons; named before in the same sentence, or in another one.
THIRD = _sets(
    {
        "en": "he him his himself she her hers herself they them their",
        "fr": "il elle ils elles lui leur leurs",
        "de": "er ihm ihn sie ihr ihre ihren seine seinen seinem sein",
        "ru": "он она они его ее её ему ей им их ним ней него нее",
    }
)
# What was said before.
POINTING = {
    "en": re.compile(
        r"\b(?:this|these|those|such|latter|former|moreover|however|therefore|thus|same|aforesaid|said|others?|too|"
        r"also|nevertheless|besides|accordingly|consequently|hence|thereby|thereupon|then|another)\b"
    ),
    "fr": re.compile(
        r"\b(?:ce|cet|cette|ces|cela|celui-ci|celle-ci|donc|cependant|même|autres?|aussi|ainsi)\b"
    ),
    "de": re.compile(
        r"\b(?:dies(?:e[rnms]?)?|jene[rnms]?|solche[rnms]?|letztere[rn]?|auch|jedoch|also|daher|andere[rnms]?)\b"
    ),
    "ru": re.compile(
        r"\b(?:эт(?:о|от|а|и|ого|ому|ой|у|их|им)|так(?:ой|ая|ие|же)|тоже|поэтому|однако|впрочем)\b"
    ),
    "zh": re.compile("[此其这這]"),
    "ja": re.compile("[こそあ]の|それ|これ|こう|そう"),
}
# Someone spoken to, or the speaker's own.
ADDRESSING = {
    "en": re.compile(r"\b(?:you|your|yours|thou|thee|thy|ye|me|my|us|our)\b", re.IGNORECASE),
    "fr": re.compile(r"\b(?:vous|votre|vos|tu|te|toi|ton|ta|tes)\b", re.IGNORECASE),
    "de": re.compile(r"\b(?:du|dich|dir|dein\w*|Ihnen|Euch|euch)\b"),
    "ru": re.compile(r"\b(?:ты|тебя|тебе|вы|вас|вам|ваш\w*|твой|твоя)\b", re.IGNORECASE),
    "zh": re.compile("[你您汝我咱]"),
    "ja": re.compile("あなた|お前|貴方|君は|君の"),
}
# What might, must or should be, or always is: opinion, where a story tells what was.
OPINING = {
    "en": re.compile(
        r"\b(?:may|might|must|should|shall|ought|can|cannot|is|are|has|have|will|would|does|do|if)\b|n't\b",
        re.IGNORECASE,
    )
}
# Speech in editions without quotation marks.
SPEECH_ZH = re.compile("[道說说曰云雲問问答叫喊罵骂]：|[道說说曰][，,]")
# An editor's or transcriber's hand, in lower case.
NOTES = (
    *("[illustration", "[footnote", "[transcriber", "[note", "[sidenote", "[pg", "[page", "[greek", "[music"),
    *(
        "[image",
        "project gutenberg",
        "transcriber",
        "proofread",
        "produced by",
        "http://",
        "https://",
        "www.",
    ),
    *("copyright", "©", "all rights reserved", "isbn", "e-text", "etext", "ibid", "op. cit", "see page"),
    *("see p.", "see note", "see chap", "see vol", "see appendix"),
    "下回分解",  # how a chapter of an old Chinese novel takes its leave
)
