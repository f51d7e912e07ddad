"""What begins a stream is what the stock tokenizer puts before a text."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tokenizers import Tokenizer, processors

from longread.errors import UsageError
from longread.model.find import Found, find_model
from longread.model.prefix import prefix_of
from tests.tiny import tiny_folder

TOKENS = {"<s>": 1, "</s>": 2, "<|turn|>": 3}
HABITS = {
    "bos": ("<s> $A", [1]),  # llama, gemma, mistral, cohere
    "bos and eos": ("<s> $A </s>", [1]),
    "two tokens": ("<|turn|> <s> $A", [3, 1]),  # glm
    "none": ("$A", []),  # qwen, olmo, gpt-2: a bos is named and not put there
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("kind", ["PreTrainedTokenizerFast", "LlamaTokenizerFast", "Qwen2Tokenizer"])
@pytest.mark.parametrize("flag", [None, False])
def test_it_is_the_stock_tokenizers_habit(tmp_path, habit, kind, flag):
    from transformers import AutoTokenizer

    single, expected = HABITS[habit]
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(token, id) for token, id in TOKENS.items() if token in single]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    file = folder / "tokenizer_config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), "tokenizer_class": kind}
    if flag is not None:
        config["add_bos_token"] = flag
    file.write_text(json.dumps(config), encoding="utf-8")
    assert prefix_of(Found("tiny", folder, {}, None)) == (expected, False)
    stock = AutoTokenizer.from_pretrained(folder)
    whole, plain = stock("a").input_ids, stock("a", add_special_tokens=False).input_ids
    assert whole[: whole.index(plain[0])] == expected


def test_padding_of_the_files_is_none_of_the_prefix(tmp_path):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    before = prefix_of(Found("tiny", folder, {}, None))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(direction="left", length=16)
    tokenizer.enable_truncation(8)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert prefix_of(Found("tiny", folder, {}, None)) == before


def test_a_learned_sink_that_is_no_token_is_said_to_be_none(tmp_path):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    entry = replace(find_model("pocket").entry, learned_sink="<|turn|>")
    assert prefix_of(Found("mine", folder, {}, entry)) == ([3], True)
    with pytest.raises(UsageError, match="learned_sink = '<turn>'") as caught:
        prefix_of(Found("mine", folder, {}, replace(entry, learned_sink="<turn>")))
    assert "models.toml" in caught.value.hint


def test_a_learned_sink_is_all_that_pocket_begins_with():
    assert prefix_of(find_model("pocket")) == ([0], True)
