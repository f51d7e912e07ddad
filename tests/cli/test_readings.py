"""``longread readings``: real folders, made by hand, and what the commands make of them."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from longread.cli import main
from longread.cli.readings.rm import seconds
from longread.errors import UsageError
from tests.kept import CHARACTERS, ask, keep, rewrite

HOSTILE = "\x1b[31mred\x1b]0;owned\x07 [bold]b[/bold] \u202eevil\u2066 \x9b2J"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
posix = pytest.mark.skipif(os.name == "nt", reason="links and pseudo-terminals of POSIX")


@pytest.fixture
def call(capsys):
    """``call("list")``: exit code, stdout, stderr of ``longread readings list`` in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["readings", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def test_nothing_kept_is_said_and_no_error(call, home):
    assert call("list") == (0, "no readings are kept\n", "")
    assert json.loads(call("list", "--json")[1])["readings"] == []
    assert not (home / "readings").exists()  # looking leaves nothing behind
    assert call("rm", "--all", "--yes")[:2] == (0, "no readings to delete\n")


def test_the_list_says_what_is_kept(call):
    made = keep(read=500, saved=(datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat())
    code, out, err = call("list")
    assert (code, err) == (0, "")
    head, row = out.splitlines()
    assert head.split() == ["title", "id", "age", "size", "read", "perplexity", "without", "model"]
    size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    figures = [
        made.id[:8],
        "3",
        "days",
        f"{round(size / 1000)}",
        "kB",
        "50%",
        f"{2**5:.2f}",
        f"{2**6:.2f}",
        "pocket",
    ]
    assert row.split() == ["The", "Mud", "Book", *figures]


def test_json_says_the_same_to_programs(call):
    made = keep()
    answer = json.loads(call("list", "--json")[1])
    assert (answer["schema"], answer["command"]) == (1, "readings list")
    (found,) = answer["readings"]
    assert found["id"] == made.id and found["path"] == str(made.folder)
    assert found["sampled"] == {"blocks": 1, "with": pytest.approx(2**5), "without": pytest.approx(2**6)}
    assert found["perplexity"] == pytest.approx(2**4.5)
    shown = json.loads(call("show", made.id, "--json")[1])["reading"]
    assert shown["along"][0]["bits"] == pytest.approx(6.0) and len(shown["along"]) == 20
    assert [chapter["bits"] for chapter in shown["chapters"]] == pytest.approx([5.5, 3.5])


def test_a_reading_of_the_model_alone_has_its_perplexity_in_the_other_column(call):
    made = keep(without=(float("nan"),) * 4)
    (folder,) = made.saves.iterdir()
    record = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(record | {"learned": 0}))
    assert call("list")[1].splitlines()[1].split()[-3:] == ["-", f"{2**4.5:.2f}", "pocket"]


def test_an_old_extractor_is_outdated_and_still_listed(call):
    made = keep()
    rewrite(made, extractor=0)
    assert call("list")[1].splitlines()[1].endswith("outdated")
    assert "state: outdated" in call("show", made.id)[1]


def test_show_tells_all_with_figures_beside_the_sparkline(call):
    made = keep(read=500, bits=(6.0, 3.0))
    ask(made, {"question": "Who?", "evidence": [{"start": 10, "end": 20, "share": 0.02}]})
    code, out, err = call("show", "mud.txt")
    assert (code, err) == (0, "")
    for line in (
        "The Mud Book, by A. Writer", f"id: {made.id}", "text: /somewhere/mud.txt",
        "about the text: English, utf-8, txt, 1,000 characters", "model: pocket (7.3 M parameters)",
        "memory: block 101, window 512, sinks 4, learn on, recipe fused, rank 2",
        "read: 50% of the book, 202 tokens in 2 blocks, learned from 202, not finished",
        f"perplexity: {2**4.5:.2f}", "questions asked: 1", f"folder: {made.folder}",
        "█████▁▁▁▁▁", "lowest 3.00 at 25%, highest 6.00 at 0%",
        "One (from 0%, 4.50 bits a token, 1 passage asked for)", "Two (from 50%, not read)",
    ):  # fmt: skip
        assert line in out.splitlines(), line


@pytest.mark.parametrize("word", ["mud.txt", "the mud book", "Mud", "/somewhere/mud.txt"])
def test_path_by_title_file_or_part_of_it(call, word):
    made = keep()
    keep("Another", name="another.txt")
    assert call("path", word) == (0, f"{made.folder}\n", "")
    assert call("path", made.id[:8])[1] == f"{made.folder}\n"


def test_a_name_that_nothing_has_gets_the_nearest(call):
    keep()
    code, out, err = call("show", "The Mad Book")
    assert (code, out) == (2, "") and "there is no reading 'The Mad Book'" in err and "The Mud Book" in err


def test_the_map_is_written_once_and_replaced_when_it_is_ours(call, tmp_path):
    made, target = keep(), tmp_path / "map.html"
    code, out, err = call("show", made.id, "-o", target)
    assert (code, out) == (0, "") and str(target) in err
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert call("show", made.id, "-o", target)[0] == 0
    target.write_text("mine", encoding="utf-8")
    code, out, err = call("show", made.id, "-o", target)
    assert code == 1 and "--force" in err and target.read_text(encoding="utf-8") == "mine"
    assert call("show", made.id, "-o", target, "--force")[0] == 0
    assert call("show", made.id, "-o", "-")[1].startswith("<!doctype html>")
    assert call("show", made.id, "-o", target, "--json")[0] == 2


def test_export_writes_two_files_and_never_over_others(call, tmp_path):
    import numpy as np

    name = "base_model.model.model.layers.0.mlp.up_proj.lora_{}.default.weight"
    made = keep(
        lora=[[name.format("A"), [2, 3]], [name.format("B"), [4, 2]]],
        tensors={"session.lora.weight": np.arange(14, dtype=np.float32)},
    )
    folder = tmp_path / "adapter"
    code, out, err = call("export", made.id, "-o", folder)
    assert (code, out) == (0, "") and str(folder) in err
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert call("export", made.id, "-o", folder)[0] == 0
    (folder / "adapter_model.safetensors").write_bytes(b"mine")
    assert call("export", made.id, "-o", folder)[0] == 1
    assert (folder / "adapter_model.safetensors").read_bytes() == b"mine"
    assert call("export", made.id, "-o", tmp_path / "no" / "where")[0] == 1
    assert call("export", keep("Other").id, "-o", folder)[0] == 4
    assert call("export", made.id)[0] == 2


def test_rm_by_name_deletes_those_and_nothing_else(call):
    one, two, three = keep("One Book"), keep("Two Book"), keep("Three Book")
    code, out, _ = call("rm", "one book", two.id[:8], two.id)
    assert code == 0 and [line.split(" (")[0] for line in out.splitlines()] == [
        "deleted One Book",
        "deleted Two Book",
    ]
    assert [one.folder.exists(), two.folder.exists(), three.folder.exists()] == [False, False, True]


def test_rm_looks_every_name_up_before_it_deletes_any(call):
    made = keep()
    code, out, _ = call("rm", made.id, "no such book")
    assert (code, out) == (2, "") and made.folder.exists()


def test_rm_older_than_goes_by_the_last_save(call):
    now = datetime.now(UTC)
    old = keep("Old", saved=(now - timedelta(days=31)).isoformat())
    new = keep("New", saved=(now - timedelta(days=29)).isoformat())
    assert call("rm", "--older-than", "30d")[0] == 2  # nobody here to ask
    assert old.folder.exists()
    assert call("rm", "--older-than", "30d", "--yes")[0] == 0
    assert not old.folder.exists() and new.folder.exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["x", "--all"], ["--all", "--older-than", "1d"], ["--older-than", "1"], ["--older-than", "-1d"]],
)
def test_rm_that_says_too_little_or_too_much_deletes_nothing(call, arguments):
    made = keep()
    assert call("rm", *arguments, "--yes")[0] == 2
    assert made.folder.exists()


def test_ages_are_read_as_they_are_written():
    assert [seconds(text) for text in ("12h", "30d", " 8W ")] == [43200, 30 * 86400, 56 * 86400]
    for text in ("", "d", "1.5d", "30 d", "9999999d", "٣d x", "1y"):
        with pytest.raises(UsageError):
            seconds(text)


def test_a_reading_in_use_stays_and_the_others_go(call):
    busy, idle = keep("Busy"), keep("Idle")
    with busy.writing():
        code, out, err = call("rm", "--all", "--yes")
    assert code == 3 and "deleted Idle" in out and "another longread" in err
    assert busy.folder.exists() and not idle.folder.exists()


DAMAGES = {
    "not JSON": lambda path: path.write_text("{oops"),
    "a list": lambda path: path.write_text("[1, 2]"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\xfa"),
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_manifest_is_listed_with_what_is_wrong_and_can_be_dropped(call, how):
    made, other = keep("Damaged"), keep("Sound")
    DAMAGES[how](made.folder / "manifest.json")
    code, out, err = call("list")
    assert (code, err) == (0, "") and "Sound" in out and f"{made.id[:8]}: manifest.json" in out
    assert re.search(rf"{made.id[:8]}.* damaged$", out, re.MULTILINE)
    assert call("show", made.id)[0] == 0
    assert call("export", made.id, "-o", made.folder / "x")[0] == 1
    assert call("rm", made.id[:8])[0] == 0
    assert not made.folder.exists() and other.folder.exists()


def test_a_newer_schema_and_a_foreign_manifest_are_damaged(call):
    newer, foreign = keep("Newer"), keep("Foreign")
    rewrite(newer, schema=2)
    rewrite(foreign, id="../../elsewhere")
    out = call("list")[1]
    assert (
        f"{newer.id[:8]}: it has schema 2" in out
        and f"{foreign.id[:8]}: manifest.json belongs to another" in out
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"text": [], "model": 3, "memory": "x", "chapters": {}, "part": [5], "created": 0, "name": None},
        {"text": {"title": ["x"], "characters": -5, "language": {}}, "chapters": [["a", "b", "c"], 1, None]},
        {"text": {"title": "x" * 10_000, "characters": 10**40}, "created": "9999-99-99"},
    ],
)
def test_fields_of_any_kind_break_neither_list_nor_show(call, changes):
    made = keep()
    rewrite(made, **changes)
    assert call("list")[0] == 0
    for extra in ([], ["--json"], ["-o", "-"]):
        assert call("show", made.id, *extra)[0] == 0


def test_damaged_saves_are_named_and_the_sound_one_counts(call):
    made = keep()
    (made.saves / "000002").mkdir()
    (made.saves / "000002" / "state.json").write_text("{oops")
    out = call("list")[1]
    assert f"{made.id[:8]}: save 000002: state.json cannot be read" in out and "100%" in out
    (made.saves / "000001" / "state.safetensors").write_bytes(b"short")
    out = call("list")[1]
    assert "save 000001: the figures of its blocks cannot be read" in out
    assert call("show", made.id)[0] == 0


@posix
def test_links_are_neither_measured_nor_followed(call, tmp_path):
    made, outside = keep(), tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x" * 5_000_000)
    (made.folder / "link").symlink_to(outside)
    (made.folder / "file").symlink_to(outside / "precious")
    (made.saves / "000009").symlink_to(outside)
    linked = made.folder.parent / "linked"
    linked.symlink_to(outside)
    (found,) = json.loads(call("list", "--json")[1])["readings"]
    assert found["bytes"] < 1_000_000
    assert call("rm", "--all", "--yes")[0] == 0
    assert not made.folder.exists() and (outside / "precious").stat().st_size == 5_000_000


def test_nothing_from_a_book_steers_the_terminal(call):
    made = keep(
        text={"title": f"T {HOSTILE}", "author": HOSTILE, "language": HOSTILE, "characters": CHARACTERS,
              "encoding": HOSTILE, "format": HOSTILE, "sha256": HOSTILE},
        name=f"n{HOSTILE}\nerror: forged",
        chapters=[[HOSTILE, 0, 500], [f"a\nb{HOSTILE}", 500, CHARACTERS]],
        model={"name": HOSTILE, "weights": HOSTILE, "parameters": 1},
        memory={HOSTILE: HOSTILE},
        device=HOSTILE,
    )  # fmt: skip
    ask(made, {"question": HOSTILE, "evidence": []})
    for arguments in (
        ["list"],
        ["list", "--json"],
        ["show", made.id],
        ["show", made.id, "--json"],
        ["rm", made.id],
    ):
        code, *streams = call(*arguments)
        assert code == 0
        for text in streams:
            assert not STEERING.search(text), arguments
            assert not re.search(r"^error: forged", text, re.MULTILINE)


def test_the_passages_of_a_text_go_with_its_last_reading(call, home):
    kept = keep("The Mud Book")
    folder = home / "cache" / "passages"
    folder.mkdir(parents=True)
    own = folder / f"{kept.key['text']}-en-1.db"
    other = folder / f"{'0' * 64}-en-1.db"
    own.touch(), other.touch()
    assert call("rm", kept.id)[0] == 0 and not own.exists() and other.exists()
    code, out, _ = call("rm", "--all", "--yes")
    assert code == 0 and out == "deleted the passages of 1 text\n" and not other.exists()
    assert call("rm", "--all", "--yes")[1] == "no readings to delete\n"
