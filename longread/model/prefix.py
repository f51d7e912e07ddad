"""What begins every stream: the sink that a model learned, or what its tokenizer puts before a text.

Knows a model folder's tokenizer.json. Loads no model.
"""

from __future__ import annotations

from longread.errors import UsageError
from longread.model.find import Found


def prefix_of(found: Found) -> tuple[list[int], bool]:
    """The ids that begin every stream, and whether they are a sink that the model learned.

    Llama and Gemma begin a text with BOS, GLM with two tokens, Qwen, OLMo and GPT-2 with none, whether or
    not they name a BOS. That habit is the post-processor of tokenizer.json; ``add_bos_token`` in
    tokenizer_config.json counts no more (transformers 5). ``UsageError`` where the catalogue names a sink
    that the tokenizer does not have.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(found.folder / "tokenizer.json"))
    tokenizer.no_padding()  # as it was set for training
    tokenizer.no_truncation()
    if found.entry is not None and found.entry.learned_sink:
        token = tokenizer.token_to_id(found.entry.learned_sink)
        if token is None:  # without it the stream would begin with no sink at all
            raise UsageError(
                f"{found.name}: learned_sink = {found.entry.learned_sink!r} is no token of the model's",
                "write it as it stands in tokenizer.json, or take the key out of models.toml",
            )
        return [token], True
    encoding = tokenizer.encode("a", add_special_tokens=True)
    return encoding.ids[: encoding.special_tokens_mask.index(0)], False
