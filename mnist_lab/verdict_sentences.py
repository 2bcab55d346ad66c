"""What a claim's verdict says: its comparisons in sentences, and on one line each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from mnist_lab.claims import MARGIN, MEASURES, NOT_HIGHER, SAME, Claim, Side
from mnist_lab.config import ALL
from mnist_lab.data.sizes import TRAIN_IMAGES
from mnist_lab.evaluation import DISPUTED
from mnist_lab.runs.study import Study
from mnist_lab.statistics import Difference
from mnist_lab.study_values import values_of
from mnist_lab.verdict_text import (
    amount_text,
    chance_text,
    interval_text,
    many,
    number,
    p_text,
    points,
    signed,
    worth_showing,
)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A comparison that a claim takes: its sides, and the difference A minus B (B is None: minus the target)."""

    a: Side
    b: Side | None
    difference: Difference


def measured_on(study: Study, side: Side) -> tuple[int | None, str]:
    """On how many images of which kind a measure is taken; None and its name if it is no share of images."""
    if side.measure == "wobble":
        return None, MEASURES["wobble"]
    if side.measure != "train":
        return len(study.labels), "test"
    wanted = study.config(side.setting).train_images
    return (TRAIN_IMAGES if wanted == ALL else wanted), "training"


def claim_sentence(claim: Claim, one: Compared, study: Study, ruled_out: bool) -> str:
    """The difference that a claim takes, in points and images, and whether chance explains it.

    `ruled_out` is whether a difference of more than `claims.MARGIN` is, for a claim that there is none.
    """
    difference = one.difference
    if one.b is None:
        return _target_sentence(claim, difference, len(study.labels))
    found = amount_text(difference, one.a.name, one.b.name, *measured_on(study, one.a))
    if claim.relation not in (SAME, NOT_HIGHER) or difference.interval is None or difference.decided:
        return f"{found}: {'there is no difference' if difference.identical else chance_text(difference)}."
    what = "a gain" if claim.relation == NOT_HIGHER else "a difference either way"
    margin = f"{what} of more than {MARGIN:g} points, {MARGIN * len(study.labels) / 100:g} images,"
    return f"{found}: {margin} {'is ruled out' if ruled_out else 'cannot be ruled out, nor can none'}."


def _target_sentence(claim: Claim, difference: Difference, images: int) -> str:
    assert claim.target is not None
    mean = claim.target + difference.mean
    interval = worth_showing(difference, difference.adjusted_interval)
    reach = interval_text(difference) if interval is None else (
        f"{100 * difference.level:g} % interval {claim.target + interval.low:.2f} to {claim.target + interval.high:.2f}"
        + (f", corrected for {difference.family} comparisons" if difference.family > 1 else "")
    )
    amount = many(round(abs(difference.mean) * images / 100), "test image")
    return (
        f"{claim.a.name}, {MEASURES[claim.a.measure]}: {mean:.2f} % on average over {many(difference.n_a, 'seed')} "
        f"({reach}), {signed(difference.mean)} points from {claim.target:g} %"
        f"{f' or {amount}' if claim.a.measure == 'test' else ''}: {chance_text(difference)}."
    )


def open_sentence(claim: Claim, study: Study) -> str:
    """The share of errors that are on disputed labels, the largest that it could be, and who can tell more."""
    accuracies = values_of(study, replace(claim.a, measure="test at the end")).values()
    errors = [(1 - accuracy / 100) * len(study.labels) for accuracy in accuracies]
    shares = [share for share in values_of(study, claim.a).values() if np.isfinite(share)]
    over = f"on average over {many(len(errors), 'seed')}" if len(errors) > 1 else "with one seed"
    found = f"{claim.a.name} makes {fmean(errors):.0f} errors {over}"
    if shares:
        most = fmean(100 * min(1, len(DISPUTED) / count) for count in errors if count)
        found += (
            f", of which {fmean(shares):.0f} % are on disputed labels. Only {number(len(DISPUTED))} labels are, so it "
            f"could be {most:.0f} % at most"
        )
    return (
        f"{found}: that cannot tell what people would read. “Beat the network” on the Mistakes page can: there people "
        "read the misread digits themselves."
    )


def detail(one: Compared) -> str:
    """The numbers behind a comparison on one line: p, adjusted p, sign flips and their floor."""
    difference = one.difference
    who = f"{one.a.name} − {one.b.name if one.b else 'target'}"
    parts = [f"{who}: {points(difference.mean)}", f"t-test {p_text(difference.p)}"]
    if difference.family > 1:
        parts.append(f"corrected for {difference.family} comparisons (Holm) {p_text(difference.adjusted_p)}")
    if difference.flip_p is not None:
        parts.append(f"sign flips {p_text(difference.flip_p)} (at least {difference.flip_floor:.4g})")
    return "; ".join(parts)
