"""``mrtranslate review``: blinded reading sessions on the results of a batch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MRTranslateLib.cli.report import say_event, say_warnings, shown_progress
from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.files import json_text, refuse_unfit_output, shown, write_text_atomic
from MRTranslateLib.review.order import DEFAULT_REPEAT

if TYPE_CHECKING:
    from MRTranslateLib.review.content import Summary
    from MRTranslateLib.review.plan import PlannedSession


def add_review_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``review`` with its actions to the command line."""
    parser = subparsers.add_parser("review", help="plan and summarize blinded reading sessions")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_plan(actions)
    _add_summarize(actions)


def _add_plan(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    action = actions.add_parser(
        "plan",
        help="make a session from the results of a batch",
        description="Make a session in which readers judge the real and the synthetic target of each case without "
        "knowing which is which: alike in outline, range, grid and file, under random names, in a random order for "
        "each reader, some of them twice. key.json in SESSION says which is which: keep it from readers, and put it "
        "back to summarize. Nobody is blinded who opens it, knows the seed, or can compare items with the scans.",
        allow_abbrev=False,
    )
    action.add_argument("input", type=Path, metavar="INPUT", help="the folder or case list that batch took")
    action.add_argument("results", type=Path, metavar="RESULTS", help="the folder that batch wrote")
    action.add_argument("session", type=Path, metavar="SESSION", help="a new or an empty folder")
    action.add_argument("--readers", required=True, metavar="A,B", help="names of the readers, e.g. anna,bert")
    action.add_argument(
        "--repeat",
        type=float,
        default=DEFAULT_REPEAT,
        metavar="SHARE",
        help="of the items that come twice, to see how far readers agree with themselves (default: %(default)s)",
    )
    action.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of repeats and orders; who knows it can work out the key (default: drawn, and recorded in the key)",
    )
    action.add_argument("--no-real", action="store_true", help="show results only, also of cases without a real target")
    action.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="ask these: a .csv with the columns kind (rating, real_or_synthetic, comment), name, text and labels "
        "(separated by |), or a .json with the same (default: quality, real or synthetic, lesions, comment)",
    )
    action.add_argument("--progress", choices=("bar", "json", "none"), default="bar")
    action.set_defaults(run=run_plan)


def _add_summarize(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    action = actions.add_parser(
        "summarize",
        help="unblind a session and report",
        description="Unblind a session: ratings of real and synthetic images, how well readers told them apart (AUC), "
        "how far they agree with each other and with themselves (weighted kappa), with 95 %% intervals over cases. "
        "Whoever reads it is no longer blinded. Research use only.",
        allow_abbrev=False,
    )
    action.add_argument("session", type=Path, metavar="SESSION", help="as review plan made it")
    action.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers here")
    action.add_argument("--html", type=Path, metavar="FILE", help="also write a page")
    action.add_argument("--overwrite", action="store_true", help="replace existing output files")
    action.set_defaults(run=run_summarize)


def run_plan(options: argparse.Namespace) -> int:
    """Plan, and say what is shown; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.review.plan.plan_session`.
    """
    # SimpleITK comes with the plan; --help does without.
    from MRTranslateLib.review.plan import SessionRequest, plan_session
    from MRTranslateLib.review.questions import read_questions

    request = SessionRequest(
        readers=tuple(name.strip() for name in options.readers.split(",")),
        questions=None if options.questions is None else read_questions(options.questions),
        repeat=options.repeat,
        seed=options.seed,
        with_real=not options.no_real,
    )
    with shown_progress(options.progress) as progress:
        planned = plan_session(options.input, options.results, options.session, request, progress=progress)
    _say_planned(planned, as_json=options.progress == "json")
    return 0


def _say_planned(planned: PlannedSession, *, as_json: bool) -> None:
    session, key = planned.session, planned.key
    say_warnings(key.warnings, as_json=as_json)
    num_different = len({(item.case_id, item.kind) for item in key.items.values()})
    if as_json:
        say_event(
            "result",
            session=str(planned.folder),
            num_cases=len(key.files),
            num_items=len(key.items),
            num_repeats=len(key.items) - num_different,
            left_out=key.left_out,
        )
        return
    for case_id, why in key.left_out.items():
        print(f"{case_id} left out: {why}")
    print(
        f"{len(key.files)} cases, {len(key.items)} items ({len(key.items) - num_different} of them repeats) for "
        f"{' and '.join(session.orders)} in {shown(planned.folder)}"
    )
    print("key.json there says which is which: keep it from the readers, and put it back to summarize")


def run_summarize(options: argparse.Namespace) -> int:
    """Write the files that were asked for, and print the numbers; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.review.summary.summarize`, and if a file cannot be written.
    """
    from MRTranslateLib.review.report import render_html
    from MRTranslateLib.review.summary import summarize

    for path in (options.json, options.html):
        if path is not None:
            refuse_unfit_output(path, overwrite=options.overwrite)  # before the work
    summary = summarize(options.session)
    say_warnings(summary.warnings, as_json=False)
    if options.json is not None:
        write_text_atomic(options.json, json_text(summary), overwrite=options.overwrite)
    if options.html is not None:
        write_text_atomic(options.html, render_html(summary), overwrite=options.overwrite)
    print(render_summary(summary))
    return 0


def render_summary(summary: Summary) -> str:
    """The summary as plain tables, without a newline at the end."""
    from MRTranslateLib.review.questions import Rating
    from MRTranslateLib.review.tables import agreement_table, discrimination_table, ratings_table, readers_table
    from MRTranslateLib.review.wording import findings

    parts = ["\n".join(findings(summary)), render_table(readers_table(summary), "lrr")]
    if summary.discrimination:
        parts.append(f"real or synthetic\n{render_table(discrimination_table(summary), 'lrrr')}")
    for question in summary.questions:
        if isinstance(question, Rating):
            shown_ratings = render_table(ratings_table(summary, question.name), "lrrrr")
            agreement = render_table(agreement_table(summary, question.name), "lrrr")
            parts.append(f"{question.name}: {question.text}\n{shown_ratings}\n\n{agreement}")
    comments = [f"{each.case_id}, {each.kind}, {each.reader}: {each.text}" for each in summary.comments]
    if comments:
        parts.append("\n".join(["comments", *comments]))
    return "\n\n".join(parts)
