"""What a model needs, against a count by hand and, slowly, against what a process really took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from longread.model import fit, room
from longread.model.catalog import catalogue
from longread.model.machine import Machine, memory
from tests.tiny import FAMILIES

POCKET = {**catalogue()["pocket"].shape, "max_position_embeddings": 1024}
SIZES = fit.Sizes(block=256, window=1024, sinks=1)


def test_the_parts_of_pocket_by_hand():
    needs = fit.needs(POCKET, SIZES)
    assert needs.weights == pytest.approx(5_163_120 * 4, rel=1e-3)
    assert needs.cache == 2 * 4 * 1 * 64 * (1024 + 256) * 4
    # The number is what models show counts from the modules; weights, gradients, AdamW and the watch.
    assert needs.adapter == 287_744 * (16 + 12)
    assert needs.total == needs.weights + needs.cache + needs.activations + needs.adapter


def test_what_costs_more_is_planned_as_more():
    base = fit.needs(POCKET, SIZES)
    without = fit.needs(POCKET, SIZES, learn=False)
    assert without.adapter == 0 and without.activations < base.activations
    assert fit.needs(POCKET, fit.Sizes(256, 2048)).activations > base.activations
    assert fit.needs(POCKET, fit.Sizes(512, 1024)).activations > base.activations
    assert fit.needs(POCKET, SIZES, bytes_a_value=2).weights * 2 == base.weights
    assert fit.needs(POCKET, SIZES, stateful=False).cache == 0
    assert fit.needs(POCKET, SIZES, behind=True).activations > base.activations
    for learn in (False, True):
        sizes = {"sizes": fit.Sizes(1024, 4096), "learn": learn}
        float32 = fit.needs(POCKET, **sizes).activations
        half = fit.needs(POCKET, **sizes, bytes_a_value=2).activations
        kernel = fit.needs(POCKET, **sizes, bytes_a_value=2, kernel=True).activations
        assert kernel < half / 2 and half > float32 / 2  # softmax is float32, its product is not


def test_a_mixture_is_as_large_as_its_experts():
    """Qwen3-30B-A3B: 30.5 billion parameters; "intermediate_size" is that of layers it does not have."""
    config = {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
    }
    assert fit.parameter_count(config) == pytest.approx(30.5e9, rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_of_every_family(family):
    from tests.tiny import tiny_config, tiny_model

    named = tiny_model(family).named_parameters()
    counted = sum(p.numel() for name, p in named if p.ndim > 1 and "norm" not in name and "bias" not in name)
    assert fit.parameter_count(tiny_config(family).to_dict()) == counted


NO_NUMBERS = [None, "x", "12", [], [8, "x", 4], {}, {"a": 1}, True, -3, 0.5, 1e308, float("nan"), [[]]]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_a_config_that_holds_anything_at_all_raises_nothing(value):
    for name in [*POCKET, "model_type", "num_local_experts", "tie_word_embeddings", "head_dim"]:
        config = {**POCKET, name: value}
        room.fit(config, Machine(int(8e9), 2, 1e9))
        assert fit.parameter_count(config) >= 0
        assert fit.speed(config, fit.default_sizes(config), 1e9, learn=True) > 0


def test_a_figure_for_each_layer_is_planned_as_the_largest():
    assert fit.figures({**POCKET, "intermediate_size": [512, 768, 768]}).inner == 768


def test_speed_falls_with_size_window_and_learning():
    rate = 100e9
    base = fit.speed(POCKET, SIZES, rate, learn=False)
    assert base / fit.speed(POCKET, SIZES, rate, learn=True) == pytest.approx(fit.LEARNING)
    assert fit.speed(POCKET, fit.Sizes(128, 4096), rate, learn=False) < base
    assert fit.speed(catalogue()["qwen3-4b"].shape, SIZES, rate, learn=False) < base / 100


def test_a_model_that_fits_nowhere_says_so():
    small = Machine(int(2e9), 2, 1e9)
    assert room.fit(POCKET, small) == room.Fit(
        True, False, fit.Sizes(256, 1024), fit.needs(POCKET, SIZES), wanted=fit.needs(POCKET, SIZES).total
    )
    large = {**catalogue()["qwen3-4b"].shape, "max_position_embeddings": 4096}
    assert not room.fit(large, small).fits


def test_this_machine_has_memory():
    assert 2**28 < memory() < 2**50


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells a process's peak")
@pytest.mark.timeout(1200)
def test_the_plan_is_within_15_per_cent_of_the_peak(cli_env):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.model.peak"],
        capture_output=True,
        text=True,
        env=cli_env(False, OMP_NUM_THREADS="1"),
        cwd=Path(__file__).parents[2],
        timeout=1200,
    )
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    print(*rows, sep="\n")
    assert len(rows) >= 5
    for row in rows:
        assert row["planned"] == pytest.approx(row["measured"], rel=0.15), row
