"""What a summary says in sentences, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Iterator

from MRTranslateLib.review.content import Summary
from MRTranslateLib.review.questions import Rating, RealOrSynthetic
from MRTranslateLib.review.tables import estimate_text

AUC_EXPLAINED = (
    "AUC: the probability that a synthetic image is rated as more surely synthetic than a real one; 0.5 is chance, 1 "
    "always told apart, below 0.5 taken for the other. Accuracy: share called right by the half of the scale; 0.5 is "
    "chance. An interval that holds 0.5 does not show that the images are alike, only that this session does not tell."
)
RATINGS_EXPLAINED = (
    "Mean / median of first showings, and how often each rating was given by all readers. The difference is the mean "
    "over cases of which both images were rated, by all readers in the last row."
)
AGREEMENT_EXPLAINED = (
    "Kappa with quadratic weights: 1 is perfect, 0 what chance gives. Where nearly all ratings are the same it is low "
    "or undefined although readers agree: look at the share of same ratings too."
)


def findings(summary: Summary) -> Iterator[str]:
    """What was found, most important first, a sentence each; of all readers together where there are several."""
    counts = sum(each.num_answered > 0 for each in summary.readers)
    yield (
        f"{counts} of {len(summary.readers)} readers have judged the {summary.target} of {summary.num_cases} "
        f"{'case' if summary.num_cases == 1 else 'cases'}."
    )
    if summary.discrimination and (told := summary.discrimination[-1]).auc.value is not None:
        yield f"Real and synthetic images were told apart with an AUC of {estimate_text(told.auc)}; 0.5 is chance."
    for question in summary.questions:
        if isinstance(question, Rating) and not isinstance(question, RealOrSynthetic):
            scale = f"on a scale of 1 to {question.num_points}"
            last = [each for each in summary.ratings if each.question == question.name][-1]
            if last.difference.value is not None:
                change = estimate_text(last.difference, sign="+")
                yield f"{question.name}: synthetic images were rated {change} against real ones, {scale}."
            elif last.synthetic is not None:
                yield f"{question.name}: synthetic images were rated {last.synthetic.mean:.2f}, {scale}."
