"""What is made of answers: unblinded rightly, first showings for numbers, repeats for agreement, doubts told."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from MRTranslateLib.cli.main import main
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.review.content import Summary
from MRTranslateLib.review.questions import Comment, Rating
from MRTranslateLib.review.report import render_html
from MRTranslateLib.review.summary import summarize
from Testing.library.review_examples import write_answers, write_session

READERS = ("anna", "bert")


def number(case_id):
    return int(case_id.removeprefix("case"))


def told_apart(question, case_id, kind, is_repeat):
    """Always sure and right; synthetic images are rated one lower."""
    if question == "real_or_synthetic":
        return 6 if kind == "synthetic" else 1
    return 4 if kind == "real" else 3


def noisy(seed):
    """Ratings that depend on the case, and chance of a reader's own."""

    def rate(question, case_id, kind, is_repeat):
        chance = np.random.default_rng([seed, number(case_id), kind == "real", len(question), is_repeat])
        highest = 6 if question == "real_or_synthetic" else 5
        middle = 2.5 + (number(case_id) % 3) * 0.7 + (0.8 if (kind == "synthetic") == (highest == 6) else 0)
        return int(np.clip(np.rint(middle + chance.normal(0, 1)), 1, highest))

    return rate


@pytest.fixture
def read(tmp_path):
    """A session of 12 cases, half of the items repeated, that both readers have finished; ``rates`` by reader."""

    def make(rates, **options):
        session, key = write_session(tmp_path / "session", **({"num_cases": 12, "repeat": 0.5} | options))
        for reader, rate in rates.items():
            write_answers(tmp_path / "session", session, key, reader, rate)
        return tmp_path / "session", session, key

    return make


def rating(summary, question, reader):
    return next(each for each in summary.ratings if (each.question, each.reader) == (question, reader))


def agreement(summary, question, first, second):
    wanted = (question, first, second)
    return next(each for each in summary.agreement if (each.question, each.first, each.second) == wanted)


# --- numbers ------------------------------------------------------------------------------------------------------


def test_readers_who_always_know_have_an_auc_and_accuracy_of_1(read):
    folder, _, _ = read(dict.fromkeys(READERS, told_apart))
    found = summarize(folder).discrimination
    assert [each.reader for each in found] == ["anna", "bert", None]
    assert all((each.auc.value, each.accuracy.value, each.auc.num) == (1.0, 1.0, 12) for each in found)


def test_a_constant_difference_has_an_interval_without_width(read):
    folder, _, _ = read(dict.fromkeys(READERS, told_apart))
    difference = rating(summarize(folder), "quality", None).difference
    assert (difference.value, difference.low, difference.high, difference.num) == (-1.0, -1.0, -1.0, 12)


def test_the_auc_of_a_reader_is_that_of_first_showings_by_scikit_learn(read):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    rate = noisy(1)
    truth, said = zip(
        *(
            (kind == "synthetic", rate("real_or_synthetic", f"case{case:02d}", kind, False))
            for case in range(12)
            for kind in ("real", "synthetic")
        ),
        strict=True,
    )
    found = summarize(folder).discrimination
    assert found[0].auc.value == pytest.approx(roc_auc_score(truth, said))
    assert found[2].auc.value == pytest.approx((found[0].auc.value + found[1].auc.value) / 2)
    assert found[0].auc.low < found[0].auc.value < found[0].auc.high


def test_means_medians_and_counts_are_of_first_showings(read):
    def first_showings_are_2(question, case_id, kind, is_repeat):
        return 5 if is_repeat else 2

    folder, _, _ = read(dict.fromkeys(READERS, first_showings_are_2))
    quality = rating(summarize(folder), "quality", None)
    assert (quality.real.mean, quality.real.median, quality.real.num) == (2.0, 2.0, 24)
    assert quality.synthetic.counts == (0, 24, 0, 0, 0)


def test_the_difference_is_paired_by_case_and_of_all_readers_their_mean(read):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    changes = [
        [
            noisy(seed)("quality", f"case{case:02d}", "synthetic", False)
            - noisy(seed)("quality", f"case{case:02d}", "real", False)
            for case in range(12)
        ]
        for seed in (1, 2)
    ]
    summary = summarize(folder)
    assert rating(summary, "quality", "anna").difference.value == pytest.approx(np.mean(changes[0]))
    together = rating(summary, "quality", None).difference
    assert together.value == pytest.approx(np.mean(changes))
    assert together.low < together.value < together.high


def test_kappa_between_readers_is_that_of_scikit_learn_over_first_showings(read):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    said = [
        [noisy(seed)("lesions", f"case{case:02d}", kind, False) for case in range(12) for kind in ("real", "synthetic")]
        for seed in (1, 2)
    ]
    found = agreement(summarize(folder), "lesions", "anna", "bert")
    assert found.kappa.value == pytest.approx(cohen_kappa_score(*said, weights="quadratic"))
    assert (found.num_items, found.kappa.num) == (24, 12)
    assert found.same == pytest.approx(np.mean(np.equal(*said)))
    assert found.kappa.low < found.kappa.value < found.kappa.high


def test_kappa_within_a_reader_is_that_of_scikit_learn_over_repeats(read):
    folder, _, key = read({"anna": noisy(1), "bert": told_apart})
    items = [(item.case_id, item.kind) for item in key.items.values()]
    twice = sorted({item for item in items if items.count(item) == 2})
    said = [[noisy(1)("quality", case, kind, is_repeat) for case, kind in twice] for is_repeat in (False, True)]
    summary = summarize(folder)
    found = agreement(summary, "quality", "anna", None)
    assert found.num_items == len(twice) == 12
    assert found.kappa.value == pytest.approx(cohen_kappa_score(*said, weights="quadratic"))
    assert agreement(summary, "quality", "bert", None).kappa.value == 1.0


def test_median_seconds_are_told_for_each_reader(tmp_path):
    session, key = write_session(tmp_path)
    write_answers(tmp_path, session, key, "anna", told_apart, seconds=12.5)
    anna, bert = summarize(tmp_path).readers
    assert (anna.median_seconds, anna.num_answered, anna.num_items) == (12.5, 10, 10)
    assert (bert.median_seconds, bert.num_answered) == (None, 0)


def test_comments_are_listed_with_what_the_item_was(tmp_path):
    session, key = write_session(tmp_path)
    write_answers(tmp_path, session, key, "anna", told_apart, comment=" a <b>lesion</b> & more ")
    comments = summarize(tmp_path).comments
    shown = [key.items[item] for item in session.orders["anna"]]
    assert [(each.case_id, each.kind) for each in comments] == [(each.case_id, each.kind) for each in shown]
    assert {(each.reader, each.text) for each in comments} == {("anna", "a <b>lesion</b> & more")}


def test_the_median_is_not_moved_by_one_low_rating(read):
    folder, _, _ = read(dict.fromkeys(READERS, lambda question, case_id, kind, again: 1 if number(case_id) == 0 else 4))
    quality = rating(summarize(folder), "quality", "anna")
    assert (quality.real.median, quality.real.mean) == (4.0, pytest.approx(3.75))


def test_what_the_plan_warned_of_is_told_again(read):
    folder, _, key = read({"anna": noisy(1), "bert": noisy(2)})
    warned = msgspec.structs.replace(key, warnings=("case01: resampled",))
    (folder / "key.json").write_bytes(msgspec.json.encode(warned))
    assert summarize(folder).warnings == ("case01: resampled",)


def test_the_same_answers_give_the_same_numbers(read):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    first, second = summarize(folder), summarize(folder)
    assert (first.ratings, first.discrimination, first.agreement) == (
        second.ratings,
        second.discrimination,
        second.agreement,
    )


def test_own_questions_are_summarized(tmp_path):
    questions = (Rating(name="rim", text="Is the rim seen?", labels=("no", "yes")), Comment(name="why", text="Why?"))
    session, key = write_session(tmp_path, questions=questions)
    write_answers(tmp_path, session, key, "anna", lambda question, case, kind, again: 1 + (kind == "real"))
    summary = summarize(tmp_path)
    assert summary.discrimination == ()
    assert rating(summary, "rim", "anna").difference.value == -1.0
    assert rating(summary, "rim", "anna").real.counts == (0, 4)


def test_results_alone_have_ratings_and_agreement_but_no_difference_and_no_auc(tmp_path):
    session, key = write_session(tmp_path, kinds=("synthetic",), num_cases=10, repeat=0.5)
    for reader in READERS:
        write_answers(tmp_path, session, key, reader, noisy(1))
    summary = summarize(tmp_path)
    quality = rating(summary, "quality", None)
    assert summary.discrimination == ()
    assert quality.real is None
    assert (quality.synthetic.num, quality.difference.value, quality.difference.num) == (20, None, 0)
    assert agreement(summary, "quality", "anna", "bert").kappa.value == 1.0
    assert "Real or synthetic" not in render_html(summary)


# --- who has not finished -----------------------------------------------------------------------------------------


def test_a_session_that_nobody_has_begun_is_refused(tmp_path):
    write_session(tmp_path)
    with pytest.raises(UsageError, match="nobody has answered anything in"):
        summarize(tmp_path)


def test_unfinished_readers_are_told_of_and_count_with_what_they_have(tmp_path):
    session, key = write_session(tmp_path, readers=("anna", "bert", "carl"))
    write_answers(tmp_path, session, key, "anna", told_apart)
    write_answers(tmp_path, session, key, "bert", told_apart, most=6)
    summary = summarize(tmp_path)
    assert summary.warnings[:2] == (
        "bert has answered 6 of 10 items: the numbers may still change",
        "carl has not begun and is left out",
    )
    seen = {(key.items[item].case_id, key.items[item].kind) for item in session.orders["bert"][:6]}
    both = {case for case, _ in seen if {(case, "real"), (case, "synthetic")} <= seen}
    assert [each.auc.num for each in summary.discrimination] == [4, len(both), len(both)]


@pytest.mark.parametrize("most", range(1, 11))
def test_there_is_a_summary_and_a_page_after_every_answer(tmp_path, most):
    session, key = write_session(tmp_path)
    write_answers(tmp_path, session, key, "anna", noisy(1), most=most)
    assert "Reading session" in render_html(summarize(tmp_path))


def test_few_cases_one_reader_and_few_repeats_are_told(tmp_path):
    session, key = write_session(tmp_path)
    write_answers(tmp_path, session, key, "anna", told_apart)
    text = " ".join(summarize(tmp_path).warnings)
    assert "cases are few (anna 4): intervals over fewer than 10 are too narrow" in text
    assert "anna is the only reader" in text
    assert "too few to judge a reader by (anna 2)" in text


def test_enough_cases_and_repeats_are_not_doubted(read):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    assert summarize(folder).warnings == ()


def test_one_rating_throughout_is_told_and_has_no_kappa(read):
    folder, _, _ = read(dict.fromkeys(READERS, lambda *what: 3))
    summary = summarize(folder)
    assert agreement(summary, "quality", "anna", "bert").kappa.value is None
    assert agreement(summary, "quality", "anna", "bert").same == 1.0
    assert "the same rating was given throughout (lesions, quality, real_or_synthetic)" in summary.warnings[-1]


# --- what is missing or damaged -----------------------------------------------------------------------------------


def test_a_key_that_was_kept_elsewhere_is_asked_for(read):
    folder, _, _ = read({"anna": told_apart})
    (folder / "key.json").rename(folder.parent / "key.json")
    with pytest.raises(InputError, match=r"key\.json is not there: put the session's key back"):
        summarize(folder)


def test_the_key_of_another_session_is_refused(read, tmp_path):
    folder, _, _ = read({"anna": told_apart})
    write_session(tmp_path / "other", seed=7)
    (tmp_path / "other" / "key.json").replace(folder / "key.json")
    with pytest.raises(InputError, match=r"key\.json is the key of another session"):
        summarize(folder)


def test_a_damaged_key_or_answer_is_named(read):
    folder, session, _ = read({"anna": told_apart})
    path = folder / "answers" / "anna" / f"{session.orders['anna'][3]}.json"
    text = path.read_text()
    path.write_text(text[:20])
    with pytest.raises(InputError, match=f"{path.name} is no answer of this session"):
        summarize(folder)
    path.write_text(text)
    (folder / "key.json").write_text("{}")
    with pytest.raises(InputError, match=r"key\.json is no key of this version"):
        summarize(folder)


# --- the command and the page -------------------------------------------------------------------------------------


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.tables, self.cells = [], 0, []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "line", "rect", "circle"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data


def test_the_page_is_well_formed_and_escapes_what_people_wrote(tmp_path):
    session, key = write_session(tmp_path)
    write_answers(tmp_path, session, key, "anna", told_apart, comment="<script>alert(1)</script>")
    text = render_html(summarize(tmp_path))
    page = Balanced()
    page.feed(text)
    assert page.open == []
    assert "<script" not in text
    assert "SYNTHETIC" in text
    assert "1.00 (1.00 to 1.00)" in page.cells


def test_the_command_prints_writes_json_and_page(read, tmp_path, capsys):
    folder, _, _ = read({"anna": noisy(1), "bert": noisy(2)})
    paths = {"--json": tmp_path / "summary.json", "--html": tmp_path / "summary.html"}
    words = [word for option, path in paths.items() for word in (option, str(path))]
    assert main(["review", "summarize", str(folder), *words]) == 0
    out = capsys.readouterr().out
    for text in ("told apart with an AUC of", "anna and bert", "quality: How good is the image quality?"):
        assert text in out
    numbers = json.loads(paths["--json"].read_text(encoding="utf-8"))
    assert numbers["discrimination"][0]["auc"]["num"] == 12
    assert set(numbers) == set(Summary.__struct_fields__)
    assert paths["--html"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_command_keeps_files_that_are_there(read, tmp_path, capsys):
    folder, _, _ = read({"anna": told_apart})
    (tmp_path / "summary.json").write_text("mine")
    words = ["review", "summarize", str(folder), "--json", str(tmp_path / "summary.json")]
    assert main(words) == 2
    assert (tmp_path / "summary.json").read_text() == "mine"
    assert main([*words, "--overwrite"]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["readers"]


def test_the_command_says_in_a_sentence_that_nobody_has_answered(tmp_path, capsys):
    write_session(tmp_path)
    assert main(["review", "summarize", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("mrtranslate: nobody has answered anything in")
    assert len(err.strip().splitlines()) == 1
