"""The figures of recall must not fall below what was measured once (docs/log.md)."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.tasks import recall_quality

TALES = Path(__file__).parents[3] / "shared" / "data" / "qa" / "fairytaleqa.tar.xz"
XQUAD = TALES.with_name("xquad.zh.json")


@pytest.fixture(scope="module")
def tales(tmp_path_factory):
    if not TALES.is_file():
        pytest.skip(f"{TALES.name} is not in ../shared/data/qa")
    folder = tmp_path_factory.mktemp("tales")
    with tarfile.open(TALES) as archive:
        archive.extractall(folder, filter="data")
    return folder / "fairytaleqa" / "data-by-train-split"


@pytest.mark.slow
def test_the_novella_s_facts():
    figures = recall_quality.of_facts()
    assert figures["hit@1"] >= 0.27 and figures["hit@3"] >= 0.42 and figures["hit@10"] >= 0.53


def test_the_chinese_story_s_facts():
    figures = recall_quality.of_facts(code="zh")
    assert figures["hit@1"] >= 0.74 and figures["hit@3"] >= 0.96 and figures["answered"] >= 0.70


@pytest.mark.slow
def test_questions_in_chinese_about_other_articles():
    if not XQUAD.is_file():
        pytest.skip(f"{XQUAD.name} is not in ../shared/data/qa")
    figures = recall_quality.of_xquad(XQUAD)
    assert (
        figures["wrong answered"] <= 0.08 and figures["right answered"] >= 0.92 and figures["hit@1"] >= 0.88
    )


@pytest.mark.slow
def test_the_section_of_a_tale(tales):
    figures = recall_quality.of_tales(tales, "test")
    assert figures["hit@1"] >= 0.57 and figures["hit@3"] >= 0.75 and figures["hit@10"] >= 0.90


@pytest.mark.slow
def test_questions_about_other_books(tales):
    figures = recall_quality.wrong(tales)
    assert figures["wrong answered"] <= 0.10 and figures["right answered"] >= 0.35
