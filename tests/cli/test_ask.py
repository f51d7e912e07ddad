"""``longread ask`` from the shell: its streams, its errors, its speed, the real program."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import time
from dataclasses import asdict

import pytest

from longread.cli import main
from longread.cli.app import parse
from longread.cli.render import answers
from longread.cli.render.chat import passage
from longread.events import Done
from longread.jobs import JOBS
from longread.tasks.ask import Answer, Answers, Evidence

BUCKETS = "How many buckets are there on the chain?"
WRONG = "Why does Captain Ahab hunt the white whale?"


@pytest.fixture
def shell(capsys, tmp_path, monkeypatch):
    """``shell("ask", …)`` in this process, in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def test_an_answer_and_its_places(shell):
    code, out, err = shell("ask", "sample:en", BUCKETS)
    assert code == 0
    first, *rest = out.splitlines()
    assert first.startswith("Quoted from [1]: There were thirty-two buckets on the chain")
    headings = [line for line in rest if line.startswith("[")]
    assert [line[:3] for line in headings] == ["[1]", "[2]", "[3]"]
    assert headings[0].startswith("[1] Chapter 3. Bucket Seventeen (") and "characters" in headings[0]
    assert "tokens" not in err  # nothing was read into a model


def test_not_found_is_said_and_is_no_failure(shell):
    code, out, _ = shell("ask", "sample:en", WRONG, "-q")
    assert code == 0 and out.startswith("No answer")


def test_json_carries_the_evidence_whole(shell):
    code, out, _ = shell("ask", "sample:en", BUCKETS, WRONG, "--json", "--evidence", "2")
    record = json.loads(out)
    assert code == 0 and record["command"] == "ask" and record["schema"] == 1
    first, second = record["result"]["answers"]
    assert first["found"] and not second["found"] and second["answer"] == ""
    assert len(first["evidence"]) == 2 and first["evidence"][0]["rank"] == 1


def test_several_questions_stand_above_their_answers(shell, tmp_path):
    (tmp_path / "q.txt").write_text(WRONG + "\n", encoding="utf-8")
    code, out, _ = shell("ask", "sample:en", BUCKETS, "--questions", "q.txt", "--no-answer")
    assert code == 0 and out.splitlines()[0] == BUCKETS and WRONG in out.splitlines()


def test_a_hostile_book_and_question_steer_nothing(shell, tmp_path):
    text = "The \x1b[31mred\x1b[0m [bold]fox[/bold] lived in a barrel near Ely with its cubs.\n\n"
    (tmp_path / "b.txt").write_text("The day was long and dull. " * 40 + "\n\n" + text, encoding="utf-8")
    code, out, _ = shell(
        "ask", "b.txt", "Where did the red fox live with its cubs? \x1b]0;owned\x07", "--part", "0%-100%"
    )
    assert code == 0 and "[bold]fox[/bold]" in out and "\x1b" not in out and "\x07" not in out


def test_hard_wrapped_chinese_is_joined_and_its_quotation_keeps_its_number():
    text = "船长把灯\n藏在桥下。\n\n没有人\n知道。"
    evidence = Evidence(1, "第一回", 0, len(text), 0.0, text)
    answer = Answer("灯在哪里？", "船长把灯藏在桥下。", True, (evidence,))
    done = Done("ask", "pocket", {}, Answers((answer,)), {})
    said, _, head, *shown = answers.lines(done, None, 80)
    assert said.text == "Quoted from [1]: 船长把灯藏在桥下。" and head.text == "[1] 第一回"
    assert [line.text for line in shown] == ["船长把灯藏在桥下。", "", "没有人知道。"]
    assert list(passage(asdict(evidence))) == [head, *shown]  # as /evidence shows it


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sample:en"], 2, "needs a question"),
        (["sample:en", BUCKETS, "--evidence", "0"], 2, "--evidence"),
        (["sample:en", BUCKETS, "--evidence", "51"], 2, "--evidence: '51'"),
        (["sample:en", BUCKETS, "whom " * 501], 2, "2,504 characters"),
        (["sample:en", "--questions", "missing.txt"], 1, "missing.txt"),
        (["missing.txt", BUCKETS], 1, "missing.txt"),
        (["sample:en", BUCKETS, "--lang", "fr"], 4, "fr"),
        (["sample:en", BUCKETS, "-m", "no/such-model"], 1, "no/such-model"),
    ],
)
def test_errors_are_a_sentence_and_a_hint(shell, arguments, code, said):
    found, out, err = shell("ask", *arguments, "-q")
    assert (found, out) == (code, "")
    error, hint = err.splitlines()
    assert error.startswith("error: ") and said in error and hint.startswith("hint: ")


def test_no_more_passages_are_asked_for_than_are_shown():
    """The limit stands in two places, since nothing is read of the task before it starts."""
    (evidence,) = [setting for setting in JOBS["ask"].settings if setting.name == "evidence"]
    task = importlib.import_module("longread.tasks.ask")
    assert evidence.most == task._MOST
    assert evidence.parse("50", "") == 50


def test_the_book_through_a_pipe(run_cli):
    book = "The day was long and dull. " * 200 + "\n\nThe widow Pereira sold the bakery in Lisbon.\n"
    for arguments in ((BAKERY,), ("-", BAKERY), (BAKERY, "Who went away?")):
        ran = run_cli("ask", *arguments, "-q", stdin=book)
        assert ran.returncode == 0, ran.stderr
        assert "Pereira" in "".join(ran.stdout.splitlines()[:2])


@pytest.mark.parametrize(
    "questions",
    [
        ["谁是张三？"],
        ["谁是张三"],
        ["张三是谁", "李四是谁"],
        ["Who?"],
        ["Who came home?", "Who went away?"],
        ["What stands in notes.txt"],
        ["Who came home?", "--questions", "q.txt"],
    ],
)
def test_questions_through_a_pipe_need_no_file(monkeypatch, questions, tmp_path):
    monkeypatch.chdir(tmp_path)
    file, asked, _ = asked_of(monkeypatch, *questions)
    assert (file, asked) == (None, [word for word in questions if word not in ("--questions", "q.txt")])


@pytest.mark.parametrize(
    "file",
    [
        "-",
        "sample:en",
        "sample:zh?",
        "novel.txt",
        "西游记.txt",
        "书/西游记",
        "here 谁是张三？",
        "my novel.txt",
        "War and Peace",
        "./my books/War and Peace",
    ],
)
def test_a_file_stays_a_file_though_there_is_a_pipe(monkeypatch, file, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here 谁是张三？").write_text("x", encoding="utf-8")
    assert asked_of(monkeypatch, file, "Who is it?")[:2] == ([file], ["Who is it?"])


def test_without_a_pipe_the_first_word_is_the_file(monkeypatch):
    assert asked_of(monkeypatch, "谁是张三？", "李四呢？", piped=False)[0] == ["谁是张三？"]


def asked_of(monkeypatch, *arguments, piped=True):
    """The FILE, the questions and the options that a command line is understood as."""
    stdin = io.StringIO("text")
    stdin.isatty = lambda: not piped
    monkeypatch.setattr(sys, "stdin", stdin)
    _, files, given = parse(["ask", *arguments]).args
    return files, given["question"], given


BAKERY = "Who sold the bakery in Lisbon?"


def test_it_loads_no_torch(run_cli, cli_env):
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from longread.cli import main\n"
        f"assert main(['ask', 'sample:en', {BUCKETS!r}, '-q']) == 0\n"
        f"assert main(['ask', 'sample:en', {BUCKETS!r}, '-q', '--no-answer', '-m', 'no/such-model']) == 0\n"
        "heavy = {'torch', 'transformers', 'peft'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=cli_env(False), timeout=240
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_a_second_ask_takes_less_than_a_second(run_cli):
    if os.getloadavg()[0] > 0.5:
        pytest.skip("a wall clock says nothing on a busy machine")
    run_cli("ask", "sample:en", BUCKETS, "--no-answer", "-q")
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert run_cli("ask", "sample:en", BUCKETS, "--no-answer", "-q").returncode == 0
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1.0, seconds
