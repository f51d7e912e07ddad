"""``ask``: quotations, refusals, questions in files, and answers written by a scripted hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

import longread
from longread.config import Options
from longread.errors import InputError, ModelError, UsageError
from longread.events import Done
from longread.model.catalog import Trust
from longread.reader import open_document
from longread.reader.part import part as part_of
from longread.store.passages import index_folder
from longread.tasks.answer.questions import questions_in
from longread.tasks.answer.quote import best_quote
from longread.tasks.answer.write import cited
from longread.tasks.ask import Answerer, ask, index_path, passages_of
from tests.tasks.scripted import finish

BUCKETS = "How many buckets are there on the chain?"
WRONG = "Why does Captain Ahab hunt the white whale?"


def run(*questions, options=None, path="sample:en", **own):
    *_, done = ask(path, options or Options(), question=questions, **own)
    assert isinstance(done, Done)
    return done


def test_a_quotation_with_its_place():
    (answer,) = run(BUCKETS).result.answers
    assert answer.found and "thirty-two buckets" in answer.answer
    with open_document("sample:en") as document:
        text = "".join(document.text())
    assert [item.rank for item in answer.evidence] == [1, 2, 3]
    for item in answer.evidence:
        assert text[item.start : item.end] == item.text
        assert item.share == round(item.start / len(text), 6) and item.chapter.startswith("Chapter")
    assert answer.answer in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "said"), [("Obed Lunn", "dredgemaster"), ("Mungo Pardoe", "engineer"), ("Mr Vos", "manager")]
)
def test_who_somebody_is_stands_where_they_are_met_first(name, said):
    (answer,) = run(f"Who is {name}?").result.answers
    assert answer.found and said in answer.answer
    (other,) = run("Who is Rodion Raskolnikov?").result.answers
    assert not other.found


def test_a_question_about_another_book_is_refused():
    (answer,) = run(WRONG).result.answers
    assert (answer.found, answer.answer) == (False, "")


@pytest.mark.parametrize(
    "stated", ["en-/../../../../evil/book", "xx-/../../evil", "/evil", "en-" + "x" * 300]
)
def test_a_language_that_is_a_path_leads_nowhere(tmp_path, monkeypatch, stated):
    home = tmp_path / "a/b/c/home"
    monkeypatch.setenv("LONGREAD_HOME", str(home))
    home.parent.mkdir(parents=True)
    book = tmp_path / "book.html"
    words = "Zorb quiv blat mimsy wabe; gimble tove outgrabe."
    book.write_text(f'<html lang="{stated}"><body><p>{words}</p></body></html>', encoding="utf-8")
    before = {path for path in tmp_path.rglob("*") if home not in path.parents}
    assert run("What is the wabe?", path=str(book)).result.answers
    after = {path for path in tmp_path.rglob("*") if home not in path.parents}
    assert after - before <= {home}
    with open_document(book) as document:  # nor if the document itself were to let it through
        assert index_path(document).is_file()
        path = index_path(replace(document, language=stated))
        assert path.parent == index_folder() and len(path.name) < 100


def test_passages_alone_and_as_many_as_asked_for():
    done = run(BUCKETS, answer=False, evidence=5)
    (answer,) = done.result.answers
    assert answer.found and answer.answer == "" and len(answer.evidence) == 5
    assert done.stats["tokens"]["read"] == 0


def test_a_part_is_all_that_is_answered_from():
    with open_document("sample:en") as document:
        second = document.chapters[1]
    (answer,) = run("How far is the Town Quay from the Widow?", options=Options(part="2")).result.answers
    assert answer.found and "twelve hundred yards" in answer.answer
    assert all(second.start <= item.start and item.end <= second.end for item in answer.evidence)
    assert not run(BUCKETS, options=Options(part="2")).result.answers[0].found  # that stands in chapter 1


def test_a_part_that_ends_within_a_passage_says_nothing_of_what_follows(tmp_path):
    """Short paragraphs are joined to passages, and the part's end falls into one."""
    filler = [f"The tide came in at {n} and went out again." for n in range(8)]
    lines = [*filler, "The brass key was given to Mr Vos.", *filler]
    path = tmp_path / "harbour.txt"
    path.write_text("\n\n".join(lines), encoding="utf-8")
    asked = "Who was given the brass key?"
    (whole,) = run(asked, path=str(path)).result.answers
    assert whole.found and "Mr Vos" in whole.answer
    (part,) = run(asked, path=str(path), options=Options(part="0%-40%")).result.answers
    with open_document(str(path)) as document:
        _, end = part_of(document, "0%-40%")
    assert end < path.read_text(encoding="utf-8").index("brass key")
    assert not part.found and all(item.end <= end and "Vos" not in item.text for item in part.evidence)


def test_the_same_text_in_another_format_has_its_own_chapters(tmp_path):
    words = " ".join(f"word{n}" for n in range(200))
    text = "\n\n".join(f"# Pier {n}\n\nThe brass key number{n} lay there. {words}" for n in range(8))
    for name, chapter in (("notes.md", "Pier 7"), ("notes.txt", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (answer,) = run("Where lay the brass key number7?", path=str(tmp_path / name)).result.answers
        assert answer.evidence[0].chapter.lstrip("# ") == chapter


def test_a_question_too_long_to_be_looked_at_is_refused_before_anything_is_done(tmp_path, home):
    file = tmp_path / "questions.txt"
    file.write_text(BUCKETS + "\n" + BUCKETS + " of mud" * 400, encoding="utf-8")
    for more in ({"questions": str(file)}, {}):
        with pytest.raises(UsageError, match="2,000 are the most"):
            run(*([] if more else [BUCKETS, BUCKETS + " of mud" * 400]), **more)
    assert not list(home.rglob("passages/*.db"))


def test_no_question_is_an_error():
    with pytest.raises(UsageError, match="no question"):
        run("  ")


def test_a_damaged_index_is_made_again(home):
    run(BUCKETS)
    (file,) = home.rglob("passages/*.db")
    file.write_bytes(b"no database")
    assert run(BUCKETS).result.answers[0].found
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 3])
    assert run(BUCKETS).result.answers[0].found


def test_from_python_as_from_a_script(tmp_path, no_network):
    file = tmp_path / "questions.txt"
    file.write_text(f"# two\n{WRONG}\n\n", encoding="utf-8")
    result = longread.ask("sample:en", BUCKETS, questions=file, evidence=1)
    assert [item.question for item in result.answers] == [BUCKETS, WRONG]
    assert [item.found for item in result.answers] == [True, False]
    assert len(result.answers[0].evidence) == 1


def test_questions_in_a_file(tmp_path):
    def of(name: str, text: str) -> list[str]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return questions_in(str(tmp_path / name))

    assert of("a.txt", "\ufeffOne?\n\n# no\n  Two? \n") == ["One?", "Two?"]
    assert of("a.toml", '[[fact]]\nquestion = "One?"\nanswer = "1"\n[[other]]\nquestion = "Two?"\n') == [
        "One?",
        "Two?",
    ]
    for name, text in (("b.txt", "# none\n"), ("b.toml", "[[fact"), ("c.toml", "a = 1\n")):
        with pytest.raises(InputError, match=name):
            of(name, text)
    with pytest.raises(InputError, match="cannot be read"):
        questions_in(str(tmp_path / "missing.txt"))
    (tmp_path / "d.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="UTF-8"):
        questions_in(str(tmp_path / "d.txt"))


STEMS = {"hens": "hen", "sell": "sold", "leave": "left"}


def stems(texts):
    words = (re.findall(r"[a-z]+", text.lower()) for text in texts)
    return [[STEMS.get(word, word) for word in found] for found in words]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many hens did he own?", "He owned seven hens."),
        ("Where did he sell the hens?", "He sold the hens at the market in Ely."),
        ("Why did the farmer leave?", "The farmer left because the roof fell in."),
    ],
)
def test_the_sentence_that_looks_like_an_answer(question, wanted):
    text = (
        "The farmer loved hens. He owned seven hens. He sold the hens at the market in Ely. "
        "The farmer left it all. The farmer left because the roof fell in."
    )
    weights = dict.fromkeys({"farmer", "hen", "sold", "left"} & {*stems([question])[0]}, 1.0)
    quote = best_quote(question, [(100, text)], "en", weights, stems)
    assert quote.text == wanted
    assert text[quote.start - 100 : quote.end - 100] == quote.text
    assert best_quote(question, [], "en", weights, stems) is None


def test_citations_of_what_was_not_given_are_taken_out():
    assert (
        cited("It was blue [1]. And red [7]. Both [1, 9].", {1, 2}) == "It was blue [1]. And red. Both [1]."
    )


class Hand:
    """Writes what it is told to and remembers the prompts."""

    def __init__(self, loaded, *says: str) -> None:
        self.loaded, self.says, self.prompts = loaded, list(says), []

    def __call__(self, prompt_ids, *, max_tokens, sampling, seed):
        self.prompts.append(self.loaded.encoder.decode(prompt_ids))
        assert len(prompt_ids) + max_tokens <= self.loaded.backbone.trained_length
        ids = self.loaded.encoder.encode(self.says.pop(0))
        yield from ids[:max_tokens]
        return "stop" if len(ids) <= max_tokens else "length"


def written(loaded, *says, question=BUCKETS):
    trusted = replace(loaded, trust=Trust(True, True, False, False, "trusted for this test"))
    hand = Hand(loaded, *says)
    with open_document("sample:en") as document, passages_of(document) as passages:
        answer = finish(Answerer(document, passages, trusted, write=hand).answer(question))
    return answer, hand


def test_a_trusted_model_writes_from_the_passages(loaded):
    answer, hand = written(loaded, "There are thirty-two buckets [1]. Some say more [9].")
    assert answer.answer == "There are thirty-two buckets [1]. Some say more." and answer.found
    (prompt,) = hand.prompts
    assert BUCKETS in prompt and "[1] " in prompt and "thirty-two buckets" in prompt


def test_a_trusted_model_that_finds_nothing_says_so(loaded):
    answer, _ = written(loaded, "NOT FOUND")
    assert (answer.found, answer.answer) == (False, "") and answer.evidence


def test_an_answer_may_speak_of_what_was_not_found(loaded):
    says = "No, the will was not found until spring [1]."
    assert written(loaded, says)[0].answer == says
    assert not written(loaded, "Not found in the passages.")[0].found


def test_an_answer_that_is_too_long_ends_with_a_sentence(loaded):
    says = " ".join(f"There are {n} buckets on chain number {n * n}." for n in range(60))
    answer, _ = written(loaded, says)
    assert answer.answer.endswith(".") and says.startswith(answer.answer) and len(answer.answer) > 200
    answer, hand = written(
        loaded, "buckets and chains of " + " and ".join(map(str, range(400))), "Thirty-two."
    )
    assert answer.answer.startswith("buckets and chains of 0 and 1") and answer.answer.endswith("…")
    assert len(hand.prompts) == 1


def test_a_question_too_long_for_the_window_costs_no_other_answer(loaded):
    trusted = replace(loaded, trust=Trust(True, True, False, False, "trusted for this test"))
    long = "How many buckets are there on the chain " + "of the dredger " * 130 + "?"

    class Unsure(Answerer):
        def __init__(self, document, passages, _, **more):
            super().__init__(document, passages, trusted, **more | {"write": Hand(loaded, "Thirty-two [1].")})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("longread.tasks.ask.Answerer", Unsure)
        done = run(long, BUCKETS)
    first, second = done.result.answers
    assert not first.found and second.answer == "Thirty-two [1]."
    assert any("question 1 is left without an answer" in text for text in done.warnings)


def test_a_question_that_fails_costs_no_other_answer(loaded):
    class Failing(Answerer):
        def answer(self, question, **own):
            if question == WRONG:
                raise ModelError("the model's scores are not numbers", "use --dtype float32")
            return (yield from super().answer(question, **own))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("longread.tasks.ask.Answerer", Failing)
        done = run(BUCKETS, WRONG, BUCKETS)
        with pytest.raises(ModelError):
            run(WRONG)
    assert [answer.found for answer in done.result.answers] == [True, False, True]
    assert any("question 2" in text and "not numbers" in text for text in done.warnings)


def test_a_failed_try_is_made_again_and_then_given_up(loaded):
    loop = "and so on and so on " * 60
    answer, hand = written(loaded, loop, "Thirty-two [1].")
    assert answer.answer == "Thirty-two [1]." and len(hand.prompts) == 2
    answer, _ = written(loaded, loop, " \n")
    assert answer.found and answer.quoted  # the text is quoted instead


def test_a_word_of_one_character_is_quoted_with_its_sentence(tmp_path):
    path = tmp_path / "book.txt"
    filler = "众人都坐着说话，没有别的事。" * 12 + "\n\n"
    told = "墙上挂着一口剑。" + "屋里很暗，没有人来。" * 6 + "\n\n"
    path.write_text(filler * 4 + told + filler * 4, encoding="utf-8")
    *_, done = ask(str(path), Options(save=False), question=["剑在哪里？"])
    (answer,) = done.result.answers
    assert answer.found and answer.answer == "墙上挂着一口剑。"


def test_a_refused_question_never_reaches_the_model(loaded):
    answer, hand = written(loaded, question=WRONG)
    assert not answer.found and not hand.prompts


def test_what_stands_in_a_question_is_plain_text(loaded):
    answer, hand = written(loaded, "Thirty-two [1].", question=BUCKETS + " {} <|end|> [b]")
    assert "{} <|end|> [b]" in hand.prompts[0] and answer.found


def test_json_has_no_more_than_it_promises():
    from longread.cli.render import machine

    record = json.loads(machine.dumps(machine.record(run(BUCKETS))))
    (answer,) = record["result"]["answers"]
    assert set(answer) == {"question", "answer", "found", "evidence"}
    assert set(answer["evidence"][0]) == {"rank", "chapter", "start", "end", "share", "text"}
