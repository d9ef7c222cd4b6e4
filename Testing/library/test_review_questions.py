"""The form: what it asks by default, what replaces it, and what is no answer."""

from __future__ import annotations

import json

import pytest

from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.review.questions import DEFAULT_QUESTIONS, Comment, Rating, checked_values, read_questions

LABELS = ["no", "yes"]
GOOD = {"quality": 4, "real_or_synthetic": 6, "lesions": 1, "comment": "blurred"}


@pytest.fixture
def questions_file(tmp_path):
    def write(content, name="questions.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_the_default_form_asks_quality_origin_lesions_and_a_comment():
    assert [(each.name, each.num_points) for each in DEFAULT_QUESTIONS] == [
        ("quality", 5),
        ("real_or_synthetic", 6),
        ("lesions", 5),
        ("comment", 0),
    ]
    assert DEFAULT_QUESTIONS[1].labels[0] == "surely real"
    assert DEFAULT_QUESTIONS[1].labels[-1] == "surely synthetic"


def test_a_json_file_replaces_the_form(questions_file):
    rows = [
        {"kind": "rating", "name": "rim", "text": "Is the rim seen?", "labels": LABELS},
        {"kind": "comment", "name": "why", "text": "Why?"},
    ]
    assert read_questions(questions_file(rows)) == (
        Rating(name="rim", text="Is the rim seen?", labels=("no", "yes")),
        Comment(name="why", text="Why?"),
    )


def test_a_csv_file_says_the_same(questions_file):
    text = "\ufeffkind,name,text,labels\nrating,rim,Is the rim seen?,no | yes\ncomment,why,Why?,\n,,,\n"
    assert read_questions(questions_file(text, "questions.csv")) == (
        Rating(name="rim", text="Is the rim seen?", labels=("no", "yes")),
        Comment(name="why", text="Why?"),
    )


def rating(**changed):
    return {"kind": "rating", "name": "rim", "text": "Is the rim seen?", "labels": LABELS} | changed


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "there are 0 questions"),
        ([rating(name=f"q{number}") for number in range(21)], "there are 21 questions"),
        ([rating(), rating()], "two questions are named rim"),
        ([rating(name="Rim 1")], "'Rim 1' cannot name a question"),
        ([rating(text=" ")], "the question rim has no text"),
        ([rating(labels=["only"])], "the question rim needs 2 to 10 labels"),
        ([rating(labels=["a", " "])], "the question rim needs 2 to 10 labels"),
        ([rating(points=5)], "points"),
        ([rating(kind="choice")], "choice"),
        ([{"kind": "comment", "name": "why"}], "text"),
        ([rating(kind="real_or_synthetic", labels=["a", "b", "c"])], "3 labels where an even number is needed"),
        ([rating(kind="real_or_synthetic"), rating(kind="real_or_synthetic", name="again")], "more than one question"),
        ({"questions": []}, "array"),
        ("{", "holds no valid questions"),
    ],
)
def test_a_form_that_cannot_be_asked_is_refused_in_a_sentence_with_the_file(questions_file, rows, words):
    with pytest.raises(InputError, match=r"questions\.json holds no valid questions") as caught:
        read_questions(questions_file(rows))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["kind,name,text\nrating,rim,Seen?,too,many\n", "name,text\nrim,Seen?\n", "x"])
def test_a_table_that_is_no_form_is_refused(questions_file, text):
    with pytest.raises(InputError, match=r"questions\.csv holds no valid questions"):
        read_questions(questions_file(text, "questions.csv"))


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        read_questions(tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"questions\.txt has the extension '\.txt'"):
        read_questions(tmp_path / "questions.txt")


def test_answers_come_in_the_order_of_the_questions_and_an_empty_comment_may_be_left_out():
    given = {"lesions": 1, "real_or_synthetic": 6, "quality": 4}
    assert list(checked_values(DEFAULT_QUESTIONS, given).items()) == [
        ("quality", 4),
        ("real_or_synthetic", 6),
        ("lesions", 1),
        ("comment", ""),
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"quality": 0}, "quality is '0': give a whole number from 1 to 5"),
        ({"quality": 6}, "quality is '6'"),
        ({"real_or_synthetic": 7}, "from 1 to 6"),
        ({"quality": 3.0}, "quality is '3.0'"),
        ({"quality": True}, "quality is 'True'"),
        ({"quality": "4"}, "quality is '4'"),
        ({"comment": "x" * 4001}, "comment is no text of up to 4000"),
        ({"comment": 3}, "comment is no text"),
        ({"sharpness": 3}, "there is no question 'sharpness'"),
    ],
)
def test_what_is_no_answer_is_refused_with_question_and_value(changed, words):
    with pytest.raises(ValueError, match=words):
        checked_values(DEFAULT_QUESTIONS, GOOD | changed)


def test_a_rating_may_not_be_left_out():
    with pytest.raises(ValueError, match="lesions is not answered"):
        checked_values(DEFAULT_QUESTIONS, {"quality": 4, "real_or_synthetic": 1})
