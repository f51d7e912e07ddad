"""JSON, and several files at once. Tasks are stand-ins; the schema is written out here."""

from __future__ import annotations

import json

TOP = ["schema", "command", "model", "document", "partial", "warnings", "result", "stats"]
DOCUMENT = {"title", "author", "language", "encoding", "format", "chapters", "characters", "sha256"}


def test_json_is_one_object_with_the_agreed_keys(cli):
    for command in ("summarize", "score", "read"):
        code, out, _ = cli(command, "novel-note.txt", "--json")
        record = json.loads(out)
        assert code == 0 and [*record] == TOP
        assert (record["schema"], record["command"], record["model"], record["partial"]) == (
            1,
            command,
            "pocket",
            False,
        )
        assert {*record["document"]} == DOCUMENT and record["warnings"] == ["careful"]
        assert {*record["stats"]["tokens"]} == {"read", "learned", "dropped", "unread"}
        assert record["stats"]["seconds"]


def test_json_results_have_the_agreed_keys(cli):
    result = json.loads(cli("summarize", "n", "--json")[1])["result"]
    assert {"summary", "sections"} <= {*result}
    assert {*result["sections"][0]} == {"chapter", "text", "spans"} and result["sections"][0]["spans"] == [
        [0, 10]
    ]
    arms = json.loads(cli("score", "n", "--json")[1])["result"]["arms"]
    assert [*arms] == ["sink", "sink+lora"]
    assert {*arms["sink"]} == {
        "perplexity",
        "bits_per_byte",
        "nll",
        "tokens",
        "tokens_per_second",
        "segments",
    }
    assert {*arms["sink"]["segments"][0]} == {"from", "to", "perplexity"}
    read = json.loads(cli("read", "n", "--json")[1])["result"]
    assert {*read} == {"reading", "path", "blocks", "resumed_at", "adapter_sha256"}


def test_jsonl_streams_every_event(cli):
    code, out, _ = cli("summarize", "n", "--jsonl")
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert code == 0 and kinds[:3] == ["opened", "loaded", "planned"] and kinds[-1] == "done"
    assert kinds.count("progress") == 40 and kinds.count("text") == 1
    assert events[-1]["result"]["sections"][0]["chapter"] == "One"


def test_jsonl_is_streamed_not_collected(start_cli):
    child = start_cli("summarize", "stubborn", "--jsonl", stand_in=True)
    # The job hangs after its first progress; four lines must be out by then.
    assert [json.loads(child.stdout.readline())["event"] for _ in range(4)][-1] == "progress"


def test_on_failure_stdout_is_empty(cli):
    for flags in ([], ["--json"]):
        for name, expected in (("missing.txt", 1), ("crash.txt", 1)):
            code, out, err = cli("summarize", name, *flags)
            assert (code, out) == (expected, "") and "error: " in err


def test_several_files_are_a_job_each_and_json_an_array(cli):
    code, out, _ = cli("summarize", "a.txt", "cjk.txt", "--json")
    assert code == 0
    assert [record["document"]["title"] for record in json.loads(out)] == ["A Title", "西游记"]
    assert json.loads(cli("summarize", "a.txt", "cjk.txt", "--json", "-o", "-")[1]) == json.loads(out)


def test_several_files_in_text_are_told_apart(cli):
    _, out, err = cli("summarize", "a.txt", "cjk.txt")
    assert out.index("A Title\n\nNames\n") < out.index("西游记\n\nNames\n")
    assert "next:" not in err


def test_a_failure_does_not_stop_the_rest(cli):
    code, out, err = cli("summarize", "missing.txt", "crash.txt", "novel.txt", "--json")
    assert code == 3 and len(json.loads(out)) == 1
    assert (
        "error: missing.txt does not exist" in err and "error: crash.txt: longread itself went wrong" in err
    )


def test_all_failing_is_failure(cli):
    code, out, _ = cli("summarize", "missing-1", "missing-2", "--json")
    assert (code, out) == (1, "")


def test_output_is_then_a_folder(cli, tmp_path):
    code, out, _ = cli(
        "summarize", "x/novel.txt", "y/novel.md", "sample:en", "missing", "-o", "out", "--json"
    )
    assert (code, out) == (3, "")
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["novel-2.summary.json", "novel.summary.json", "sample-en.summary.json"]
    assert json.loads((tmp_path / "out" / made[0]).read_text(encoding="utf-8"))["command"] == "summarize"
    assert cli("read", "--text", "a", "b", "-o", "out")[0] == 0
    assert (tmp_path / "out" / "a.reading.txt").read_text(encoding="utf-8") == "Line one\n西游 two\n"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    code, _, err = cli("summarize", "a", "b", "-o", "file")
    assert code == 1 and "names a folder" in err and "A Title" not in err


def test_read_text_joins_its_files(cli):
    assert cli("read", "--text", "a", "b")[1] == "Line one\n西游 two\n" * 2
    code, out, err = cli("read", "--text", "missing", "b")
    assert code == 3 and out == "Line one\n西游 two\n" and "missing does not exist" in err
