"""A lesson's claims held against the recorded runs, so that no lesson teaches what the data does not show.

A claim about the mean of a setting, or about the difference of two over the seeds that both were trained with, rests on
its t-interval. Those of one lesson that say "above" or "below" are corrected together (Holm), those that are not
measured yet with them; "within" wants the whole 95 % interval there, which is stricter than a test of each side at
that level. Any other claim compares one number with another.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_lab.lessons.figures import Found, NotMeasuredError, Records
from mnist_lab.lessons.model import ABOVE, WITHIN, Lesson, LessonClaim
from mnist_lab.statistics import Difference, against, holm_adjusted
from mnist_lab.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED, UNMEASURED


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim, its `outcome` (as in `verdicts`), and its figure in words, or why there is none.

    Unless it is `complete`, more runs are to come and may change the outcome.
    """

    claim: LessonClaim
    outcome: str
    figure: str
    complete: bool = False


def judge(lesson: Lesson, records: Records) -> list[Judged]:
    """Every claim of the lesson, in its order."""
    found = {claim: _find(claim, lesson, records) for claim in lesson.claims}
    tests = {
        claim: against(one.found.by_seed, one.than)
        for claim, one in found.items()
        if isinstance(one, _Held) and len(one.found.by_seed) > 1 and claim.relation != WITHIN
    }
    missing = sum(
        isinstance(one, str) or len(one.found.by_seed) == 1
        for claim, one in found.items() if claim.relation != WITHIN
    )
    adjusted = dict(zip(tests, holm_adjusted(list(tests.values()), missing), strict=True))
    return [_judged(claim, found[claim], adjusted.get(claim)) for claim in lesson.claims]


@dataclass(frozen=True)
class _Held:
    """A claim's figure, and the number that it is held against."""

    found: Found
    than: float
    against: str = ""


def _find(claim: LessonClaim, lesson: Lesson, records: Records) -> _Held | str:
    try:
        found = records.find(lesson.figures[claim.figure])
        if isinstance(claim.than, str):
            other = records.find(lesson.figures[claim.than])
            return _Held(found, other.value, f", against {other.text()}")
        return _Held(found, claim.than)
    except NotMeasuredError as error:
        return str(error)


def _judged(claim: LessonClaim, held: _Held | str, test: Difference | None) -> Judged:
    if isinstance(held, str):
        return Judged(claim=claim, outcome=UNMEASURED, figure=held)
    outcome = _within(held) if claim.relation == WITHIN else _beyond(claim, held, test)
    figure = held.found.text("sure") + held.against
    return Judged(claim=claim, outcome=outcome, figure=figure, complete=held.found.complete)


def _beyond(claim: LessonClaim, held: _Held, test: Difference | None) -> str:
    """Above or below: by the corrected interval where there are seeds, else by the number itself."""
    if test is None and held.found.by_seed:
        return UNDECIDED  # one seed
    if test is not None and test.standard_error and not test.decided:
        return UNDECIDED
    return SUPPORTED if (held.found.value > held.than) == (claim.relation == ABOVE) else CONTRADICTED


def _within(held: _Held) -> str:
    """Wholly so far from zero, or wholly farther: by the interval where there are seeds."""
    low = high = held.found.value
    if held.found.by_seed:
        if len(held.found.by_seed) < 2:
            return UNDECIDED
        interval = against(held.found.by_seed, 0.0).interval
        low, high = (interval.low, interval.high) if interval else (low, high)
    if -held.than <= low and high <= held.than:
        return SUPPORTED
    return CONTRADICTED if low > held.than or high < -held.than else UNDECIDED
