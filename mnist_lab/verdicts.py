"""The sources' claims held against a study: supported, contradicted, not decided, or not yet measured.

Everything is computed from the study, so that a rerun can overturn a verdict. The rules were fixed before the first
run of the study had ended:

- The measure is the mean of the last five epochs, which both write-ups show, not the best epoch, which was chosen on
  the test set. Settings are compared over the seeds they share; the t-interval decides.
- The comparisons for one source are corrected together (Holm), each pair once, those that are not measured yet too
  (at first only those that were, which made the correction milder while the study was not complete).
  "The best" and "the lowest" are corrected over their rivals.
- "Higher" or "lower" is supported by an interval wholly on that side of zero, contradicted by one wholly on the other.
- "No difference" is contradicted by an interval that leaves out zero, and supported by one that has zero in it and lies
  within `claims.MARGIN` of it. "Not higher" is contradicted by an interval wholly above zero, and supported by one that
  ends below the margin.
- "The best" is supported when it beats every rival, contradicted when one of them beats it; so is "the lowest".
- "Reaches" is supported by an interval of the mean that starts at the number or above, contradicted by one that ends
  below it.
- A claim that is "open" is about people, and not decided whatever the study shows. There is one. At first it was put as
  "half of the errors are on disputed labels", which fifteen labels among some seventy errors can never reach, so that
  rule was taken back. It takes no comparison, and the others are not corrected for it.
- Two claims say that more epochs would bring more. Whether the last epochs brought something can contradict that and
  not support it, because the learning rate is halved there: such a claim has a comparison that "cannot support" it.
  At first it could. And at first "stable" was held against one rival alone, although the write-up names them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mnist_lab.claims import (
    BEST,
    CLAIMS,
    HIGHER,
    LOWER,
    LOWEST,
    MARGIN,
    NOT_HIGHER,
    OPEN,
    REACHES,
    SAME,
    Claim,
    Side,
)
from mnist_lab.runs.study import Study
from mnist_lab.statistics import LEVEL, Difference, StatisticsError, against, holm_adjusted, paired
from mnist_lab.study_values import values_of
from mnist_lab.verdict_sentences import Compared, claim_sentence, measured_on, open_sentence
from mnist_lab.verdict_text import difference_verdict, many, number

SUPPORTED, CONTRADICTED, UNDECIDED, UNMEASURED = "supported", "contradicted", "not decided", "not yet measured"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A claim, its `outcome` (one of the four above), the sentence that gives the numbers, and the comparisons.

    `seeds` is the fewest seeds that any of the comparisons rests on.
    """

    claim: Claim
    outcome: str
    sentence: str
    compared: tuple[Compared, ...] = ()

    @property
    def seeds(self) -> int:
        return min((one.difference.n_a for one in self.compared), default=0)

    @property
    def label(self) -> str:
        """The outcome as it is shown: "supported by five seeds"; without the seeds if no seeds could."""
        return f"{self.outcome} by {many(self.seeds, 'seed')}" if self.compared else self.outcome


def judge(
    study: Study, small: Study | None = None, claims: Sequence[Claim] = CLAIMS, level: float = LEVEL
) -> list[Verdict]:
    """Every claim's verdict, in the order of `claims`. `study` is "sources", `small` "small-data", if it is there."""
    studies = {"sources": study, "small-data": small}
    found: dict[tuple, Difference] = {}
    missing: dict[str, str] = {}
    for claim in claims:
        try:
            for pair in _comparisons(claim):
                found[_family(claim), pair] = _difference(studies[claim.study], pair, claim.target, level)
            if claim.relation == OPEN and not values_of(study, claim.a):
                raise StatisticsError(f"The study has no run of {claim.a.name} so far.")
        except StatisticsError as error:
            missing[claim.id] = str(error)
    planned = {(_family(claim), pair) for claim in claims for pair in _comparisons(claim)}
    adjusted = _adjusted(found, planned)
    return [
        Verdict(claim=claim, outcome=UNMEASURED, sentence=missing[claim.id]) if claim.id in missing
        else _verdict(claim, studies[claim.study], adjusted)
        for claim in claims
    ]


def _comparisons(claim: Claim) -> list[tuple[Side, Side | None]]:
    return list(claim.pairs) or ([] if claim.relation == OPEN else [(claim.a, None)])


def _family(claim: Claim) -> str:
    """Claims that are corrected together: a source's, but "the best" is a question over its own rivals."""
    return claim.id if claim.relation in (BEST, LOWEST) else claim.source


def _difference(
    study: Study | None, pair: tuple[Side, Side | None], target: float | None, level: float
) -> Difference:
    if study is None:
        raise StatisticsError("The small-data study is not there: make it with python -m mnist_lab study small-data.")
    a, b = pair
    if b is None:
        return against(_enough(study, a), target, level)
    return paired(_enough(study, a), _enough(study, b), level)


def _enough(study: Study, side: Side) -> dict[int, float]:
    values = values_of(study, side)
    if len(values) < 2:
        raise StatisticsError(
            f"The study has {many(len(values), 'run')} of {side.setting} so far; a comparison takes at least two seeds."
        )
    return values


def _adjusted(found: Mapping[tuple, Difference], planned: Collection[tuple]) -> dict[tuple, Difference]:
    result = {}
    for family in dict.fromkeys(key[0] for key in found):
        keys = [key for key in found if key[0] == family]
        missing = sum(key[0] == family for key in planned) - len(keys)
        result |= dict(zip(keys, holm_adjusted([found[key] for key in keys], missing), strict=True))
    return result


def _verdict(claim: Claim, study: Study, adjusted: Mapping[tuple, Difference]) -> Verdict:
    compared = tuple(
        Compared(a=pair[0], b=pair[1], difference=adjusted[_family(claim), pair]) for pair in _comparisons(claim)
    )
    if claim.relation == OPEN:
        outcome, sentence = UNDECIDED, open_sentence(claim, study)
    elif claim.relation in (BEST, LOWEST):
        outcome, sentence = _first(claim, compared, study)
    else:
        outcome = outcome_of(claim.relation, compared[0].difference)
        if claim.cannot_support and outcome == SUPPORTED:
            outcome = UNDECIDED
        sentence = claim_sentence(claim, compared[0], study, ruled_out=outcome == SUPPORTED)
    return Verdict(claim=claim, outcome=outcome, sentence=sentence, compared=compared)


def outcome_of(relation: str, difference: Difference) -> str:
    """The outcome for a claim that A is `relation` than B, by the rules at the top of this file."""
    interval = difference.adjusted_interval
    if difference.identical:
        return SUPPORTED if relation in (SAME, NOT_HIGHER, REACHES) else CONTRADICTED
    if interval is None:
        return UNDECIDED
    above, below = interval.low > 0, interval.high < 0
    supported, contradicted = {
        HIGHER: (above, below),
        LOWER: (below, above),
        SAME: (not (above or below) and interval.low >= -MARGIN and interval.high <= MARGIN, above or below),
        NOT_HIGHER: (not above and interval.high <= MARGIN, above),
        REACHES: (interval.low >= 0, below),
    }[relation]
    return SUPPORTED if supported else CONTRADICTED if contradicted else UNDECIDED


def _first(claim: Claim, compared: tuple[Compared, ...], study: Study) -> tuple[str, str]:
    """The outcome of "A is the best" or "the lowest" and its sentence, about the rival that does best against it."""
    sign = -1 if claim.relation == LOWEST else 1
    leads = {one: sign * one.difference.mean for one in compared}  # how far A is ahead of each
    beaten = [one for one in compared if one.difference.decided and leads[one] > 0]
    beating = [one for one in compared if one.difference.decided and leads[one] < 0]
    hardest = min(compared, key=leads.__getitem__)
    images = measured_on(study, claim.a)
    all_of_them = f"the {number(len(compared))} others"
    if beating:
        worst = min(beating, key=leads.__getitem__)
        return CONTRADICTED, difference_verdict(worst.difference, claim.a.name, worst.b.name, *images)
    hard = difference_verdict(hardest.difference, claim.a.name, hardest.b.name, *images)
    if len(beaten) == len(compared):
        return SUPPORTED, f"It beats each of {all_of_them}, by the least margin {hardest.b.name}. {hard}"
    ahead = sum(lead < 0 for lead in leads.values())
    return UNDECIDED, (
        f"Of {all_of_them} it is shown to beat {number(len(beaten))}, and {number(ahead)} "
        f"{'is' if ahead == 1 else 'are'} ahead of it on average. {hard}"
    )
