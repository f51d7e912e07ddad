"""A model is proved before it is used: our attention against the stock forward.

Knows how to compare the two on the model at hand and how to remember the verdict.
Knows no text: the probe reads random ids.

Inside the window our cache must give the logits of one stock forward. Past the edge the
stock forward has no such thing, but it can be asked one question that has the same
answer: our cache copied into a plain ``DynamicCache``, the window's keys turned to the
places S..W-2, and the next token run at W-1.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from longread.model.backbone import Backbone
from longread.model.compat import text_config
from longread.model.families import why_in_chunks
from longread.model.fingerprint import recall, remember
from longread.model.shortage import is_shortage, release

WINDOW, SINKS, BLOCK = 48, 4, 19
TOKENS = 3 * WINDOW
# Largest difference of logits, as a share of their spread, that rounding explains in float32.
TOLERANCE = 2e-4
# Raised with every change of our attention or of this comparison: older verdicts are then asked for anew.
REVISION = 4
# Half precision is judged against a float32 copy, which must fit beside the model.
COPY_UP_TO = 2_000_000_000


@dataclass(frozen=True)
class Verdict:
    """Whether our attention may replace the model's, and in words why not.

    ``inside`` and ``past`` are the largest differences of logits inside the window and
    past its edge, divided by the standard deviation of the logits.
    """

    agrees: bool
    why: str = ""
    inside: float = 0.0
    past: float = 0.0


class MakePolicy(Protocol):
    """How the KV policy to be proved is made; ``longread.memory.policy.make_policy`` is one."""

    def __call__(self, name: str, backbone: Backbone, *, window: int, sinks: int) -> Any: ...


def remembered_verdict(
    model: nn.Module, weights: str, make_policy: MakePolicy, *, anew: bool = False
) -> Verdict:
    """The verdict on these weights in this dtype, from the cache folder or, ``anew``, by probing now.

    Where memory runs out there is no verdict: the error is the caller's, and nothing is remembered.
    """
    device = next(model.parameters()).device.type
    known = None if anew else known_verdict(weights, model.dtype, device)
    if known is not None:
        return known
    verdict = probe(model, make_policy)
    remember("probe.json", _key(weights, model.dtype, device), asdict(verdict))
    return verdict


def known_verdict(weights: str, dtype: torch.dtype, device: str = "cpu") -> Verdict | None:
    """The verdict on these weights in this dtype on this kind of device, if there has been one."""
    known = recall("probe.json").get(_key(weights, dtype, device))
    try:
        return None if known is None else Verdict(**known)
    except TypeError:  # written by another version
        return None


def _key(weights: str, dtype: torch.dtype, device: str) -> str:
    import transformers

    return f"{REVISION}/{weights}/{dtype}/{device}/{transformers.__version__}/{torch.__version__}"


def probe(model: nn.Module, make_policy: MakePolicy) -> Verdict:
    """Compare our attention with the model's own; raises for want of memory only, not for a strange model."""
    known = why_in_chunks(text_config(model.config).model_type)
    if known:
        return Verdict(False, known)
    try:
        with torch.no_grad():
            return _compare(model, make_policy)
    except Exception as error:  # whatever a stranger's forward does with us, the answer is the same
        if is_shortage(error):  # it says nothing of the model
            raise
        return Verdict(False, f"its forward does not take our attention ({type(error).__name__})")


def head_agrees(backbone: Backbone) -> bool:
    """Whether what we take for the model's head gives its own logits.

    Of a model that is read in chunks nothing else was compared: its forward is its own.
    """
    ids = torch.arange(8, device=backbone.device) % _vocabulary(backbone.model)
    try:
        with torch.no_grad():
            stock = backbone.model(input_ids=ids[None], use_cache=False).logits[0].float()
            ours = backbone.logits(backbone.hidden(ids))
    except Exception as error:  # a decoder or a head that is not where others have theirs
        if is_shortage(error):
            raise
        return False
    if ours.shape != stock.shape:
        return False
    if not bool(torch.isfinite(stock).all()):
        return True  # it says nothing of the head, and reading tells that the scores are not numbers
    exact = backbone.dtype in (torch.float32, torch.float64)
    return float((ours - stock).abs().max()) <= (1e-3 if exact else 0.05) * float(stock.std())


def _vocabulary(model: nn.Module) -> int:
    """How many ids the model has an embedding for; its config may say so in a part of it, or not at all."""
    return model.get_input_embeddings().num_embeddings


def _compare(model: nn.Module, make_policy: MakePolicy) -> Verdict:
    backbone = Backbone(model)
    if not backbone.layers:
        return Verdict(False, "its attention layers were not found")
    if (backbone.trained_length or TOKENS) < 2 * BLOCK + SINKS:
        return Verdict(False, "its window is too short to test")
    window = min(WINDOW, (backbone.trained_length or TOKENS) - BLOCK)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ids = torch.randint(0, _vocabulary(model), (TOKENS,)).to(backbone.device)
    stock = model(input_ids=ids[None, :window], use_cache=False).logits[0].float()
    with backbone.attached():
        policy = make_policy("sink", backbone, window=window, sinks=SINKS)
        logits, at = [], 0
        for n in (SINKS, *[BLOCK] * (TOKENS // BLOCK)):
            part = ids[at : at + n]
            if not len(part):
                break
            logits.append(backbone.logits(policy.forward(part)))
            policy.commit()
            at += len(part)
        kept = policy.state()
        query = ids[:1]
        ours_past = backbone.logits(policy.forward(query))[0]
    ours = torch.cat(logits)[:window]
    if len(kept) == 1:
        return Verdict(False, "its forward never called our attention")
    past = _stock_past(model, backbone, kept, query, window)
    spread = float(stock.std())
    inside_error = float((ours - stock).abs().max()) / spread
    past_error = float((ours_past - past).abs().max()) / spread
    allowed = TOLERANCE
    if model.dtype in (torch.float16, torch.bfloat16):
        allowed = _half_precision_allowance(model, ids[:window], stock, spread)
    agrees = inside_error <= allowed and past_error <= allowed
    why = "" if agrees else f"its logits differ by {max(inside_error, past_error):.1e} of their spread"
    return Verdict(agrees, why, inside_error, past_error)


def _stock_past(
    model: nn.Module, backbone: Backbone, kept: dict[str, Tensor], query: Tensor, window: int
) -> Tensor:
    """The stock forward's logits [vocabulary] for one query at W-1 over what the policy kept."""
    from transformers import DynamicCache

    seen, base, _, sinks = kept["place"][:4].tolist()
    cache = DynamicCache()
    for index in sorted(backbone.layers):
        keys, values = kept[f"{index}.keys"], kept[f"{index}.values"]
        rotation = backbone.rotations.of(backbone.layers[index])
        if rotation is not None:
            # The window's keys stand at running positions and move to S, S+1, ... by one turn for all.
            by = sinks - (seen - keys.shape[2] - base)
            cos, sin = (t.to(keys.device, torch.float32) for t in rotation.table(torch.tensor([by])))
            keys = rotation.turn(keys.float(), cos, sin).to(keys.dtype)
        keys = torch.cat((kept[f"{index}.sink_keys"], keys), dim=2)
        cache.update(keys, torch.cat((kept[f"{index}.sink_values"], values), dim=2), index)
    place = torch.full((1, 1), window - 1, device=query.device)
    out = model(input_ids=query[None], position_ids=place, past_key_values=cache, use_cache=True)
    return out.logits[0, -1].float()


def _half_precision_allowance(model: nn.Module, ids: Tensor, stock: Tensor, spread: float) -> float:
    """Twice the stock forward's own error against float32, or a bound from the dtype if no copy fits."""
    waits = any(p.is_meta for p in model.parameters())  # brought for its turn only, and so not copied
    reference = None
    if not waits and sum(p.numel() for p in model.parameters()) <= COPY_UP_TO:
        reference = _exact_logits(model, ids)
    if reference is None:
        return 50 * torch.finfo(model.dtype).eps
    return 2 * float((stock - reference).abs().max()) / spread + TOLERANCE


def _exact_logits(model: nn.Module, ids: Tensor) -> Tensor | None:
    """Logits of a float32 copy; None where there is no memory for one beside the model."""
    try:
        exact = copy.deepcopy(model).float()
        return exact(input_ids=ids[None], use_cache=False).logits[0]
    except Exception as error:
        if not is_shortage(error):
            raise
    exact = None
    release()
    return None
