"""A tokenizer of every family, trained in a second, as its model would ship it; and its encoder."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from longread.model.tokens import load_encoder

CORPUS = [
    "The keeper counted the lamps again, and the lamps were nine; she'd counted 1,204 steps up to them.",
    "\"Don't,\" he said. \"It's the wind. They're only birds, I've seen them, we'll see them, you'd see.\"",
    "    for i in range(10):\n        total += i * 37  # and the rest\n\n\n\treturn total\r\n",
    "灯塔看守人数了一遍灯，又数了一遍。海风很大，鸟儿都飞走了。灯塔看守人说：一共九盏。",
    "灯台守はもう一度あかりを数えた。かぜがつよい。ガラスがふるえる。",
    "Смотритель пересчитал фонари ещё раз, и фонарей было девять; ветер был сильный.",
    "Der Wärter zählte die Lampen noch einmal; über dem Meer wehte ein kühler Wind. Où êtes-vous, là-bas?",
    "등대지기는 등불을 다시 세었다. 바람이 세다.",
    "< | > _ / = + [ ] { } ! ? s end tool user pad unk the a 😀 👩‍👩‍👧 ½ ²",
    "'t't't't't't't't't't't't't 's't's't's't's't's't's't",  # makes "'t't" a token where it is one segment
]
SPECIAL = ["<s>", "</s>", "<|end|>", "<|user|>", "[PAD]"]
TOOL = "<tool_call>"  # added, not special, not in the vocabulary

WORDS = (
    r"(?i:'[sdmt]|'ll|'ve|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(pre_tokenizer, normalizer=None, **options) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        show_progress=False,
        initial_alphabet=alphabet,
        special_tokens=SPECIAL,
        max_token_length=20,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def split(pattern: str, behavior: str = "isolated", **options):
    return pre_tokenizers.Split(Regex(pattern), behavior, **options)


def then_bytes(*parts):
    return pre_tokenizers.Sequence(
        [*parts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def piecewise(normalizer, pre_tokenizer, decoder, train_with) -> Tokenizer:
    """A BPE over characters with byte fallback, trained as SentencePiece would."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    if train_with is not None:
        tokenizer.pre_tokenizer = train_with
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=["<unk>", *SPECIAL])
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    layout = json.loads(tokenizer.to_str())
    vocab = layout["model"]["vocab"]
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    tokenizer = Tokenizer.from_str(json.dumps(layout))
    tokenizer.decoder = decoder
    if normalizer is None:
        tokenizer = without(tokenizer, "normalizer")
    else:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is None:
        return without(tokenizer, "pre_tokenizer")
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def without(tokenizer: Tokenizer, part: str) -> Tokenizer:
    return Tokenizer.from_str(json.dumps({**json.loads(tokenizer.to_str()), part: None}))


def metaspace(scheme: str, **options):
    return pre_tokenizers.Metaspace(prepend_scheme=scheme, **options)


def llama2(train_with=None) -> Tokenizer:
    return piecewise(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        None,
        decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        ),
        train_with,
    )


def by_metaspace(scheme: str, **options) -> Tokenizer:
    decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme), decoders.Fuse()]
    )
    return piecewise(None, metaspace(scheme, **options), decoder, metaspace("never"))


def gemma() -> Tokenizer:
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return piecewise(
        normalizers.Replace(" ", "▁"),
        pre_tokenizers.Split(" ", "merged_with_previous"),
        decoder,
        metaspace("never"),
    )


def unigram(pre_tokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = metaspace("always")
    trainer = trainers.UnigramTrainer(
        vocab_size=500, show_progress=False, special_tokens=["<unk>", *SPECIAL], unk_token="<unk>"
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.Metaspace()
    return tokenizer


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(
        vocab_size=500, show_progress=False, special_tokens=["[UNK]", *SPECIAL]
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def wordlevel() -> Tokenizer:
    words = {word for line in CORPUS for word in line.split()}
    vocab = {word: n for n, word in enumerate(["[UNK]", *SPECIAL, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["[UNK]", *SPECIAL])
    return tokenizer


DEEPSEEK = (
    split(r"[\r\n]"),
    split(r"\s?[A-Za-zÀ-ɏͰ-ӿ]+"),
    split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
    split(r"\s+$"),
    split(r"[一-龥ぁ-ヿ가-힣]+"),
    pre_tokenizers.Digits(individual_digits=True),
)
FAMILIES = {
    "gpt2": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "roberta": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "qwen2": lambda: byte_level(then_bytes(split(WORDS)), normalizers.NFC()),
    "removed": lambda: byte_level(then_bytes(split(WORDS, "removed", invert=True))),
    "llama3": lambda: byte_level(then_bytes(split(WORDS)), ignore_merges=True),
    "cased": lambda: byte_level(then_bytes(split(CASED)), normalizers.NFC()),
    "starcoder": lambda: byte_level(
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    ),
    "deepseek": lambda: byte_level(then_bytes(*DEEPSEEK)),
    "thousands": lambda: byte_level(then_bytes(split(r"\d{1,3}(?=(?:\d{3})*(?!\d))"), split(WORDS))),
    "unsplit": lambda: byte_level(then_bytes()),
    "llama2": lambda: llama2(metaspace("never")),
    "phrases": lambda: llama2(),
    "gemma": gemma,
    "metaspace-first": lambda: by_metaspace("first", split=False),
    "metaspace-always": lambda: by_metaspace("always"),
    "metaspace-never": lambda: by_metaspace("never"),
    "unigram": lambda: unigram(metaspace("always")),
    "albert": lambda: unigram(
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace("always")])
    ),
    "unigram-whole": lambda: unigram(metaspace("first", split=False)),
    "wordpiece": wordpiece,
    "wordlevel": wordlevel,
}
FAST = {"gpt2", "qwen2", "removed", "llama3", "cased"}
# What they leave out of a text (unknown characters, case, the kind of space) cannot come back.
LOSSY = {"unigram", "albert", "unigram-whole", "wordpiece", "wordlevel"}
# A dummy space is put before their texts, or a text's own first space is taken for it.
PREFIXED = {"roberta", "metaspace-first", "metaspace-always"}
ONE_PIECE = {"unigram-whole"}


class Family:
    """A tokenizer as its model would ship it, and the encoder made from its folder."""

    corpus, special, tool = CORPUS, SPECIAL, TOOL

    def __init__(self, name: str, tokenizer: Tokenizer, folder: Path) -> None:
        self.name = name
        self.fast, self.lossy = name in FAST, name in LOSSY
        self.prefixed, self.one_piece = name in PREFIXED, name in ONE_PIECE
        tokenizer.add_tokens([TOOL, AddedToken("the keeper", normalized=True)])
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[(s, tokenizer.token_to_id(s)) for s in ("<s>", "</s>")]
        )
        tokenizer.enable_truncation(5)
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))
        config = {"bos_token": {"content": "<s>"}, "pad_token": "!", "extra_special_tokens": ["<|user|>"]}
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        self.folder = folder
        # The oracle: the shipped file with its added tokens taken out, never cut. Where the model looks
        # strings up in its vocabulary, special ones get a name from the private use area.
        self.bare = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        self.bare.update(added_tokens=[], post_processor=None, truncation=None)
        layout = copy.deepcopy(self.bare)
        vocab, hidden = layout["model"]["vocab"], {name: f"\ue000{name}" for name in SPECIAL}
        if isinstance(vocab, list):
            layout["model"]["vocab"] = [[hidden.get(name, name), score] for name, score in vocab]
        else:
            layout["model"]["vocab"] = {hidden.get(name, name): number for name, number in vocab.items()}
        self.whole = Tokenizer.from_str(json.dumps(layout))
        self.shipped = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.encoder = load_encoder(folder)

    def ids(self, text: str) -> list[int]:
        return self.whole.encode(text, add_special_tokens=False).ids


@pytest.fixture(scope="session")
def families(tmp_path_factory) -> dict[str, Family]:
    root = tmp_path_factory.mktemp("tokenizers")
    return {name: Family(name, make(), root / name) for name, make in FAMILIES.items()}


@pytest.fixture(params=FAMILIES)
def family(request, families) -> Family:
    return families[request.param]
