"""The catalogue against itself: what it states must follow from the shapes it states."""

from __future__ import annotations

import pytest

from longread.model import fit, room
from longread.model.catalog import catalogue, listed
from longread.model.choice import recommended
from longread.model.machine import Machine
from longread.tasks.models import listing

GPU = {"rate": 50e12, "cores": 8, "gpu": "a card"}
LAPTOP = Machine(int(16e9), 8, 400e9)


@pytest.mark.parametrize("name", catalogue())
def test_parameters_follow_from_the_shape(name):
    entry = catalogue()[name]
    assert fit.parameter_count(entry.shape) == pytest.approx(entry.parameters, rel=2e-3)
    assert entry.licence == "Apache-2.0" and entry.checked and entry.window >= 512
    assert bool(entry.folder) != bool(entry.repo)


def test_a_repository_s_name_is_the_entry_s():
    assert listed("qwen/qwen3-4b-instruct-2507") == catalogue()["qwen3-4b"]
    assert listed("no/such") is None


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (LAPTOP, "minicpm5-1b"),
        (Machine(int(8e9), 4, 200e9), "minicpm5-1b"),
        (Machine(12 << 30, **GPU), "granite-4.1-3b"),
        (Machine(24 << 30, **GPU), "qwen3-4b"),
        (Machine(int(4.5e9), 2, 100e9), "qwen3-0.6b"),  # its layers run twice
        (Machine(int(1e9), 2, 100e9), "pocket"),
    ],
)
def test_each_kind_of_machine_has_one_recommendation(machine, name):
    assert recommended(machine) == name
    assert name == "pocket" or room.fit(catalogue()[name].shape, machine).fits


def test_each_kind_of_machine_is_named_once():
    named = [entry.best for entry in catalogue().values() if entry.best]
    assert sorted(named) == ["cpu", "gpu-12", "gpu-24"]


def test_a_window_shrinks_until_the_model_fits(home):
    rows = {row.name: row for row in listing("pocket", Machine(int(6.5e9), 4, 200e9)).rows}
    assert rows["pocket"].fits and rows["pocket"].reads_with == 1024
    assert rows["minicpm5-1b"].fits and rows["minicpm5-1b"].reads_with < 4096
    assert rows["qwen3-4b"].fits is False  # 16 GB of float32 weights
    assert all(row.memory <= 5e9 for row in rows.values() if row.fits)


def test_a_card_that_was_never_measured_has_no_hours(home):
    rows = listing("pocket", Machine(24 << 30, 8, 0.0, gpu="a card")).rows
    assert all(row.hours_read is None and row.fits for row in rows)
