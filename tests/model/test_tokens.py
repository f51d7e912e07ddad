"""Encoder against the tokenizer it was made from, which encodes every text in one piece."""

from __future__ import annotations

import copy
import json
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

from longread.errors import ModelError
from longread.model import tiktokens
from longread.model.cuts import Cutter
from longread.model.plaintext import load_plain
from longread.model.tokens import Encoder, load_encoder

POCKET = Path(__file__).parents[2] / "longread" / "pocket"
BOOKS = Path(__file__).parents[3] / "shared" / "data" / "books"

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
]
SPECIAL = ["<s>", "</s>", "<|end|>", "<|user|>", "[PAD]"]
TOOL = "<tool_call>"  # added, not special, not in the vocabulary

WORDS = r"(?i:'[sdmt]|'ll|'ve|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
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
        vocab_size=900, show_progress=False, initial_alphabet=alphabet, special_tokens=SPECIAL, max_token_length=20
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def split(pattern: str, behavior: str = "isolated", **options):
    return pre_tokenizers.Split(Regex(pattern), behavior, **options)


def then_bytes(*parts):
    return pre_tokenizers.Sequence([*parts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


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
        normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), decoder, metaspace("never")
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
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]", *SPECIAL])
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def wordlevel() -> Tokenizer:
    words = {word for line in CORPUS for word in line.split()}
    vocab = {word: n for n, word in enumerate(["[UNK]", *SPECIAL, *sorted(words - {"<s>"})])}
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
        pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
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
    "albert": lambda: unigram(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace("always")])),
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

    def __init__(self, name: str, tokenizer: Tokenizer, folder: Path) -> None:
        self.name = name
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


def cut_small(encoder: Encoder, size: int, reach: int) -> Encoder:
    """The same encoder with pieces so small that a short text is cut many times."""
    small = copy.copy(encoder)
    small.cutter = copy.copy(encoder.cutter)
    small.chunk, small.cutter.reach = size, reach
    return small


def streamed(encoder: Encoder, pieces) -> tuple[list[int], np.ndarray]:
    parts = list(encoder.stream(pieces))
    starts = np.concatenate([starts for _, starts in parts]) if parts else np.zeros(0, dtype=np.int64)
    for ids, places in parts:
        assert ids.dtype == places.dtype == np.int64
        assert ids.shape == places.shape
    return [token for ids, _ in parts for token in ids.tolist()], starts


def in_pieces(text: str, seed: int, most: int) -> list[str]:
    chance, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        step = chance.randint(0, most)
        pieces.append(text[at : at + step])
        at += step
    return [*pieces, ""]


def check_stream(family: Family, text: str, *, size: int, reach: int, seed: int = 0) -> None:
    encoder = cut_small(family.encoder, size, reach)
    ids, starts = streamed(encoder, in_pieces(text, seed, 2 * size))
    oracle = family.whole.encode(text, add_special_tokens=False)
    assert ids == oracle.ids
    assert (np.diff(starts) >= 0).all()
    if len(starts):
        assert starts[0] >= 0
        assert starts[-1] < len(text)
    if encoder.cutter.first.normalizer is None or text.isascii():
        assert starts.tolist() == [start for start, _ in oracle.offsets]


fragments = st.one_of(
    st.sampled_from([line for line in CORPUS for line in line.splitlines(keepends=True)]),
    st.sampled_from([line[i : i + 7] for line in CORPUS for i in range(0, len(line), 7)]),
    st.sampled_from(
        ["don", "'t", "'", "’s", " ", "  ", "\n", "\r", "\r\n", "\t", "\u3000", "\xa0", "\x85", "\x1c", "\u200b", "\ufeff"]
    ),
    st.sampled_from(["e\u0301", "\u0301", "é", "가", "\u1100\u1161\u11a8", "か\u3099", "ｶﾞ", "Å", "½", "ﬁ", "\ufffd", "\0", "\x1b[0m"]),
    st.sampled_from(["👩‍👩‍👧", "👍🏽", "🇩🇪", "❤️", "𠮷", "12345", "7", "١٢", "Ⅻ", "!!!", "—", "…", "_", "<s>", TOOL, "the keeper"]),
    st.builds(lambda c, n: c * n, st.sampled_from([" ", "\n", "\t", "\r\n", " \n", "9", "a", "A", "灯", "塔看", "-", "."]), st.integers(1, 60)),
    st.text(max_size=6),
)
texts = st.lists(fragments, max_size=40).map("".join)
patient = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@given(text=texts, size=st.integers(24, 90), reach=st.integers(6, 12), seed=st.integers(0, 99))
@patient
def test_encoding_piece_by_piece_gives_the_tokens_of_the_whole(families, text, size, reach, seed):
    for family in families.values():
        check_stream(family, text, size=size, reach=reach, seed=seed)


def test_every_family_is_really_cut(family):
    text = " ".join(CORPUS) * 3
    encoder = cut_small(family.encoder, 100, 12)
    pieces = list(encoder.cutter.split([text], 100))
    assert "".join(pieces) == text
    if family.name in ONE_PIECE:
        assert len(pieces) == 1
        assert "one piece" in encoder.note
    else:
        assert len(pieces) > len(text) / 400
        assert family.encoder.cutter.note == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        " ",
        "灯",
        "a b",
        "\n" * 3000 + "x" + " " * 3000,
        "word" + " \t" * 2000 + "word",
        "\r\n" * 2000,
        "end.\r\n\r\nnew " * 400,
        "1234567" * 800,
        " 12 345" * 800,
        "灯塔看守人数了一遍" * 600,
        "灯塔，看守人。" * 600,
        "e\u0301" * 2000,
        "👩‍👩‍👧" * 700,
        "don't they'll I've " * 300,
        "a" * 4000,
        "A" * 2000 + "b" * 2000,
        "x\ufffd\0\x1b[31m\x7f" * 500,
        "<s>" * 900,
    ],
)
def test_adversarial_texts(family, text):
    check_stream(family, text, size=300, reach=24)
    ids, _ = streamed(cut_small(family.encoder, 300, 24), list(text[:1500]))  # one character a piece
    assert ids == family.ids(text[:1500])
    assert family.encoder.encode(text) == family.ids(text)


def test_a_cut_changes_nothing_at_any_size(family):
    text = "".join(CORPUS)
    for size in range(20, 220, 7):
        check_stream(family, text, size=size, reach=8, seed=size)


def test_a_cutter_that_cuts_anywhere_is_caught(families, monkeypatch):
    monkeypatch.setattr(Cutter, "_holds", lambda *_: True)
    monkeypatch.setattr(Cutter, "_starter", lambda *_: True)
    wrong = 0
    for family in families.values():
        ids, _ = streamed(cut_small(family.encoder, 50, 8), ["".join(CORPUS)])
        wrong += ids != family.ids("".join(CORPUS))
    assert wrong >= 5


def test_tiktoken_where_it_can_be_the_same(family):
    assert (family.encoder.kind == "tiktoken") == (family.name in FAST)
    assert bool(family.encoder.note) == (family.encoder.kind == "tokenizers")
    assert load_encoder(family.folder, prefer="tokenizers").kind == "tokenizers"


def test_tiktoken_is_dropped_where_its_tokens_differ(families, tmp_path):
    layout = json.loads((families["gpt2"].folder / "tokenizer.json").read_text(encoding="utf-8"))
    merges = layout["model"]["merges"]
    merges[:40] = reversed(merges[:40])  # no training gives such an order
    (tmp_path / "tokenizer.json").write_text(json.dumps(layout), encoding="utf-8")
    encoder = load_encoder(tmp_path)
    whole = Tokenizer.from_str(json.dumps({**layout, "added_tokens": [], "post_processor": None, "truncation": None}))
    for line in CORPUS:
        assert encoder.encode(line) == whole.encode(line).ids


def test_special_strings_in_a_book_are_plain_text(family):
    encoder, shipped = family.encoder, family.shipped
    special = encoder.special_ids()
    assert {shipped.token_to_id(name) for name in [*SPECIAL, TOOL]} <= special
    for name in [*SPECIAL, TOOL, "<unk>", "[UNK]"]:
        for text in (name, f"x{name}y", f" {name} ", f"\n{name}\n", name * 3):
            assert special.isdisjoint(encoder.encode(text)), (name, text)
            assert encoder.encode(text) == family.ids(text) or family.name in LOSSY
            if family.name not in LOSSY:  # Metaspace takes a text's own first space for its dummy one
                assert encoder.decode(encoder.encode(text)).lstrip(" ") == text.lstrip(" ")
    assert special.isdisjoint(encoder.encode("".join(CORPUS)))
    assert encoder.vocab_size == shipped.get_vocab_size(with_added_tokens=True)


def test_the_unigram_vocabulary_does_spell_special_tokens_when_left_alone(families):
    """The trap that renaming the entries is for: without it, the string becomes the token."""
    family = families["unigram"]
    bare = Tokenizer.from_str(json.dumps(family.bare))
    assert bare.token_to_id("</s>") in bare.encode("</s>").ids


def test_a_pad_token_that_is_a_character_stays_text(family):
    bang = family.shipped.token_to_id("!")
    assert bang is None or bang not in family.encoder.special_ids()


def test_decode_is_what_the_shipped_tokenizer_decodes(family):
    encoder = family.encoder
    for line in CORPUS:
        ids = encoder.encode(line)
        marked = [family.shipped.token_to_id("<s>"), *ids, family.shipped.token_to_id("</s>")]
        if family.name != "wordlevel":
            assert encoder.decode(marked) == family.shipped.decode(marked, skip_special_tokens=True)
        if family.name not in LOSSY:
            assert encoder.decode(ids).lstrip(" ") == line.lstrip(" ")
        if family.name not in LOSSY | PREFIXED:
            assert encoder.decode(ids) == line
    assert TOOL in encoder.decode([family.shipped.token_to_id(TOOL)])
    assert encoder.decode([]) == encoder.decode([10**9, -1]) == ""


@given(text=st.lists(fragments, max_size=8).map("".join))
@patient
def test_streamed_decoding_gives_complete_characters(families, text):
    for family in families.values():
        ids = family.ids(text)
        streamer = family.encoder.streamer()
        shown = [streamer.push(token) for token in ids]
        tail = streamer.finish()
        assert "".join(shown) + tail == family.encoder.decode(ids)
        if "\ufffd" not in text:
            assert tail == ""
            assert "\ufffd" not in "".join(shown)


def test_a_broken_character_decodes_to_a_replacement(families):
    encoder = families["gpt2"].encoder
    ids = encoder.encode("\U0010abcd")
    assert len(ids) > 1
    assert encoder.decode(ids[:-1]).endswith("\ufffd")
    assert encoder.decode([*ids[:-1], *encoder.encode("ok")]) == "\ufffdok"


def test_a_million_spaces(families):
    """tiktoken's matcher overflows on them."""
    text = "a" + " " * 1_000_000 + "b"
    encoder = families["gpt2"].encoder
    assert encoder.encode(text) == families["gpt2"].ids(text)


def test_memory_does_not_grow_with_the_text(families):
    encoder = families["gpt2"].encoder
    line = " ".join(CORPUS)

    def peak(count: int) -> int:
        tracemalloc.start()
        sizes = [len(ids) for ids, _ in encoder.stream(line for _ in range(count))]
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(sizes) >= count * len(line) // 65536
        return used

    peak(10)
    assert peak(1200) < 1.2 * peak(200)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no tokenizer.json"),
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[1, 2]", "no JSON object"),
        (b"{}", "not a usable tokenizer"),
        (b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}', "not a usable"),
        (b'{"version": "1.0", "model": {"type": "Markov", "vocab": {}}}', "not a usable"),
        (b'{"version": "9.9", "model": null}', "not a usable"),
    ],
)
def test_a_damaged_folder_is_one_clear_error(tmp_path, content, said):
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        load_encoder(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_only_known_preferences(families):
    with pytest.raises(ValueError, match="sometimes"):
        load_encoder(families["gpt2"].folder, prefer="sometimes")


# The bundled model


@pytest.fixture(scope="session")
def pocket() -> tuple[Encoder, Tokenizer]:
    if not (POCKET / "tokenizer.json").is_file():
        pytest.skip("the bundled model is not in the package yet")
    layout = json.loads((POCKET / "tokenizer.json").read_text(encoding="utf-8"))
    return load_encoder(POCKET), Tokenizer.from_str(json.dumps({**layout, "added_tokens": []}))


def test_pocket_goes_through_tiktoken(pocket):
    encoder, _ = pocket
    assert (encoder.kind, encoder.note, encoder.vocab_size) == ("tiktoken", "", 10240)
    assert encoder.special_ids() == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("where", ["en", "zh", "other"])
def test_pocket_on_books(pocket, where):
    books = sorted((BOOKS / where).glob("*.txt"))
    if not books:
        pytest.skip("no books beside the repository")
    encoder, whole = pocket
    for book in books[:2]:
        text = book.read_text(encoding="utf-8")[:300_000]
        oracle = whole.encode(text)
        ids, starts = streamed(encoder, in_pieces(text, 7, 9000))
        assert ids == oracle.ids
        assert starts.tolist() == [start for start, _ in oracle.offsets]


def test_tiktoken_and_stock_agree_on_every_kind_of_character(pocket):
    """Both libraries carry their own Unicode tables; a sample of the code points, in three contexts."""
    encoder, whole = pocket
    letters = [chr(c) for c in range(0x20, 0x30000, 29) if not 0xD800 <= c < 0xE000]
    text = "".join(f"a{c} {c}1{c}{c}\n" for c in letters)
    assert encoder.kind == "tiktoken"
    assert encoder.encode(text) == whole.encode(text).ids


def test_ranks_are_not_built_for_other_kinds(families):
    for name in FAMILIES.keys() - FAST:
        ranks, reason = tiktokens.build(load_plain(families[name].folder))
        assert ranks is None
        assert reason
