"""The program with its real tasks and the bundled model, in processes without a network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

import longread

pytestmark = pytest.mark.timeout(900)
PART = ("--part", "0%-6%")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A short book whose every paragraph tries to steer the terminal or to be markup."""
    path = tmp_path_factory.mktemp("book") / "[red]evil\u202e.txt"
    lines = ["\x1b]0;owned\x07The [bold]Title[/bold] of It\n"]
    for at in range(6):
        lines.append(f"Chapter {at + 1}. [blink]Night\x1b[2J {at}[/blink]\n")
        for word in ("river", "mountain", "harbour", "window", "letter"):
            lines.append(
                f"Old Martha walked along the {word} in year {1800 + at} and :smile: counted "
                f"\x1b[31mred\x1b[0m boats with \x9b5n her \u202ebrother\u2066 Thomas. The {word} was "
                "[link=x]quiet[/link] that whole evening.\n"
            )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_spans_count_the_text_as_read_prints_it(run_cli, tmp_path):
    """The quotations of a summary are cut out of ``read --text`` by nothing but their spans."""
    ran = run_cli(
        "summarize", "sample:en", *PART, "--length", "short", "--json", "-o", "out.json", timeout=600
    )
    assert (ran.returncode, ran.stdout) == (0, "")
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    text = run_cli("read", "--text", "sample:en", "-q").stdout
    assert len(text) == record["document"]["characters"]
    assert record["result"]["sections"]
    for section in record["result"]["sections"]:
        quoted = " ".join(" ".join(text[start:end].split()) for start, end in section["spans"])
        assert section["text"] == quoted
    joined = " ".join(section["text"] for section in record["result"]["sections"])
    assert record["result"]["summary"].split() == joined.split()
    assert record["stats"]["tokens"]["read"] > 500 and record["model"] == "pocket"


def test_a_hostile_book_through_a_pipe_without_a_locale(run_cli, book):
    ran = run_cli("summarize", "--no-learn", stdin=book.read_text(encoding="utf-8"), LC_ALL="C", timeout=600)
    assert ran.returncode == 0, ran.stderr
    for text in (ran.stdout, ran.stderr):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "Martha" in ran.stdout and "[link=x]quiet[/link]" in ran.stdout


def test_hostile_names_of_files_are_cleaned_in_errors(run_cli, book):
    ran = run_cli("read", f"{book}.missing")
    assert ran.returncode == 1 and "\u202e" not in ran.stderr and "[red]evil.txt.missing" in ran.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_in_the_middle_leaves_a_valid_part(start_cli, tmp_path):
    child = start_cli("summarize", "sample:en", "--no-learn", "--json", "-o", "out.json")
    seen = ""
    while "reading 5%" not in seen:
        line = child.stderr.readline()
        assert line, seen
        seen += line
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=240)
    assert (child.returncode, out) == (130, ""), err
    assert [path.name for path in tmp_path.iterdir()] == ["out.json.partial"]
    record = json.loads((tmp_path / "out.json.partial").read_text(encoding="utf-8"))
    tokens = record["stats"]["tokens"]
    assert record["partial"] is True and tokens["unread"] > tokens["read"] > 0
    assert record["result"]["summary"]


def test_score_prints_figures_for_every_arm(run_cli):
    ran = run_cli("score", "sample:en", "--part", "0%-3%", "--arms", "window,sink+lora", timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^window +\d+\.\d\d +\d\.\d{3} +[\d,]+ +[▁-█]+$", ran.stdout, re.MULTILINE)
    assert re.search(r"^sink\+lora +\d+\.\d\d", ran.stdout, re.MULTILINE)
    wrong = run_cli("score", "sample:en", "--arms", "window,lora")
    assert wrong.returncode == 2 and "--arms: 'lora'" in wrong.stderr


def test_what_needs_no_model_loads_no_torch(cli_env):
    code = (
        "import sys\n"
        "from longread.cli import main\n"
        "for line in ('read --text sample:en', 'read --dry-run sample:en', 'score --dry-run sample:en'):\n"
        "    assert main(line.split()) == 0, line\n"
        "heavy = {'torch', 'transformers', 'peft'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=cli_env(False), timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    assert "tokens: about" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["summarize", "no-such.txt"], 1),
        (["summarize", "."], 1),
        (["summarize", "sample:en", "--style", "abstract"], 4),
        (["read", "sample:en", "-m", "no/such-model"], 1),
        (["read", "sample:en", "--part", "99"], 2),
        (["read", "sample:en", "--encoding", "no-such"], 2),
        (["summarize"], 1),  # an empty pipe
    ],
)
def test_every_error_is_one_sentence_and_a_hint(run_cli, arguments, code):
    ran = run_cli(*arguments, "--quiet")
    first, *rest = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
    assert first.startswith("error: ") and len(rest) == 1 and rest[0].startswith("hint: "), ran.stderr


def test_from_python(no_network):
    result = longread.read("sample:en", part="0%-3%", rank=2)
    assert result.blocks > 1 and re.fullmatch(r"[0-9a-f]{64}", result.adapter_sha256)
    assert longread.read("sample:en", part="0%-3%", learn=False).adapter_sha256 is None
