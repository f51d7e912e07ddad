"""A model's chat template: messages in, token ids out.

Knows jinja templates and how stock tokenizers split text at their special tokens. Knows
no model and no task.

Text decides nothing: the template is rendered with a placeholder for the content of each
message; what the template itself wrote may yield special ids, the contents, put in
afterwards, are encoded as plain text whatever they hold.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longread.errors import ModelError
from longread.model.find import MEND
from longread.model.tokens import Encoder

# Templates that print today's date print this one: the same seed must give the same text tomorrow.
_DATE = (2025, 1, 1)
# A template that always lets the model think leaves the answer's head open.
_OPEN = re.compile(r"<think>\s*\Z")
_HINT = "use another model; summarize can do without a template: --style extract"


@dataclass(frozen=True)
class Message:
    """One turn. ``role`` is "system", "user" or "assistant"; ``content`` is plain text."""

    role: str
    content: str


class Chat:
    """The chat template of the model in ``folder``; ``encoder`` is that model's.

    ``stop_ids`` are the ids that end an answer: those that the model's files name, and
    the one that its template puts after an answer. ``ModelError`` where there is no
    template, or none that works.
    """

    def __init__(self, folder: str | Path, encoder: Encoder) -> None:
        from tokenizers import Tokenizer

        self._folder = Path(folder)
        self._encoder = encoder
        self._tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        self._tokenizer.no_padding()  # as it was set for training
        self._tokenizer.no_truncation()
        self._fixed = set(self._tokenizer.get_added_tokens_decoder())
        config = _read_json(self._folder / "tokenizer_config.json")
        self._names = _special_names(config, _read_json(self._folder / "special_tokens_map.json"))
        self._template = _compile(_template_text(self._folder, config))
        self._opens_each = self._every_section_opens()
        self.stop_ids = frozenset(self._listed_stops() | self._template_stops())

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation and of the head of the answer that comes next.

        A system message that the template refuses or drops is put before the first user
        message. ``ModelError`` where the template takes neither.
        """
        return self.encode(*self.rendered(messages, answer=True))

    def encode(self, own: Sequence[str], contents: Sequence[str], *, first: bool = True) -> list[int]:
        """Ids of what ``rendered`` gave, or of a stretch of it; ``first`` where a text begins with it."""
        return list(self._pieces(own, contents, first))

    def rendered(self, messages: Sequence[Message], *, answer: bool) -> tuple[list[str], list[str]]:
        """The template's own text, in pieces, and the contents that stand between them; with ``answer`` it
        ends in the head of the answer that comes next."""
        try:
            found = self._try(messages, answer)
            why = "" if found else "it drops a message"
        except Exception as error:  # a downloaded template may raise anything
            found, why = None, str(error).strip() or type(error).__name__
        if found is None and any(message.role == "system" for message in messages):
            return self.rendered(merge_system(messages), answer=answer)
        if found is None:
            raise ModelError(f"the chat template in {self._folder} cannot be used: {why}", _HINT)
        return found

    def _try(self, messages: Sequence[Message], answer: bool) -> tuple[list[str], list[str]] | None:
        nonce = secrets.token_hex(12)
        marked = [{"role": m.role, "content": f"{nonce}x{i}x"} for i, m in enumerate(messages)]
        rendered = self._template.render(
            messages=marked,
            add_generation_prompt=answer,
            enable_thinking=False,
            thinking=False,
            date_string=_today("%d %b %Y"),
            **self._names,
        )
        if answer and _OPEN.search(rendered):
            rendered = f"{rendered.rstrip()}\n\n</think>\n\n"  # as families write it that can be told not to
        pieces = re.split(rf"{nonce}x(\d+)x", rendered)
        used = [int(number) for number in pieces[1::2]]
        if set(used) != set(range(len(messages))):
            return None
        return pieces[0::2], [messages[number].content for number in used]

    def _pieces(self, own: Sequence[str], contents: Sequence[str], first: bool) -> Iterator[int]:
        """Ids of template text and contents: text between two special tokens is encoded in one go, as the
        stock tokenizer does, so that a token may lie across the seam."""
        plain = ""
        for number, part in enumerate(own):
            at = 0
            for token, start, end in self._special_in(part):
                yield from self._plain(plain + part[at:start], first)
                yield token
                plain, first, at = "", False, end
            plain += part[at:]
            if number < len(contents):
                plain += contents[number]
        yield from self._plain(plain, first)

    def _special_in(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Special tokens that the template wrote: (id, start, end)."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in self._fixed:
                yield token, start, end

    def _plain(self, text: str, first: bool) -> list[int]:
        if not text:
            return []
        if first or self._opens_each:
            return self._encoder.encode(text)
        return self._encoder.cutter.onward.encode(text, add_special_tokens=False).ids

    def _every_section_opens(self) -> bool:
        """Whether text after a special token is encoded as a text's beginning is (with a dummy space)."""
        for token, added in self._tokenizer.get_added_tokens_decoder().items():
            ids = self._tokenizer.encode(added.content + "a", add_special_tokens=False).ids
            if ids[:1] == [token]:
                return ids[1:] == self._encoder.encode("a")
        return True

    def _listed_stops(self) -> set[int]:
        found: set[int] = set()
        for name in ("generation_config.json", "config.json"):
            value = _read_json(self._folder / name).get("eos_token_id")
            found |= {
                item for item in (value if isinstance(value, list) else [value]) if isinstance(item, int)
            }
        if "eos_token" in self._names:
            found.add(self._tokenizer.token_to_id(self._names["eos_token"]))
        return found - {None}

    def _template_stops(self) -> set[int]:
        """The special token that directly follows an answer."""
        own, _ = self.rendered([Message("user", "a"), Message("assistant", "b")], answer=False)
        after = own[-1]
        for token, start, _ in self._special_in(after):
            return set() if after[:start].strip() else {token}
        return set()


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """The same messages with the system's words at the head of the first user message."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    for place, message in enumerate(rest):
        if message.role == "user":
            rest[place] = replace(message, content=f"{system}\n\n{message.content}")
            return rest
    return [Message("user", system), *rest]


def _template_text(folder: Path, config: dict[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"{file} cannot be read: {error}",
                MEND,
            ) from None
    template = config.get("chat_template")
    if isinstance(template, list):  # several by name
        named = {item.get("name"): item.get("template") for item in template if isinstance(item, dict)}
        template = named.get("default")
    if not isinstance(template, str) or not template.strip():
        raise ModelError(f"the model in {folder} has no chat template", _HINT)
    return template


def _special_names(*configs: dict[str, Any]) -> dict[str, str]:
    """Special tokens as templates call them (``bos_token``), the first config that names one counting."""
    found: dict[str, str] = {}
    for config in configs:
        for key, value in config.items():
            content = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(content, str):
                found.setdefault(key, content)
    return found


def _compile(text: str) -> Any:
    """The template in a sandbox, with what transformers offers to templates."""
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """``{% generation %}`` marks an answer for training; here it only holds its body."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(body, lineno=line)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(value: Any, indent: int | None = None, **_: Any) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = to_json
    environment.globals.update(raise_exception=refuse, strftime_now=_today)
    try:
        return environment.from_string(text)
    except jinja2.TemplateError as error:
        raise ModelError(f"the model's chat template is not valid: {error}", _HINT) from None


def _today(form: str) -> str:
    import datetime

    return datetime.date(*_DATE).strftime(form)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
