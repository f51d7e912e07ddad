"""A dry run: what it says follows from text and config, and it promises nothing that the job refuses."""

from __future__ import annotations

import json

import pytest

from longread.config import Memory, Options
from longread.errors import LongreadError, ModelError, UnsupportedError, UsageError
from longread.events import Planned
from longread.jobs import JOBS
from longread.model.fit import Sizes, default_sizes, lengths


def planned(task: str, path, memory=Memory(), model="pocket", device="auto", **own) -> Planned:  # noqa: B008
    options = Options(model=str(model), memory=memory, device=device, save=False)
    return next(e for e in JOBS[task].plan(str(path), options, own) if isinstance(e, Planned))


@pytest.mark.parametrize(
    ("task", "wishes", "error", "said"),
    [
        ("translate", {}, UsageError, "needs the language to translate into"),
        ("translate", {"tgt": "de"}, UnsupportedError, "knows English and Chinese"),
        ("translate", {"tgt": "zh"}, UnsupportedError, "not trusted to translate"),
        ("translate", {"tgt": "zh", "anyway": True, "glossary": "no such.tsv"}, LongreadError, "no such"),
        ("summarize", {"style": "abstract"}, UnsupportedError, "not trusted to write"),
        ("summarize", {"lang": "zh"}, UnsupportedError, "stays in the book's language"),
        ("ask", {"question": ["Who is it?"], "lang": "zh"}, UnsupportedError, "stays in the book's language"),
        ("ask", {"question": ["x" * 3000]}, UsageError, "3,000 characters"),
        ("score", {"arms": ("recompute",), "memory": Memory(block=1024)}, LongreadError, "without a cache"),
        ("continue", {"top_p": 1.5}, UsageError, "--top-p: 1.5 is not allowed"),
        ("continue", {"min_p": 2.0}, UsageError, "--min-p: 2.0 is not allowed"),
        ("continue", {"repetition_penalty": 0.0}, UsageError, "--repetition-penalty: 0.0 is not allowed"),
        ("read", {"memory": Memory(sinks=1023)}, LongreadError, "leave no room"),
        ("read", {"memory": Memory(window=2048)}, LongreadError, "more than the 1024"),
        ("read", {"device": "cuda:97"}, LongreadError, "no device cuda:97"),
    ],
)
def test_it_refuses_what_the_job_would_refuse(task, wishes, error, said):
    with pytest.raises(error, match=said) as before:
        planned(task, "sample:en", **wishes)
    memory, device = wishes.pop("memory", Memory()), wishes.pop("device", "auto")
    options = Options(memory=memory, device=device, save=False)
    with pytest.raises(error) as later:
        list(JOBS[task].start("sample:en", options, wishes))
    assert str(before.value) == str(later.value)


def test_what_reads_nothing_refuses_no_size_and_no_device():
    plan = planned("ask", "sample:en", Memory(window=4096), device="cuda:97", question=["Who is Obed Lunn?"])
    assert plan.blocks == 0


def test_passages_alone_need_no_model():
    wish = {"model": "owner/not-on-this-machine", "question": ["Who is Obed Lunn?"]}
    plan = planned("ask", "sample:en", answer=False, **wish)
    assert plan.blocks == 0 and plan.tokens > 1000
    with pytest.raises(ModelError):
        planned("ask", "sample:en", **wish)
    with pytest.raises(ModelError):
        planned("read", "sample:en", model="owner/not-on-this-machine")


def test_sizes_are_those_of_the_job():
    plan = planned("read", "sample:en")
    assert (plan.block, plan.window, plan.sinks) == (256, 1024, 1)
    plan = planned("read", "sample:en", Memory(window=512, block=100, sinks=7))
    assert (plan.block, plan.window, plan.sinks) == (100, 512, 7)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"max_position_embeddings": 4096}, (4096, False)),
        ({"n_positions": 1024, "rope_scaling": None}, (1024, False)),
        ({}, (None, False)),
        ({"text_config": {"max_position_embeddings": 512}}, (512, False)),
        ({"max_position_embeddings": 9000, "rope_scaling": {"type": "yarn", "factor": 4.0}}, (9000, False)),
        (
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "longrope", "short_factor": [1.0]},
            },
            (4096, True),
        ),
        (
            {
                "max_position_embeddings": 8192,
                "rope_parameters": {
                    "all": {"rope_type": "dynamic", "original_max_position_embeddings": 2048}
                },
            },
            (2048, True),
        ),
        ({"max_position_embeddings": 2048, "rope_parameters": {"rope_type": "dynamic"}}, (2048, True)),
    ],
)
def test_the_trained_length_is_read_off_a_config_old_or_new(config, found):
    assert lengths(json.loads(json.dumps(config))) == found
    length, dependent = found
    window = min(4096, (length or 2048) * 3 // 4 if dependent else length or 2048)
    assert default_sizes(config) == Sizes(window // 4, window)
