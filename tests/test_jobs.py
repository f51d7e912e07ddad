"""The Python interface, with stand-in tasks."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

import longread
from longread.errors import LongreadError, UsageError
from longread.events import Done, Opened


def test_the_public_names_are_sorted_real_and_complete():
    assert longread.__all__ == sorted(longread.__all__)
    assert {*longread.__all__} == {
        "LongreadError",
        "__version__",
        "ask",
        "continue_",
        "read",
        "score",
        "stream",
        "summarize",
        "translate",
    }
    for name in longread.__all__:
        assert getattr(longread, name) is not None
        assert name in dir(longread)
    assert longread.LongreadError is LongreadError
    with pytest.raises(AttributeError, match="dance"):
        longread.dance  # noqa: B018


def test_importing_it_imports_nothing_else(cli_env):
    heavy = ("longread.", "typer", "torch", "rich")
    code = f"import sys, longread; print(*[name for name in sys.modules if name.startswith({heavy!r})])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=cli_env(False), timeout=240
    )
    assert ran.stdout.strip() == ""


def test_functions_return_the_task_s_result(stand_in):
    result = longread.summarize(Path("novel.txt"), length="short", words=None)
    assert isinstance(result, stand_in.Summary) and "short" in result.sections[0].text
    assert [*longread.score("n", arms=["sink+lora"]).arms] == ["sink+lora"]
    assert longread.read("n", learn=False).blocks == 20
    with pytest.raises(AttributeError):
        result.summary = "frozen"


def test_stream_yields_the_events(stand_in):
    events = [*longread.stream("read", "novel.txt", rank=4)]
    assert isinstance(events[0], Opened) and isinstance(events[-1], Done)


def test_options_reach_the_task_typed(monkeypatch):
    seen = []

    def score(path, options, **own):
        seen.append((path, options, own))
        yield Done("score", options.model, {}, None, {})

    module = types.ModuleType("longread.tasks.score")
    module.score, module.ARMS = score, ("sink", "window")
    monkeypatch.setitem(sys.modules, "longread.tasks.score", module)
    monkeypatch.setenv("LONGREAD_SEED", "7")
    longread.score(
        "x", model=Path("a/b"), lr=2e-3, window=64, learn=False, recipe="paper", arms="window", part="1-2"
    )
    ((path, options, own),) = seen
    assert (path, own) == ("x", {"arms": ("window",)})
    assert (Path(options.model), options.part, options.seed) == (Path("a/b"), "1-2", 7)
    assert (options.memory.rate, options.memory.window, options.memory.learn) == (2e-3, 64, False)


def test_questions_reach_the_task_as_they_were_asked(monkeypatch):
    seen = []

    def ask(path, options, *, question=(), **own):
        seen.append(question)
        yield Done("ask", options.model, {}, None, {})

    module = types.ModuleType("longread.tasks.ask")
    module.ask = ask
    monkeypatch.setitem(sys.modules, "longread.tasks.ask", module)
    list(longread.stream("ask", "x", question="Who is A, and B?"))
    longread.ask("x", "Who is A, and B?", "C?", "Who is A, and B?")
    assert seen == [("Who is A, and B?",), ("Who is A, and B?", "C?", "Who is A, and B?")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: longread.summarize("x", lenght="short"),
            r"summarize\(\) has no option 'lenght': did you mean length\?",
        ),
        (lambda: longread.score("x", length="short"), r"score\(\) has no option 'length'"),
        (lambda: longread.read("x", quiet=True), r"read\(\) has no option 'quiet'"),
        (lambda: longread.stream("read", "x", rnak=1), "did you mean rank"),
    ],
)
def test_an_unknown_option_is_a_type_error_with_the_nearest_name(stand_in, call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_wrong_value_or_task_is_told_at_once(stand_in):
    with pytest.raises(UsageError, match="rank=: '0'"):
        longread.stream("read", "x", rank=0)  # before the first event is asked for
    with pytest.raises(UsageError) as error:
        longread.stream("sumarize", "x")
    assert error.value.hint == "did you mean summarize?"
    with pytest.raises(UsageError, match="contradict"):
        longread.summarize("x", words=9, length="long")


def test_errors_and_crashes_reach_the_caller_as_they_are(stand_in):
    with pytest.raises(LongreadError, match="does not exist"):
        longread.read("missing.txt")
    with pytest.raises(ValueError):
        longread.read("crash.txt")
