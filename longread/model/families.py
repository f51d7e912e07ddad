"""The families of models that are tried from end to end, and how a text is read with each.

Knows model types as config.json calls them. Knows no weights: of a model that is to be read with its keys
kept, listed here or not, the probe has the last word (``probe.py``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family. ``kind`` is its model type, ``tried`` what of its forward the tests exercise.

    ``chunks`` says why a text is read in chunks with it; it is empty where keys are kept.
    ``refused`` says why it is not read with at all.
    """

    name: str
    kind: str
    tried: str
    chunks: str = ""
    refused: str = ""


_OWN = "its attention is computed by a function of its own"
_LEARNED = "it has learned a vector for each position, and has none past its window"
_STATE = "it carries a recurrent state, which longread does not take from block to block yet"
_SOME = "some of its layers carry a recurrent state, which longread does not take from block to block yet"
_TWO = "it is an encoder-decoder model"

FAMILIES = (
    Family("Llama, TinyLlama, MiniCPM5", "llama", "tied head, biases; YaRN, Llama 3 scaling"),
    Family("Mistral", "mistral", "sliding window in every layer"),
    Family("Qwen2, Qwen2.5", "qwen2", "sliding window in some layers, biases on queries, keys and values"),
    Family("Qwen3", "qwen3", "norms on queries and keys, a head size of its own"),
    Family("Gemma", "gemma", "tied head, scaled embeddings"),
    Family("Gemma 2", "gemma2", "soft caps on scores and logits, sliding window in every second layer"),
    Family("Gemma 3", "gemma3_text", "a frequency table for each kind of layer, norms on queries and keys"),
    Family("Phi-1, Phi-2", "phi", "partial rotation, biases, a head with a bias"),
    Family("Phi-3, Phi-4", "phi3", "queries, keys and values from one matrix, sliding window"),
    Family("SmolLM3", "smollm3", "layers without rotation"),
    Family("Granite", "granite", "scaled embeddings, residuals, scores and logits"),
    Family("OLMo 2", "olmo2", "norms after attention, norms on queries and keys"),
    Family("GLM-4 9B", "glm", "partial rotation of neighbouring pairs"),
    Family("GLM-4 0414", "glm4", "partial rotation of neighbouring pairs, norms around attention"),
    Family("Cohere Command R", "cohere", "rotation of neighbouring pairs, scaled logits"),
    Family("Cohere Command R7B", "cohere2", "as Command R; only layers with a sliding window rotate"),
    Family("GPT-NeoX, Pythia", "gpt_neox", "partial rotation, attention beside the MLP"),
    Family("StableLM", "stablelm", "partial rotation, norms on queries and keys"),
    Family("StarCoder2", "starcoder2", "sliding window, biases"),
    Family("GPT-OSS", "gpt_oss", "a learned logit in every softmax, YaRN; experts have no adapter"),
    Family("Falcon", "falcon", "rotation; ALiBi", _OWN),
    Family("MPT", "mpt", "ALiBi", _OWN),
    Family("GPT-2", "gpt2", "learned positions, matrices stored the other way round", _LEARNED),
    Family("Mamba 2", "mamba2", "state-space layers throughout", _STATE),
    Family("RWKV 4", "rwkv", "recurrent layers throughout", _STATE),
    Family("RecurrentGemma", "recurrent_gemma", "recurrent layers between sliding ones", _SOME),
    Family("Falcon-H1", "falcon_h1", "attention and state-space side by side in each layer", _SOME),
    Family("Qwen3.5", "qwen3_5_text", "linear attention in three layers of four", _SOME),
    Family("T5, BART and their kin", "t5", "", refused=_TWO),
)  # fmt: skip
_BY_KIND = {family.kind: family for family in FAMILIES}


def why_in_chunks(kind: object) -> str:
    """Why a text is read in chunks with a model of type ``kind``, whatever a config.json holds there; ""
    where nothing says that it must be."""
    if not isinstance(kind, str):
        return ""
    family = _BY_KIND.get(kind) or _BY_KIND.get(f"{kind}_text")
    return family.chunks if family else ""
