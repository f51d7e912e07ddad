"""What a run becomes: a folder that tools load, its figures, its card, and the table of sinks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from longread.pocket.train import answers, corpus, evaluate, export, run, sinks, tokenizer
from longread.pocket.train.batches import Share
from longread.pocket.train.state import State
from tests.pocket.small import SIZES, trained


@pytest.fixture
def exported(rows, tmp_path, monkeypatch) -> Path:
    """The folder of a model that was trained a little, with a tokenizer of its size."""
    monkeypatch.setattr(run, "STABLE", (Share("en", 64, 2),))
    monkeypatch.setattr(run, "HELD", (Share("en", 16, 2),))
    words = ["a fox lived in a wood", "话说天下大势", "question"] * 4
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    layout = tokenizer.train(iter(words), 290)
    (folder / "tokenizer.json").write_text(json.dumps(layout), encoding="utf-8")
    larger = [f"--vocabulary={len(layout['model']['vocab'])}"]
    trained(rows, tmp_path / "run", "--tokens=1280", "--decay=0", *larger)
    export.main(
        ["--run", str(tmp_path / "run"), "--tokenizer", str(folder), "--out", str(tmp_path / "model")]
    )
    return tmp_path / "model"


def test_every_tool_loads_what_is_exported(exported):
    from longread.memory.policy import make_policy
    from longread.model.load import load_model

    loaded = load_model(str(exported), make_policy)
    assert loaded.verdict.agrees and loaded.prefix == [0] and loaded.encoder.kind == "tiktoken"
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(exported)
    ids = theirs("a fox").input_ids
    assert ids[0] == 0 and ids[1:] == loaded.encoder.encode("a fox")
    chat = theirs.apply_chat_template([{"role": "user", "content": "a fox"}], return_dict=False)
    assert chat.count(0) == 1
    assert loaded.backbone.trained_length == 64  # the longest rows it has seen, not the sizes' 1,024
    state = State(exported.parent / "run").newest()[1]
    name = "model.layers.0.mlp.up_proj.weight"
    expected = state[f"average.{name}"].bfloat16().float()
    assert torch.equal(loaded.model.get_parameter(name).float(), expected)
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert f"{loaded.parameters:,} parameters" in card and "Not measured yet" in card and "{" not in card


def test_another_tokenizer_is_refused(exported, rows, tmp_path, caplog):
    (rows / "data.json").write_text('{"tokenizer_sha256": "ab"}')
    trained(rows, tmp_path / "other", "--tokens=32", "--decay=0")
    given = ["--run", str(tmp_path / "other"), "--tokenizer", str(tmp_path / "tokenizer"), "--out"]
    with pytest.raises(SystemExit):
        export.main([*given, str(tmp_path / "none")])
    assert "was not made with the tokenizer" in caplog.text and not (tmp_path / "none").exists()


def test_a_model_is_measured_and_its_card_filled_in(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "SMALL", {"window": 12, "block": 4, "sinks": 1})
    source = tmp_path / "source"
    for folder, text in (("en", "A fox lived in a wood.\n" * 60), ("zh", "话说天下大势。\n" * 60)):
        (source / "books" / folder).mkdir(parents=True)
        (source / "books" / folder / "one.txt").write_text(text, encoding="utf-8")
    tale = corpus.Tale("t", "A fox lived.", (("Who?", ("a fox",)),))
    monkeypatch.setattr(corpus, "tales", lambda *_: [tale])
    monkeypatch.setattr(corpus, "pairs", lambda *_: ([], [("Go.", "去吧。")]))
    given = ["--model", str(exported), "--source", str(source), "--held-out", "x", "--characters=300"]
    evaluate.main([*given, "--long"])
    found = json.loads((exported / "evaluation.json").read_text())
    # Independently: bits of the stock forward over the first row, before anything is evicted.
    assert found["bits_per_byte"]["en"] > 1 and 0.5 < found["sink_against_recompute"] < 2
    assert found["questions"]["asked"] == 1 and found["translation"]["pairs"] == 1
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert f"| {found['bits_per_byte']['en']:.3f} |" in card and "Not measured" not in card


def test_answers_are_judged_as_the_field_does():
    assert answers.f1("The fox.", ["a fox", "wolf"]) == 1.0
    assert answers.f1("the red fox", ["a fox"]) == pytest.approx(2 / 3)
    assert answers.f1("bear", ["a fox"]) == 0.0 and answers.f1("", ["fox"]) == 0.0
    assert answers.exact("Fox", ["a fox"]) and not answers.exact("red fox", ["a fox"])
    pytest.importorskip("sacrebleu")
    assert answers.translation(["我明白。"], ["我明白。"], "zh")["bleu"] == 100.0


def test_the_table_of_sinks(rows, tmp_path, small, exported, monkeypatch):
    monkeypatch.setattr(sinks, "WINDOW", 12)
    monkeypatch.setattr(sinks, "BLOCK", 4)
    books = tmp_path / "source" / "books" / "en"
    books.mkdir(parents=True)
    (books / "one.txt").write_text("A fox lived in a wood.\n" * 40, encoding="utf-8")
    out = tmp_path / "sinks"
    given = [
        "--data",
        str(rows),
        "--out",
        str(out),
        "--tokenizer",
        str(tmp_path / "tokenizer"),
        "--device=cpu",
    ]
    given += ["--source", str(tmp_path / "source"), "--characters=300", "--tokens=320", "--decay=0", *SIZES]
    sinks.main([*given, f"--vocabulary={json.loads((exported / 'config.json').read_text())['vocab_size']}"])
    found = json.loads((out / "sinks.json").read_text())
    assert found.keys() == {"learned sink", "no sink"}
    assert all(row.keys() == {"0", "1", "2", "4"} for row in found.values())
    settings = json.loads((out / "plain" / "model" / "tokenizer_config.json").read_text())
    assert "bos_token" not in settings
