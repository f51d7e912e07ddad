"""``longread translate`` from the shell, with a word list in the model's place."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import xml.etree.ElementTree as ElementTree

import pytest

from longread import tasks
from longread.cli import main
from tests.cli.test_chat import CONTROL, Terminal, posix
from tests.reader import builders
from tests.tasks.conftest import loaded  # noqa: F401
from tests.tasks.translating import Dictionary, english, story

HOSTILE = "王小明\x1b[31m在河边\x1b]0;owned\x07看见[bold]船[/bold]。\u202e老陈在市场。\x9b2J\n"


@pytest.fixture
def shell(loaded, capsys, tmp_path, monkeypatch):  # noqa: F811
    """``shell("book.txt", …)``: exit code, stdout, stderr. ``shell.script`` is the stand-in's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text(story(24), encoding="utf-8")

    def hand(session, stop_ids):
        run.hand = Dictionary(loaded.encoder, run.script)
        run.hand.forget = lambda: None
        return run.hand

    monkeypatch.setattr("longread.tasks.reading.load", lambda job: loaded)
    monkeypatch.setattr("longread.model.load.load_model", lambda *args, **more: loaded)
    monkeypatch.setattr("longread.tasks.translate._trusted", lambda *_: None)
    monkeypatch.setattr("longread.tasks.translate.work.Hand", hand)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["translate", *map(str, arguments), "--tgt", "en"])
        return code, *capsys.readouterr()

    run.script = None
    return run


def wanted(count: int = 24) -> str:
    sentences = story(count, 1).split()
    lines = [" ".join(map(english, sentences[at : at + 4])) for at in range(0, count, 4)]
    return "\n\n".join(lines) + "\n"


def test_the_translation_goes_to_stdout_and_nothing_else_does(shell):
    code, out, err = shell("book.txt")
    assert (code, out) == (0, wanted())
    assert "translated 24 of 24 segments" in err and "translating 100%" in err
    assert shell("book.txt", "-q") == (0, wanted(), "") and not shell.hand.asked


def test_what_has_no_place_in_the_page_is_told(shell, tmp_path):
    page, notes = tmp_path / "a.html", "<p>王小明在河边。</p><p>老陈在市场。</p>"
    page.write_text(f"<html><body>{notes}</body></html>", encoding="utf-8")

    def change(asked):  # whatever is read again may have been changed by then
        page.write_text("<html><body><p>王小明在河边。</p><p>陈先生。</p></body></html>", encoding="utf-8")

    shell.script = change
    code, _, err = shell("a.html", "-o", "b.html")
    assert code == 3 and "warning: 1 translated paragraph has no place" in err
    assert "陈先生" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_files_of_a_book_that_stay_behind_are_told_and_change_no_exit_code(shell, tmp_path):
    pages = {"a.xhtml": builders.page("T", "<p>王小明在河边。</p><p>老陈在市场。</p>")}
    extra = {"../\x1b[31mout.png": b"no", "OEBPS/i.png": b"\x89PNG"}
    (tmp_path / "a.epub").write_bytes(builders.package(pages, extra=extra))
    code, _, err = shell("a.epub", "-o", "b.epub", "--src", "zh")
    said = (
        "warning: 1 file of the book is not in its translation: '../\\x1b[31mout.png' leads out of the book"
    )
    assert code == 0 and said in err and "\x1b" not in err
    assert (
        "of the book" not in shell("a.epub", "-o", "b.txt", "--src", "zh")[2]
    )  # another format has no files


def test_a_page_in_a_named_encoding_keeps_it_until_it_is_written(shell, tmp_path):
    page = '<html><head><meta charset="windows-1252"></head><body><p>王小明在河边。</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("gb18030"))
    code, _, err = shell("a.html", "-o", "b.html", "--encoding", "gb18030", "--src", "zh")
    assert code == 0, err
    assert "<p>Wang" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_a_file_its_format_and_its_glossary(shell, tmp_path):
    code, out, err = shell("book.txt", "-o", "book.en.txt")
    assert (code, out) == (0, "") and (tmp_path / "book.en.txt").read_text("utf-8") == wanted()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["book.en.glossary.tsv", "book.en.txt", "book.txt"]
    glossary = (tmp_path / "book.en.glossary.tsv").read_text("utf-8")
    assert "王小明\tWang Xiaoming\t0\n" in glossary and "book.en.glossary.tsv" in err
    (tmp_path / "terms.tsv").write_text("没有\tNobody\n", encoding="utf-8")
    assert shell("book.txt", "-o", "named.txt", "--glossary", "terms.tsv")[0] == 0
    assert "没有\tNobody\t\n" in (tmp_path / "named.glossary.tsv").read_text("utf-8")  # nowhere met
    for name in ("p.tsv", "p.tmx", "p.md"):
        assert shell("book.txt", "-o", name)[0] == 0 and not shell.hand.asked
    lines = (tmp_path / "p.tsv").read_text("utf-8").splitlines()
    assert len(lines) == 25 and {line.count("\t") for line in lines} == {4}
    assert len(ElementTree.parse(tmp_path / "p.tmx").findall("./body/tu")) == 24
    bilingual = shell("book.txt", "--layout", "bilingual")[1]
    assert bilingual.startswith(story(24)[:18].split("。")[0])


def test_the_pairs_and_the_glossary_of_one_run_are_the_corrections_of_the_next(shell, tmp_path):
    shell("book.txt", "-o", "pairs.tsv")
    table = (
        (tmp_path / "pairs.tsv").read_text("utf-8").replace("\tLi Qiuju today at the", "\tMs Li, at the", 1)
    )
    (tmp_path / "mine.tsv").write_text(table, encoding="utf-8")
    terms = (tmp_path / "pairs.glossary.tsv").read_text("utf-8").replace("Old Chen", "Chen the Elder")
    (tmp_path / "terms.tsv").write_text(terms, encoding="utf-8")
    shell.script = lambda asked: english(asked.source).replace("Old Chen", "Chen the Elder")
    code, out, err = shell("book.txt", "--corrections", "mine.tsv")
    assert code == 0, err
    assert out.count("Ms Li, at the") == 1
    code, out, _ = shell("book.txt", "--glossary", "terms.tsv")
    assert (
        code == 0 and out.count("Chen the Elder") == 8 and {s[:2] for s in shell.hand.sources()} == {"老陈"}
    )


def test_what_failed_is_marked_told_and_exit_3(shell, tmp_path):
    shell.script = lambda asked: "no " * 30 if "25只" in asked.source else None
    code, out, err = shell("book.txt", "-o", "out.txt")
    assert code == 3 and "--retry-failed" in err and "1 of 24" in err
    assert "[untranslated] 老陈今天在学校" in (tmp_path / "out.txt").read_text("utf-8")
    shell.script = None
    code, out, _ = shell("book.txt", "--retry-failed", "--json")
    record = json.loads(out)
    assert code == 0 and len(shell.hand.asked) == 1 and record["command"] == "translate"
    assert [*record["result"]] == ["segments", "glossary"]
    assert [*record["result"]["segments"][0]] == ["paragraph", "source", "target", "ok", "why"]
    assert record["result"]["glossary"]["老陈"]["target"] == "Old Chen"
    assert record["partial"] is False and record["stats"]["segments"]["failed"] == 0


def test_a_trial_that_fails_writes_nothing(shell, tmp_path):
    shell.script = lambda asked: "no " * 30
    code, out, err = shell("book.txt", "-o", "out.txt", "-q")
    assert (code, out) == (4, "") and not (tmp_path / "out.txt").exists()
    error, hint = err.splitlines()
    assert "0 of the first 10 segments" in error and "--anyway" in hint
    code, _, err = shell("book.txt", "--anyway", "-q", "-o", "out.txt")
    assert code == 3 and (tmp_path / "out.txt").read_text("utf-8").count("[untranslated]") == 24


def test_ctrl_c_leaves_a_valid_part_and_the_next_run_goes_on(shell, tmp_path, monkeypatch):
    def script(asked):
        if len(shell.hand.asked) == 14:
            os.kill(os.getpid(), signal.SIGINT)
        return None

    shell.script = script
    code, out, _ = shell("book.txt", "-o", "out.txt")
    part = (tmp_path / "out.txt.partial").read_text("utf-8")
    assert code == 130 and out == "" and not (tmp_path / "out.txt").exists()
    assert wanted().startswith(part.strip()) and part.count(".") == 13
    shell.script = None
    assert shell("book.txt", "-o", "out.txt")[0] == 0 and len(shell.hand.asked) == 11
    assert (tmp_path / "out.txt").read_text("utf-8") == wanted()
    assert not (tmp_path / "out.txt.partial").exists()


@pytest.mark.parametrize("name", ["out.txt", "out.tmx", "out.json"])
def test_there_is_a_valid_part_at_every_moment(shell, tmp_path, monkeypatch, name):
    monkeypatch.setattr("longread.cli.translated._EVERY", 0.0)
    seen = []

    def script(asked):
        part = tmp_path / f"{name}.partial"
        if part.exists():
            seen.append(part.read_text("utf-8"))
        return None

    shell.script = script
    assert shell("book.txt", "-o", name, *(["--json"] if name.endswith("json") else []))[0] == 0
    assert seen
    for text in seen:
        if name.endswith("txt"):
            assert text.strip() and wanted().startswith(text.strip())
        elif name.endswith("tmx"):
            ElementTree.fromstring(text)
        else:
            assert json.loads(text)["partial"] is True


def test_events_stream_as_lines(shell):
    code, out, _ = shell("book.txt", "--jsonl")
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert code == 0 and kinds.count("translated") == 24 and kinds[-1] == "done"
    first = next(event for event in events if event["event"] == "translated")
    assert first["number"] == 0 and first["segment"]["ok"] is True


def test_a_hostile_book_and_a_hostile_model_steer_nothing(shell, tmp_path):
    (tmp_path / "evil.txt").write_text(story(24) + "\n" + HOSTILE, encoding="utf-8")
    shell.script = lambda asked: "He \x1b[31m saw\x07 the [bold]boat[/bold] \u202e there now.\x9b2J"
    code, out, err = shell("evil.txt", "--anyway")
    assert code == 3 and "[bold]船[/bold]" in out, err
    shell.script = lambda asked: f"{english(asked.source)} \x1b[31m\x07[bold]\u202e\x9b2J"
    assert shell("evil.txt", "--fresh", "-o", "out.txt")[0] == 0
    for text in (out, err, (tmp_path / "out.txt").read_text("utf-8")):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_several_files_are_a_job_each(shell, tmp_path):
    (tmp_path / "other.md").write_text("# 老陈\n\n老陈在市场。\n", encoding="utf-8")
    code, _, err = shell("book.txt", "missing.txt", "other.md", "-o", "out", "--src", "zh")
    assert code == 3 and "missing.txt" in err
    assert (tmp_path / "out" / "other.translation.md").read_text(
        "utf-8"
    ) == "# Old Chen\n\nOld Chen at the market.\n"
    assert (tmp_path / "out" / "book.translation.txt").read_text("utf-8") == wanted()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["book.txt", "--tgt", "zh"], 2, "already"),
        (["book.txt", "--src", "klingon"], 2, "klingon"),
        (["book.txt", "--layout", "sideways"], 2, "sideways"),
        (["book.txt", "--glossary", "none.tsv"], 1, "none.tsv"),
        (["book.txt", "-o", "out.xlsx"], 4, "out.xlsx"),
        (["book.txt", "--src", "fr"], 4, "French"),
    ],
)
def test_errors_are_a_sentence_and_a_hint(shell, capsys, arguments, code, said):
    found = main(["translate", "--tgt", "en", *arguments, "-q"])
    out, err = capsys.readouterr()
    assert (found, out) == (code, "") and not hasattr(shell, "hand")
    *_, error, hint = err.splitlines()
    assert error.startswith("error: ") and said in error and hint.startswith("hint: ")


def test_the_bundled_model_is_refused_before_it_is_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tasks.reading, "load", None)
    path = tmp_path / "a.txt"
    path.write_text("老陈在市场。", encoding="utf-8")
    assert main(["translate", str(path), "--src", "zh", "--tgt", "en", "-q"]) == 4
    out, err = capsys.readouterr()
    assert out == "" and "short everyday sentences only" in err and "--anyway" in err


class Keyboard(io.TextIOWrapper):
    """What someone types, as if at a terminal."""

    def __init__(self, typed: str) -> None:
        super().__init__(io.BytesIO(typed.encode()), encoding="utf-8")

    def isatty(self):
        return True


def test_at_a_terminal_each_line_is_translated(shell, monkeypatch, loaded, capsys):  # noqa: F811
    monkeypatch.setattr("sys.stdin", Keyboard("老陈在市场。王小明在河边。\n\n???\n王小明看见船。\n"))
    hand = Dictionary(loaded.encoder)
    monkeypatch.setattr("longread.tasks.translate.typed.Hand", lambda *_: hand)
    code, out, err = shell("--src", "zh", "--progress", "plain")
    assert code == 0 and err.count("> ") >= 4
    assert out == "Old Chen at the market. Wang Xiaoming at the riverside.\n???\nWang Xiaoming saw boats.\n"
    assert "老陈在市场。 | Old Chen at the market. | 王小明在河边。" in hand.asked[-1].text


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_the_model_loads_opens_no_prompt(shell, monkeypatch, loaded, times):  # noqa: F811
    def load(*_, **__):
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return loaded

    monkeypatch.setattr("sys.stdin", Keyboard("老陈在市场。\n"))
    monkeypatch.setattr("longread.model.load.load_model", load)
    code, out, err = shell("--src", "zh", "--progress", "plain")
    assert (code, out) == (130, "")
    assert "stopped" in err and "> " not in err


def test_a_layout_of_what_is_typed_is_refused(shell, monkeypatch, loaded):  # noqa: F811
    monkeypatch.setattr("sys.stdin", Keyboard("老陈在市场。\n"))
    code, out, err = shell("--src", "zh", "--layout", "bilingual")
    assert (code, out) == (2, "") and "--layout" in err and "FILE" in err
    assert shell("--src", "zh", "--layout", "target", "--progress", "plain")[0] == 0


@posix
@pytest.mark.slow
def test_the_real_program_at_a_real_terminal(cli_command, cli_env, tmp_path):
    command = [*cli_command, "translate", "--src", "zh", "--tgt", "en", "--anyway"]
    terminal = Terminal(command, tmp_path, cli_env(False, TERM="xterm"))
    try:
        terminal.see("Ctrl-D ends", 240)
        terminal.see("> ", 240)
        terminal.type("今天天气很好。\r")
        answer = terminal.see("> ", 240)
        terminal.type("\x04")
        assert terminal.end(240) == 0
    finally:
        terminal.close()
    assert "今天天气很好。" in answer and "Traceback" not in CONTROL.sub("", terminal.raw)
