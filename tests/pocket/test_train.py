"""The recipe on a model and a corpus that are learned in seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.numpy import load_file

from longread.pocket.train import batches, run
from longread.pocket.train.batches import Rows, Share
from longread.pocket.train.model import Llama
from longread.pocket.train.muon import orthogonal
from longread.pocket.train.state import State
from tests.pocket.small import SIZES, TINY, trained


def test_it_computes_what_transformers_computes():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    ours = Llama(TINY).eval()
    for weight in ours.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    config = {key: value for key, value in TINY.config().items() if key not in ("architectures", "dtype")}
    theirs = LlamaForCausalLM(LlamaConfig(**config)).eval()
    missing, unexpected = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    theirs.tie_weights()
    ids = torch.randint(0, 61, (2, 40))
    with torch.no_grad():
        expected = theirs(ids).logits
        found = ours(ids) @ ours.model.embed_tokens.weight.T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_loss_and_its_gradient_are_those_of_autograd(monkeypatch):
    monkeypatch.setattr("longread.pocket.train.model.CHUNK", 7)  # several chunks, the last one shorter
    torch.manual_seed(2)
    model = Llama(TINY).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    ids, targets, weights = (
        torch.randint(0, 61, (2, 9)),
        torch.randint(0, 61, (2, 9)),
        torch.rand(2, 9).double(),
    )
    z = 0.01
    whole, nll = model.loss(ids, targets, weights, z)
    found = torch.autograd.grad(whole, list(model.parameters()))
    logits = model(ids) @ model.model.embed_tokens.weight.T
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    expected = (each * weights.flatten()).sum()
    full = expected + z * (weights.flatten() * logits.flatten(0, 1).logsumexp(-1) ** 2).sum()
    torch.testing.assert_close(nll.double(), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(whole.double(), full, rtol=1e-5, atol=0)
    for mine, right in zip(found, torch.autograd.grad(full, list(model.parameters())), strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(3, 24, 16), (2, 16, 40), (1, 16, 16)])
def test_a_step_of_muon_has_all_its_singular_values_near_one(size):
    torch.manual_seed(3)
    matrices = torch.randn(size, dtype=torch.float64)
    found = orthogonal(matrices)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5 and values.max() < 1.3
    # The singular vectors are the matrix's own: the product with its transpose is symmetric.
    product = found @ matrices.mT
    torch.testing.assert_close(product, product.mT, rtol=1e-6, atol=1e-6)


def test_the_rate_rises_stays_and_falls():
    assert run.rate(0, 0, None, 0) == 0.01
    assert run.rate(500, 10**9, None, 10) == 1.0
    assert run.rate(500, 79, 100, 20) == 1.0
    assert run.rate(500, 85, 100, 20) == 0.5
    assert run.rate(500, 90, 100, 20) == pytest.approx(1 - 0.5**0.5)
    assert run.rate(500, 100, 100, 20) == 0.0


def test_rows_follow_from_the_seed_and_from_what_was_taken(rows, monkeypatch):
    monkeypatch.setattr(batches, "GROUP", 4)
    first, share = Rows(rows, 3), Share("en", 512, 5)
    taken = [first.take(share) for _ in range(8)]
    assert taken[0].ids.shape == (5, 512) and (taken[0].ids[:, 0] == 0).all()
    assert torch.equal(taken[0].ids[:, 1:], taken[0].targets[:, :-1])
    again = Rows(rows, 3)
    again.taken = {"en": 3 * 5 * 512}
    assert torch.equal(again.take(share).ids, taken[3].ids)
    # A pass brings every row once: 12 rows of 1,024 are 24 of 512, the first 24 of the 40 taken.
    one_pass = torch.cat([batch.targets for batch in taken])[:24].tolist()
    source = load_file(rows / "en.safetensors")["ids"].reshape(24, 512).tolist()
    assert sorted(one_pass) == sorted(source)
    assert not torch.equal(Rows(rows, 4).take(share).ids, taken[0].ids)
    # Another length begins at the next row that is whole.
    assert again.take(Share("en", 1024, 1)).ids.shape == (1, 1024)
    assert again.taken["en"] == 11 * 1024


def test_without_a_sink_a_row_begins_with_its_own_token(rows):
    share = Share("pairs", 64, 3)
    with_sink, without = Rows(rows, 1).take(share), Rows(rows, 1, sink=False).take(share)
    assert torch.equal(without.ids, with_sink.ids[:, 1:])
    assert torch.equal(without.targets, with_sink.targets[:, 1:])
    assert torch.equal(without.weights, with_sink.weights[:, 1:])


def test_rows_of_a_larger_vocabulary_are_refused(rows, tmp_path, caplog):
    (rows / "data.json").write_text('{"vocabulary": 62}')
    with pytest.raises(SystemExit) as ended:
        trained(rows, tmp_path / "run")
    assert ended.value.code == 2 and "hint: give --vocabulary 62" in caplog.text


def test_given_tokens_weigh_less_and_padding_nothing(rows):
    batch = Rows(rows, 0).take(Share("pairs", 256, 12))
    assert set(batch.weights.unique().tolist()) == {0.0, 0.25, 1.0}


def test_it_learns_and_ends(rows, tmp_path, small):
    out = tmp_path / "run"
    trained(rows, out, "--tokens=14400", "--decay=4800", "--held-every=50", "--log-every=50")
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    held = [line["en"] for line in lines if line.get("held")]
    assert held[-1] < 1.0 < held[0] and lines[-3]["rate"] == 0
    assert json.loads((out / "done.json").read_text())["tokens"] >= 9600


def test_the_bits_do_not_depend_on_stops_or_workers(rows, tmp_path, small):
    options = ("--tokens=960", "--decay=320", "--piece=16")
    unbroken = trained(rows, tmp_path / "a", *options, "--workers=1")
    trained(rows, tmp_path / "b", *options, "--hours=0", "--workers=2")
    assert len((tmp_path / "b" / "log.jsonl").read_text().splitlines()) == 1
    resumed = trained(rows, tmp_path / "b", *options, "--workers=3")
    assert unbroken.keys() == resumed.keys()
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


def test_a_decay_begins_at_a_kept_state(rows, tmp_path, small):
    trained(rows, tmp_path / "a", "--tokens=480", "--decay=0", "--keep-every=240")
    kept = sorted(path.name for path in (tmp_path / "a" / "kept").iterdir())
    assert kept == ["0002"]  # saved at the end alone, which is past the second milestone
    branch = trained(
        rows, tmp_path / "b", f"--start={tmp_path / 'a' / 'kept' / '0002'}", "--tokens=960", "--decay=480"
    )
    whole = trained(rows, tmp_path / "a", "--tokens=960", "--decay=480")
    assert all(torch.equal(branch[name], whole[name]) for name in whole)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_at_any_moment_it_goes_on(rows, tmp_path):
    """A real process, killed with SIGKILL while it saves after every step, three times."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "longread.pocket.train.run", f"--data={rows}", f"--out={out}", *SIZES]
    command += ["--device=cpu", "--workers=1", "--save-every=0", "--log-every=1"]
    steps = []
    for _ in range(3):
        before = len(list((out / "saves").glob("[0-9]*"))) and State(out).newest()[0]["step"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while time.monotonic() < limit:
            found = sorted((out / "saves").glob("[0-9]*"))
            if found and int(found[-1].name) > before + 1:
                break
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        record = State(out).newest()[0]
        assert record["step"] > before and record["tokens"] == record["step"] * 8192
        steps.append(record["step"])
    assert steps == sorted(set(steps))
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines} >= set(range(1, steps[-1] + 1))
