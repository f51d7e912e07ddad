"""Generation against naive loops, and how it ends."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import DynamicCache

from longread.engine.decode import Ended, LoopGuard, generate, generate_ids
from longread.engine.drawing import Sampling
from longread.errors import ModelError, UsageError
from longread.events import Text
from longread.memory.policy import make_policy
from longread.model.backbone import Backbone
from longread.model.find import find_model
from longread.model.tokens import load_encoder
from longread.tasks.abstract.guards import fault
from tests.tiny import tiny_model

SINKS = 4
PENALTY = 3.0
VARIED = Sampling(repetition_penalty=PENALTY)


@pytest.fixture(scope="module")
def tiny():
    return tiny_model("llama", dtype=torch.float64, tie_word_embeddings=False, num_hidden_layers=3)


@pytest.fixture(scope="module")
def pocket():
    from transformers import LlamaForCausalLM

    folder = find_model("pocket").folder
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), load_encoder(folder)


def _prompt(n: int) -> list[int]:
    return torch.randint(3, 97, (n,), generator=torch.Generator().manual_seed(3)).tolist()


def _run(model, prompt, *, window=60, sinks=SINKS, policy="sink", **options) -> tuple[list[int], str]:
    backbone = Backbone(model)
    kept = make_policy(policy, backbone, window=window, sinks=sinks)
    ids: list[int] = []
    with backbone.attached():
        source = generate_ids(kept, backbone, prompt, **options)
        while True:
            try:
                ids.append(next(source))
            except StopIteration as end:
                assert kept.seen == len(prompt) + len(ids)  # what was given out is kept, and nothing else
                return ids, end.value


def _likeliest(logits: torch.Tensor, written: list[int], penalty: float) -> int:
    """Greedy with the repetition penalty as its paper has it (CTRL, arXiv 1909.05858)."""
    logits = logits.clone()
    for token in set(written):
        logits[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
    return int(logits.argmax())


def _stock_greedy(model, prompt: list[int], count: int, penalty: float = 1.0) -> list[int]:
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            ids.append(_likeliest(logits, ids[len(prompt) :], penalty))
    return ids[len(prompt) :]


def _streaming_greedy(model, prompt: list[int], count: int, *, window: int, sinks: int, penalty: float):
    """StreamingLLM, one token at a time: keys as the projections give them are kept and rotated anew at their
    places in the cache for every token; before each token the oldest but the sinks makes room."""
    layers = model.model.layers
    raw: list[tuple[list, list]] = [([], []) for _ in layers]
    hooks = [
        projection.register_forward_hook(
            lambda module, args, out, into=into, dim=layer.self_attn.head_dim: into.append(
                out[0, 0].view(-1, dim)
            )
        )
        for layer, pair in zip(layers, raw, strict=True)
        for projection, into in zip((layer.self_attn.k_proj, layer.self_attn.v_proj), pair, strict=True)
    ]
    ids, at = list(prompt), 0
    try:
        with torch.no_grad():
            while True:
                if len(raw[0][0]) == window:
                    for pair in raw:
                        for kept in pair:
                            del kept[sinks]
                place = len(raw[0][0])
                cache = DynamicCache()
                for index, (keys, values) in enumerate(raw if place else []):
                    k, v = torch.stack(keys, 1)[None], torch.stack(values, 1)[None]
                    cos, sin = model.model.rotary_emb(k, torch.arange(place)[None])
                    half = k.shape[-1] // 2
                    turned = torch.cat((-k[..., half:], k[..., :half]), -1)
                    cache.update(k * cos[:, None] + turned * sin[:, None], v, index)
                logits = model(
                    input_ids=torch.tensor([[ids[at]]]),
                    position_ids=torch.tensor([[place]]),
                    past_key_values=cache,
                ).logits[0, -1]
                at += 1
                if at == len(ids):
                    ids.append(_likeliest(logits, ids[len(prompt) :], penalty))
                if len(ids) == len(prompt) + count:
                    return ids[len(prompt) :]
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("policy", ["sink", "recompute"])
def test_greedy_inside_the_window_is_the_stock_forward(tiny, policy):
    prompt = _prompt(20)
    ours, reason = _run(tiny, prompt, policy=policy, max_tokens=40, sampling=VARIED)
    assert ours == _stock_greedy(tiny, prompt, 40, PENALTY)
    assert reason == "length"
    assert len(set(ours)) > 10  # a model that says one word for ever would hide any mistake


def test_greedy_of_the_bundled_model_is_the_stock_forward(pocket):
    model, encoder = pocket
    prompt = [0, *encoder.encode("The old man opened the door of the house, and the rain came in. He said,")]
    ours, _ = _run(model, prompt, window=512, sinks=1, max_tokens=30)
    assert ours == _stock_greedy(model, prompt, 30)


@pytest.mark.parametrize("length", [5, 40])
def test_greedy_past_the_window_is_streaming_llm_token_by_token(tiny, length):
    prompt = _prompt(length)
    ours, _ = _run(tiny, prompt, window=16, max_tokens=40, sampling=VARIED)
    assert ours == _streaming_greedy(tiny, prompt, 40, window=16, sinks=SINKS, penalty=PENALTY)
    assert ours != _stock_greedy(tiny, prompt, 40, PENALTY)  # the window does show


@pytest.mark.parametrize("length", [16, 70])
def test_without_a_cache_a_long_prompt_leaves_sinks_and_the_last_tokens(tiny, length):
    prompt = _prompt(length)
    ours, _ = _run(tiny, prompt, policy="recompute", window=16, max_tokens=1)
    past = prompt[:SINKS], prompt[SINKS:]
    with torch.no_grad():
        # The last block of a prompt is half a window: what it sees before itself fills the rest.
        whole = [*past[0], *past[1][-(16 - SINKS) :]]
        wanted = int(tiny(input_ids=torch.tensor([whole]), use_cache=False).logits[0, -1].argmax())
    assert ours == [wanted]


def test_a_policy_that_has_read_goes_on_from_there(tiny):
    prompt = _prompt(30)
    backbone = Backbone(tiny)
    policy = make_policy("sink", backbone, window=60, sinks=SINKS)
    with backbone.attached():
        with torch.no_grad():
            for part in (prompt[:SINKS], prompt[SINKS:17]):
                policy.forward(torch.tensor(part))
                policy.commit()
        ours = list(generate_ids(policy, backbone, prompt[17:], max_tokens=10))
    assert ours == _stock_greedy(tiny, prompt, 10)


SAMPLED = Sampling(temperature=1.0, top_k=50, top_p=0.95, min_p=0.01, repetition_penalty=1.1)


def test_a_seed_fixes_the_text(tiny):
    prompt = _prompt(12)
    one, two, other = (
        _run(tiny, prompt, max_tokens=30, sampling=SAMPLED, seed=seed)[0] for seed in (7, 7, 8)
    )
    assert one == two
    assert one != other


def test_tokens_are_drawn_as_often_as_they_are_likely():
    from longread.engine.sampling import Sampler

    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.9), seed=1)
    drawn = torch.bincount(torch.tensor([sampler.pick(logits, []) for _ in range(2000)]), minlength=4) / 2000
    assert drawn[3] == 0  # beyond the first 0.9
    assert torch.allclose(drawn[:3], torch.tensor([0.5, 0.3, 0.15]) / 0.95, atol=0.04)


@pytest.mark.parametrize(
    ("wish", "possible"),
    [({"top_k": 2}, {0, 1}), ({"min_p": 0.5}, {0, 1}), ({"temperature": 0.05}, {0}), ({}, {0, 1, 2, 3})],
)
def test_each_option_leaves_only_what_it_should(wish, possible):
    from longread.engine.sampling import Sampler

    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    sampler = Sampler(Sampling(**{"temperature": 1.0, **wish}), seed=1)
    assert {sampler.pick(logits, []) for _ in range(300)} == possible


def test_any_seed_will_do():
    from longread.engine.sampling import Sampler

    logits = torch.zeros(50)
    drawn = [[Sampler(Sampling(), seed=s).pick(logits, []) for _ in range(3)] for s in (2**63 - 1, 2**80, -5)]
    assert all(len({*one}) == 1 for one in drawn)


def test_the_penalty_counts_what_was_written_and_not_the_prompt():
    from longread.engine.sampling import Sampler

    sampler = Sampler(Sampling(repetition_penalty=2.0))
    logits = torch.tensor([3.0, 2.0, 1.0])
    assert sampler.pick(logits, []) == 0
    assert sampler.pick(logits, [0]) == 1


def test_no_gradient_is_kept_and_the_mode_of_the_caller_stays(tiny):
    backbone = Backbone(tiny)
    policy = make_policy("sink", backbone, window=60, sinks=SINKS)
    with backbone.attached(), torch.enable_grad():
        for _ in generate_ids(policy, backbone, _prompt(10), max_tokens=3):
            assert torch.is_grad_enabled()
    assert not any(tensor.requires_grad for tensor in policy.state().values())


def test_a_stop_id_ends_it_and_is_not_given_out(tiny):
    prompt = _prompt(20)
    whole, _ = _run(tiny, prompt, max_tokens=20)
    stop = whole[9]
    ours, reason = _run(tiny, prompt, max_tokens=20, stop_ids={stop})
    assert (ours, reason) == (whole[: whole.index(stop)], "stop")


def test_no_tokens_asked_for_are_none(tiny):
    assert _run(tiny, _prompt(9), max_tokens=0) == ([], "length")


@pytest.mark.parametrize("prompt", [[], [5, 6, 7]])
def test_a_prompt_too_short_is_refused(tiny, prompt):
    with pytest.raises(ValueError, match="prompt"):
        _run(tiny, prompt, max_tokens=3)


def test_scores_that_are_no_numbers_are_an_error():
    from longread.engine.sampling import Sampler

    with pytest.raises(ModelError):
        Sampler(Sampling()).pick(torch.tensor([1.0, float("nan")]), [])


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_p": 0}, {"top_k": -1}, {"min_p": 2}, {"repetition_penalty": 0}]
)
def test_a_value_out_of_range_is_a_usage_error(wrong):
    with pytest.raises(UsageError):
        Sampling(**wrong)


def _loops_at(ids: list[int]) -> int | None:
    guard = LoopGuard()
    return next((place for place, token in enumerate(ids) if guard.push(token)), None)


@pytest.mark.parametrize("period", [1, 2, 7, 30, 120])
def test_going_in_circles_is_seen(period):
    start = list(range(1000, 1100))
    at = _loops_at(start + list(range(period)) * (600 // period + 1))
    assert at is not None
    assert len(start) + period < at <= len(start) + period + 90


def test_circles_with_a_word_changed_are_seen():
    lines = [[1, 2, 3, 4, 500 + i, 5, 6, 7, 8, 9, 10, 11] for i in range(30)]
    assert _loops_at([token for line in lines for token in line]) is not None


def test_prose_verse_and_lists_are_no_circles(pocket):
    encoder = pocket[1]
    samples = find_model("pocket").folder.parent / "samples" / "the_mud_book.txt"
    assert _loops_at(encoder.encode(samples.read_text(encoding="utf-8"))) is None
    verse = "\n".join(f"{line}\nAnd the rain came down on the hill, on the hill,\nAnd the rain came down.\n"
                      for line in ("When I was young and had no coat to wear of my own,",
                                   "When I was wed and lived beside the quarry road with Tom,",
                                   "When I was old and all my sons had gone away to sea,"))  # fmt: skip
    assert _loops_at(encoder.encode(verse)) is None
    draw = random.Random(4)
    words = [draw.randrange(300) for _ in range(2000)]
    assert _loops_at(words) is None


class _Letters:
    """A speller that needs two ids for a character."""

    held = ""

    def push(self, token: int) -> str:
        self.held += str(token)
        if len(self.held) < 2:
            return ""
        done, self.held = self.held, ""
        return f"<{done}>"

    def finish(self) -> str:
        return f"[{self.held}]" if self.held else ""


def test_text_comes_as_soon_as_it_is_complete_and_the_end_says_why():
    events = list(generate(iter([1, 2, 3]), _Letters()))
    assert events == [Text("<12>"), Text("[3]"), Ended("stop", (1, 2, 3))]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "<12>[3]"


def test_the_ids_of_a_thought_are_told_from_those_of_the_answer():
    class Words:
        def push(self, token: int) -> str:
            return ["<think>", " hm", "</think>", "\n\n", "He", " left."][token]

        def finish(self) -> str:
            return ""

    *said, ended = generate(iter(range(6)), Words())
    assert "".join(event.text for event in said) == "He left." and ended == Ended("stop", (*range(6),), 3)
    assert fault("He left.", ended, {0, 2}, "") == ""
    assert fault("He left.", ended, {4}, "") == "held template marks"
    assert [*generate(iter([4, 5]), Words())][-1].thought == 0


def test_a_loop_ends_generation_and_closes_the_source():
    closed = []

    def forever():
        try:
            while True:
                yield 5
        finally:
            closed.append(True)

    *_, last = generate(forever(), _Letters(), LoopGuard())
    assert last.reason == "loop"
    assert closed == [True]


def test_the_last_event_carries_why_the_ids_ended():
    def ids():
        yield 1
        return "length"

    *_, last = generate(ids(), _Letters())
    assert last == Ended("length", (1,))


def test_half_a_character_is_not_given_out(pocket):
    encoder = pocket[1]
    ids = encoder.encode("她说：🜍 naïve")
    pieces = [event.text for event in generate(iter(ids), encoder.streamer()) if isinstance(event, Text)]
    assert "".join(pieces) == "她说：🜍 naïve"
    assert not any("\ufffd" in piece for piece in pieces)
