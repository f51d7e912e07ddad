"""Special strings, decoding, and damaged folders, for a tokenizer of every family."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from longread.errors import ModelError
from longread.model.tokens import load_encoder

patient = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_special_strings_in_a_book_are_plain_text(family):
    encoder, shipped = family.encoder, family.shipped
    special = encoder.special_ids()
    assert {shipped.token_to_id(name) for name in [*family.special, family.tool]} <= special
    for name in [*family.special, family.tool, "<unk>", "[UNK]"]:
        for text in (name, f"x{name}y", f" {name} ", f"\n{name}\n", name * 3):
            assert special.isdisjoint(encoder.encode(text)), (name, text)
            assert encoder.encode(text) == family.ids(text) or family.lossy
            if not family.lossy:  # Metaspace takes a text's own first space for its dummy one
                assert encoder.decode(encoder.encode(text)).lstrip(" ") == text.lstrip(" ")
    assert special.isdisjoint(encoder.encode("".join(family.corpus)))
    assert encoder.vocab_size == shipped.get_vocab_size(with_added_tokens=True)


def test_the_unigram_vocabulary_does_spell_special_tokens_when_left_alone(families):
    """The trap that renaming the entries is for: without it, the string becomes the token."""
    family = families["unigram"]
    bare = Tokenizer.from_str(json.dumps(family.bare))
    assert bare.token_to_id("</s>") in bare.encode("</s>").ids


def test_a_pad_token_that_is_a_character_stays_text(family):
    bang = family.shipped.token_to_id("!")
    assert bang is None or bang not in family.encoder.special_ids()


def test_a_special_token_that_is_one_character_stays_text(families, tmp_path):
    """Some models pad with "!"; taking it out of the vocabulary would take it out of every book."""
    family = families["gpt2"]
    layout = json.loads((family.folder / "tokenizer.json").read_text(encoding="utf-8"))
    bang = layout["model"]["vocab"]["!"]
    layout["added_tokens"].append({**layout["added_tokens"][0], "content": "!", "id": bang})
    (tmp_path / "tokenizer.json").write_text(json.dumps(layout), encoding="utf-8")
    encoder = load_encoder(tmp_path)
    assert encoder.encode("Birds!") == family.ids("Birds!")
    assert encoder.decode(encoder.encode("Birds!")) == "Birds!"
    assert bang not in encoder.special_ids()


def test_decode_is_what_the_shipped_tokenizer_decodes(family):
    encoder = family.encoder
    for line in family.corpus:
        ids = encoder.encode(line)
        marked = [family.shipped.token_to_id("<s>"), *ids, family.shipped.token_to_id("</s>")]
        if family.name != "wordlevel":
            assert encoder.decode(marked) == family.shipped.decode(marked, skip_special_tokens=True)
        if not family.lossy:
            assert encoder.decode(ids).lstrip(" ") == line.lstrip(" ")
        if not (family.lossy or family.prefixed):
            assert encoder.decode(ids) == line
    assert family.tool in encoder.decode([family.shipped.token_to_id(family.tool)])
    assert encoder.decode([]) == encoder.decode([10**9, -1]) == ""


@given(text=st.text(max_size=20) | st.text("a \n'é灯か\u3099👍🏽𠮷\ufffd\0", max_size=30))
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no tokenizer.json"),
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[1, 2]", "no JSON object"),
        (b"{}", "not a usable tokenizer"),
        (
            b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}',
            "not a usable",
        ),
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
