"""Output files: whole or not at all, and never over someone else's."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from longread.cli.output import OutputFile
from longread.errors import OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_answer_goes_to_the_file_and_nothing_to_stdout(cli, tmp_path):
    code, out, err = cli("summarize", "novel.txt", "-o", "out.txt")
    assert (code, out) == (0, "")
    assert names(tmp_path) == ["out.txt"]
    assert (tmp_path / "out.txt").read_bytes().startswith(b"Names\nAnna, 12 times")
    assert f"written in {tmp_path / 'out.txt'}" in err


@pytest.mark.parametrize(("name", "said"), [("new/", "is no folder"), ("", "names no file")])
def test_an_output_that_names_no_file_is_refused_before_the_work(cli, tmp_path, name, said):
    code, out, err = cli("summarize", "novel.txt", "-o", name)
    assert (code, out) == (1, "") and said in err and names(tmp_path) == []
    assert "reading" not in err


@pytest.mark.parametrize("name", ["a.docx", "a.EPUB", "a.pdf", "a.html"])
def test_plain_text_is_not_written_under_the_name_of_another_format(cli, tmp_path, name):
    code, out, err = cli("summarize", "n", "-o", tmp_path / name)
    assert (code, out) == (4, "") and "writes plain text" in err and "ends in .txt" in err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "wish", [["summarize", "n"], ["summarize", "n", "--json"], ["read", "n", "--text"], ["translate", "n"]]
)
@pytest.mark.parametrize("name", ["a.txt.gz", "a.XZ", "a.bz2", "a.zip"])
def test_nothing_plain_is_written_under_the_name_of_a_packed_file(cli, tmp_path, wish, name):
    code, out, err = cli(*wish, "-o", tmp_path / name)
    assert (code, out) == (4, "") and "is not written packed" in err and "A Title" not in err
    assert "leave the ending away" in err and ("-o - | " in err) == (name != "a.zip")
    assert not [*tmp_path.iterdir()]


def test_the_text_as_read_says_what_it_is_and_where(cli, tmp_path):
    code, out, err = cli("read", "--text", "note.txt")
    assert code == 0 and out == "Line one\n西游 two\n"
    assert "left out: Project Gutenberg header" in err and "warning: a chapter is missing" in err
    code, out, err = cli("read", "--text", "novel.txt", "-o", "out.txt")
    assert (code, out) == (0, "") and f"written in {tmp_path / 'out.txt'}" in err


def test_a_name_for_json_wants_json(cli, tmp_path):
    code, _, err = cli("summarize", "n", "-o", tmp_path / "a.json")
    assert code == 4 and "add --json" in err and not [*tmp_path.iterdir()]
    assert cli("summarize", "n", "--json", "-o", tmp_path / "a.json")[0] == 0
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["command"] == "summarize"


def test_its_own_output_is_replaced_and_a_changed_one_is_not(cli, tmp_path):
    out = tmp_path / "out.txt"
    assert cli("summarize", "novel.txt", "-o", out)[0] == 0
    assert cli("score", "novel.txt", "-o", out)[0] == 0
    before = out.read_bytes()
    # Same size, same time, other content: only looking inside can tell.
    times = out.stat().st_mtime_ns
    out.write_bytes(before[:-2] + b"!\n")
    os.utime(out, ns=(times, times))
    code, _, err = cli("summarize", "novel.txt", "-o", out)
    assert code == 1 and "changed since" in err and "--force" in err and str(out) in err
    assert out.read_bytes() == before[:-2] + b"!\n"
    assert cli("summarize", "novel.txt", "-o", out, "--force")[0] == 0
    assert out.read_bytes().startswith(b"Names")


def test_a_foreign_file_is_refused_before_the_work_begins(cli, tmp_path):
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    code, out, err = cli("summarize", "novel.txt", "-o", "mine.txt")
    assert (code, out) == (1, "") and "A Title" not in err
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"
    assert names(tmp_path) == ["mine.txt"]


def test_a_file_that_appears_while_the_job_runs_is_not_replaced(tmp_path):
    place = OutputFile(tmp_path / "out.txt")
    place.write("answer")
    (tmp_path / "out.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError):
        place.commit()
    assert names(tmp_path) == ["out.txt"] and (tmp_path / "out.txt").read_text(encoding="utf-8") == "precious"


def test_nothing_stands_in_its_place_before_it_is_complete(tmp_path):
    place = OutputFile(tmp_path / "out.txt")
    place.write("half")
    assert not (tmp_path / "out.txt").exists()
    place.discard()
    assert names(tmp_path) == []


def test_a_whole_result_takes_the_place_of_a_partial_one(tmp_path):
    place = OutputFile(tmp_path / "out.txt")
    place.write("half")
    assert place.commit(partial=True) == str(tmp_path / "out.txt.partial")
    assert names(tmp_path) == ["out.txt.partial"]
    place = OutputFile(tmp_path / "out.txt")
    place.write("whole")
    place.commit()
    assert names(tmp_path) == ["out.txt"]


def test_a_foreign_partial_file_stays(tmp_path):
    (tmp_path / "out.txt.partial").write_text("precious", encoding="utf-8")
    place = OutputFile(tmp_path / "out.txt")
    place.write("whole")
    place.commit()
    assert names(tmp_path) == ["out.txt", "out.txt.partial"]


def test_the_list_of_outputs_is_private_and_forgets_what_is_gone(tmp_path, home):
    for name in ("a", "b"):
        place = OutputFile(tmp_path / name)
        place.write(name)
        place.commit()
        if name == "a":
            (tmp_path / "a").unlink()
    assert [*json.loads((home / "outputs.json").read_text(encoding="utf-8"))] == [str(tmp_path / "b")]
    assert names(home) == ["outputs.json", "outputs.lock"]
    if os.name == "posix":
        assert stat.S_IMODE((home / "outputs.json").stat().st_mode) == 0o600


def test_a_damaged_list_replaces_nothing(tmp_path, home):
    place = OutputFile(tmp_path / "a")
    place.write("a")
    place.commit()
    (home / "outputs.json").write_text("[", encoding="utf-8")
    with pytest.raises(OutputError):
        OutputFile(tmp_path / "a")


@pytest.mark.parametrize("moved", [True, False])
def test_a_kill_around_the_move_leaves_a_file_that_is_known(tmp_path, monkeypatch, moved):
    """Noted only afterwards, the new file would be called someone else's."""
    first = OutputFile(tmp_path / "a")
    first.write("old")
    first.commit()
    move = os.replace

    def killed(source, target):
        if str(target) != str(tmp_path / "a"):
            return move(source, target)
        if moved:
            move(source, target)
        raise SystemExit

    second = OutputFile(tmp_path / "a")
    second.write("new")
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", killed)
        second.commit()
    assert (tmp_path / "a").read_text() == ("new" if moved else "old")
    third = OutputFile(tmp_path / "a")
    third.write("third")
    third.commit()
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError):
        OutputFile(tmp_path / "a")


def test_two_that_write_at_once_are_both_remembered(cli_env, tmp_path, home):
    code = (
        "import sys\nfrom longread.cli.output import OutputFile\n"
        "for number in range(80):\n"
        "    place = OutputFile(f'{sys.argv[1]}{number % 8}')\n"
        "    place.write(str(number))\n    place.commit()\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)], env=cli_env(True))
        for name in "ab"
    ]
    assert [one.wait(timeout=240) for one in both] == [0, 0]
    table = json.loads((home / "outputs.json").read_text(encoding="utf-8"))
    assert sorted(table) == sorted(str(tmp_path / f"{name}{number}") for name in "ab" for number in range(8))


@pytest.mark.parametrize("place", ["no/such/out.txt", "file/out.txt"])
def test_a_place_that_cannot_be_is_told_before_the_work(cli, tmp_path, place):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    code, _, err = cli("summarize", "novel.txt", "-o", place)
    assert code == 1 and err.startswith("error: ") and "A Title" not in err


@pytest.mark.parametrize("place", ["x" * 300, "x" * 250, "x" * 300 + "/out.txt", "~nobody-here/out.txt"])
def test_a_name_that_no_file_can_have_is_told_before_the_work(cli, tmp_path, place):
    code, out, err = cli("summarize", "novel.txt", "-o", place)
    assert (code, out) == (1, "") and "A Title" not in err and "went wrong" not in err
    assert err.startswith("error: ") and len(err.splitlines()) == 2
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that not even root may write to")
def test_a_folder_that_may_not_be_written_to_is_told_before_the_work(cli):
    code, out, err = cli("summarize", "novel.txt", "-o", "/proc/self/out.txt")
    assert (code, out) == (1, "") and "A Title" not in err
    assert "/out.txt cannot be written: " in err and "--output" in err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("rights", [0o500, 0o000])
def test_a_closed_folder_is_told_before_the_work(cli, tmp_path, rights):
    (tmp_path / "closed").mkdir(rights)
    for place in ("closed/out.txt", "closed/deeper/out.txt"):
        code, _, err = cli("summarize", "novel.txt", "-o", place)
        assert code == 1 and "A Title" not in err and "went wrong" not in err


def test_nothing_is_left_by_a_job_that_fails_or_is_killed(cli, tmp_path):
    assert cli("summarize", "crash.txt", "-o", "out.txt")[0] == 1
    assert names(tmp_path) == []
    OutputFile(tmp_path / "out.txt")  # and never discarded
    assert names(tmp_path) == []


def test_text_is_utf8_with_line_feeds_whatever_it_holds(tmp_path):
    place = OutputFile(tmp_path / "a")
    place.write("西\n\ud800\n")
    place.commit()
    assert (tmp_path / "a").read_bytes() == "西\n?\n".encode()


@pytest.mark.skipif(os.name != "posix", reason="POSIX links and devices")
def test_links_are_followed_and_devices_written_to(cli, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "out.txt")
    assert cli("summarize", "novel.txt", "-o", "link.txt")[0] == 0
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real" / "out.txt").is_file()
    assert cli("summarize", "novel.txt", "-o", os.devnull)[0] == 0
    assert not os.path.isfile(os.devnull)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("flags", ["", " --json"])
def test_a_pipe_that_has_no_path_of_its_own_is_written_to(cli_command, cli_env, tmp_path, flags):
    """What a shell makes of ``| cat`` and, under bash, of ``>(gzip >x)``: links to links to no file."""
    start = " ".join(f"'{part}'" for part in (*cli_command, "summarize", "novel.txt", "-q")) + flags
    lines = [f"{start} -o /dev/stdout | cat"]
    if shutil.which("bash"):
        lines.append(f"{start} -o >(cat >x); while ! [ -s x ]; do sleep 0.1; done; cat x")
    for line in lines:
        ran = subprocess.run(
            ["bash" if ">(" in line else "sh", "-c", line],
            capture_output=True, text=True, cwd=tmp_path, env=cli_env(True), timeout=240,
        )  # fmt: skip
        assert ran.stderr == "" and "It was dark and medium" in ran.stdout, line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_stays_open_for_its_reader(cli, tmp_path):
    """Its reader waits before the work begins; to try the pipe beforehand would end it at once."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        reader = subprocess.Popen(["cat", tmp_path / name], stdout=subprocess.PIPE, text=True)
        assert cli("summarize", "novel.txt", "-o", name)[0] == 0
        assert "It was dark and medium" in reader.communicate(timeout=240)[0]
    assert names(tmp_path) == ["link", "pipe"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
def test_rights_are_the_user_s_own(tmp_path):
    mask = os.umask(0o027)
    try:
        place = OutputFile(tmp_path / "a")
        place.write("a")
        place.commit()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_one_file_into_a_folder_that_exists(cli, tmp_path):
    (tmp_path / "out").mkdir()
    assert cli("score", "some/novel.txt", "-o", "out", "--json")[0] == 0
    assert names(tmp_path / "out") == ["novel.score.json"]
