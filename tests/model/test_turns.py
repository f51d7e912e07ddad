"""A template taken apart says the same as the template whole."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest

from longread.errors import ModelError
from longread.model.chat import Chat, Message
from longread.model.tokens import load_encoder
from longread.model.turns import Turns

POCKET = Path(str(resources.files("longread") / "pocket"))
CHATML = (
    "{% for m in messages %}<|user|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "<|{{ m.role }}|>{{ m.content }}{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
LAST_FIRST = "{% for m in messages|reverse %}<|user|>{{ m.content }}{% endfor %}"


@pytest.fixture
def chat_with(tmp_path):
    """A ``Chat`` of pocket's tokenizer under another template."""

    def make(template: str | None) -> Chat:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(POCKET / name, tmp_path / name)
        config = json.loads((tmp_path / "tokenizer_config.json").read_text())
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
        text = (POCKET / "chat_template.jinja").read_text() if template is None else template
        (tmp_path / "chat_template.jinja").write_text(text)
        return Chat(tmp_path, load_encoder(tmp_path))

    return make


@pytest.mark.parametrize("template", [None, CHATML, NO_SYSTEM], ids=["pocket", "chatml", "no system"])
@pytest.mark.parametrize("system", ["", "You talk about a book."])
def test_piece_by_piece_is_the_whole(chat_with, template, system):
    chat = chat_with(template)
    turns = Turns(chat, system)
    said = ["Who is Obed?", "A dredgemaster.", "And <|end|> then?", "He slept.", "  Why?"]
    messages = [Message("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(said)]
    whole = chat.ids([*([Message("system", system)] if system else []), *messages])
    encode = load_encoder(POCKET).encode
    ids = [*turns.head, *turns.turn(said[0], first=True)]
    for answer, text in zip(said[1::2], said[2::2], strict=True):
        ids += [*encode(answer), *turns.turn(text, first=False)]
    assert ids == whole


def test_the_head_is_what_stands_before_the_first_turn(chat_with):
    decode = load_encoder(POCKET).decode
    assert chat_with(None) and Turns(chat_with(None)).head == [0]
    head = Turns(chat_with(CHATML), "You talk about a book.").head
    assert decode(head) == "system\nYou talk about a book.\n" and head[-2] == 1
    assert Turns(chat_with(NO_SYSTEM), "You talk about a book.").head == [0]


def test_a_template_in_another_order_is_refused(chat_with):
    with pytest.raises(ModelError, match="turn by turn"):
        Turns(chat_with(LAST_FIRST))
