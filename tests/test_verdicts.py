"""The sources' claims against made-up studies: whatever the study shows decides, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import LABELS, SOURCES, make_study

from mnist_lab.claims import BEST, CLAIMS, HIGHER, LOWER, LOWEST, MEASURES, NOT_HIGHER, OPEN, REACHES, SAME
from mnist_lab.evaluation import DISPUTED
from mnist_lab.presets import ALIASES, PRESETS
from mnist_lab.published import PUBLISHED, rows_of
from mnist_lab.runs.study import Study, load_study, save_study
from mnist_lab.statistics import paired
from mnist_lab.verdict_text import number
from mnist_lab.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED, UNMEASURED, judge, outcome_of

EQUAL = dict.fromkeys(SOURCES, 99.4)
CLEAR = {  # tenths of a point between all that the sources say differs
    **dict.fromkeys(SOURCES, 99.4), "b-gbn": 100 - 0.2, "b-l2-bn": 99.6, "b-l1-bn": 99.2, "b-l1-l2-bn": 99.0,
    "b-l1-gbn": 99.1, "b-l2-gbn": 99.4, "b-l1-l2-gbn": 98.9,
}


def outcomes(study: Study, small: Study | None = None) -> dict[str, str]:
    return {verdict.claim.id: verdict.outcome for verdict in judge(study, small)}


def small_study(gain: float, seeds: int = 10) -> Study:
    base = PRESETS["noisy-1000"].config
    return make_study(
        {"m-bn": 80.0, "m-wd": 80.0 + gain, "m-l1": 90.0}, seeds=seeds, spread=0.5, name="small-data",
        settings={"m-bn": base, "m-wd": base.replace(weight_decay=5e-3), "m-l1": base.replace(l1=1e-3)},
    )


def test_every_claim_is_about_settings_measures_and_rows_that_exist():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        for side in {side for pair in [*claim.pairs, (claim.a, claim.a)] for side in pair}:
            assert side.measure in MEASURES
            assert side.knobs or side.setting in PRESETS
        assert bool(claim.pairs) == (claim.relation not in (REACHES, OPEN))
        assert (claim.target is None) == (claim.relation != REACHES)
        assert claim.source_rows() or not claim.implied, "what a table implies is in its rows"
        assert all(row in PUBLISHED or row == "b-bn" or claim.implied for row in claim.source_rows())


def test_a_study_as_the_sources_have_it_supports_them():
    found = outcomes(make_study(CLEAR, spread=0.01))
    for id in ("b-best-gbn", "b-l2-second", "b-gbn-above-l2", "b-l2-over-l1", "b-l2-over-l1-gbn", "b-l1-hurts-gbn",
               "b-l1-l2-below-l2", "b-l1-l2-below-l1", "b-reaches", "a-l1-same", "a-l2-no-help"):
        assert found[id] == SUPPORTED, id


def test_a_rerun_can_overturn_every_verdict():
    """The same study with the accuracies mirrored at 99.3, and a real effect of L1 and L2 in A."""
    turned = {name: 2 * 99.3 - value for name, value in CLEAR.items()}
    found = outcomes(make_study(turned | {"a-l1-bn": 99.7, "a-l2-bn": 99.6, "a-gbn": 99.9}, spread=0.01))
    for id in ("b-best-gbn", "b-l2-second", "b-gbn-above-l2", "b-l2-over-l1", "b-l1-hurts-gbn", "b-l1-l2-below-l2",
               "b-reaches", "a-l1-same", "a-l2-no-help", "a-l2-lower", "a-gbn-below-l1", "a-gbn-below-bn"):
        assert found[id] == CONTRADICTED, id


def test_train_accuracy_is_judged_by_train_accuracy():
    train = {name: 98.0 - 0.3 * ("gbn" in name) for name in SOURCES}
    verdicts = {verdict.claim.id: verdict for verdict in judge(make_study(EQUAL, train=train, spread=0.02))}
    assert verdicts["a-gbn-train"].outcome == SUPPORTED == verdicts["a-gbn-train-l1-l2"].outcome
    assert "of the 60,000 training images" in verdicts["a-gbn-train"].sentence


@pytest.mark.parametrize(("rise", "more_epochs"), [(-0.2, UNDECIDED), (0.2, CONTRADICTED)])
def test_a_rise_at_the_end_may_come_from_the_learning_rate_and_a_fall_may_not(rise, more_epochs):
    def shape(setting, noise):
        return (np.repeat([rise, 0.0], 5) if setting == "a-gbn" else 0.0) + noise / 10

    assert outcomes(make_study(EQUAL, seeds=12, spread=0.02, shape=shape))["a-gbn-more-epochs"] == more_epochs


@pytest.mark.parametrize(("calmest", "outcome"), [("b-gbn", SUPPORTED), ("b-bn", CONTRADICTED), (None, UNDECIDED)])
def test_the_most_stable_is_the_one_that_moves_least(calmest, outcome):
    def shape(setting, noise):
        return noise / 10 if setting == calmest else noise

    assert outcomes(make_study(EQUAL, seeds=12, spread=0.02, shape=shape))["b-gbn-stable"] == outcome


def test_no_difference_needs_evidence_too():
    """The same truth, once with little noise and once with much: the second cannot support "no difference"."""
    precise, noisy = (outcomes(make_study(EQUAL, spread=spread)) for spread in (0.01, 0.2))
    assert precise["a-l1-same"] == SUPPORTED and noisy["a-l1-same"] == UNDECIDED
    assert precise["a-l1-l2-no-help"] == SUPPORTED and noisy["a-l1-l2-no-help"] == UNDECIDED


def test_the_small_data_study_is_found_by_its_knobs():
    study = make_study(EQUAL)
    assert outcomes(study, small_study(4.0))["a-l2-complex"] == SUPPORTED
    assert outcomes(study, small_study(-4.0))["a-l2-complex"] == CONTRADICTED
    assert outcomes(study)["a-l2-complex"] == UNMEASURED
    assert outcomes(study, small_study(4.0, seeds=1))["a-l2-complex"] == UNMEASURED


def test_an_undecided_claim_says_by_how_many_seeds():
    verdict = next(one for one in judge(make_study(EQUAL, seeds=3, spread=0.2)) if one.claim.id == "b-l2-over-l1")
    assert verdict.label == "not decided by three seeds" and verdict.seeds == 3
    verdict = next(one for one in judge(make_study(CLEAR, spread=0.01)) if one.claim.id == "b-l2-over-l1")
    assert verdict.label == "supported by five seeds"
    assert "of the 10,000 test images" in verdict.sentence


@pytest.mark.parametrize("seeds", [0, 1])
def test_a_study_that_has_just_begun_is_not_yet_measured(seeds):
    verdicts = {verdict.claim.id: verdict for verdict in judge(make_study(EQUAL, seeds=seeds))}
    people = verdicts.pop("a-humans") if seeds else verdicts["a-humans"]
    assert {verdict.outcome for verdict in verdicts.values()} == {UNMEASURED}
    assert all(verdict.sentence and verdict.label == UNMEASURED for verdict in verdicts.values())
    said = "errors with one seed, of which" if seeds else "The study has no run of a-gbn so far."
    assert said in people.sentence, "which takes no second seed, as it compares nothing"


def test_an_incomplete_study_judges_what_it_can():
    study = make_study({"a-bn": 99.4, "a-l1-bn": 99.4, "b-gbn": 99.4, "b-l1-gbn": 99.0})
    runs = [run for run in study.runs if run.setting != "a-l1-bn" or run.seed == 4]
    found = outcomes(Study(**{**vars_of(study), "runs": runs}))
    assert found["a-l1-same"] == UNMEASURED and found["b-l1-hurts-gbn"] == SUPPORTED
    assert found["b-best-gbn"] == UNMEASURED


def test_what_is_not_measured_yet_is_corrected_for_as_well():
    whole, part = make_study(EQUAL), make_study({name: EQUAL[name] for name in ("a-bn", "a-l1-bn", "b-gbn")})
    families = [
        {v.claim.id: {one.difference.family for one in v.compared} for v in judge(study)} for study in (whole, part)
    ]
    for id in ("a-l1-same", "b-reaches"):
        assert families[0][id] == families[1][id] and max(families[1][id]) > 8, id


def test_seeds_that_are_not_shared_are_not_compared():
    study = make_study({"a-bn": 99.4, "a-l1-bn": 99.4}, seeds=4)
    runs = [run for run in study.runs if (run.seed < 2) == (run.setting == "a-bn")]
    verdict = next(one for one in judge(Study(**{**vars_of(study), "runs": runs})) if one.claim.id == "a-l1-same")
    assert verdict.outcome == UNMEASURED and "none is in both" in verdict.sentence


def test_a_run_without_a_result_is_named():
    study = make_study({"a-bn": 99.4, "a-l1-bn": 99.4})
    study.of("a-bn")[2].history["eval_accuracy"][-3] = np.nan
    verdict = next(one for one in judge(study) if one.claim.id == "a-l1-same")
    assert verdict.outcome == UNMEASURED and "seed 2 has no result" in verdict.sentence


def vars_of(study: Study) -> dict:
    return {name: getattr(study, name) for name in ("name", "title", "command", "planned", "data", "runs", "labels")}


@pytest.mark.parametrize(("disputed", "others", "said"), [
    (0, 0, "makes 0 errors on average over five seeds: that cannot tell"),
    (0, 70, "makes 70 errors on average over five seeds, of which 0 % are on disputed labels."),
    (15, 60, "of which 20 % are on disputed labels. Only 15 labels are, so it could be 20 % at most: that cannot tell"),
    (12, 3, "of which 80 % are on disputed labels. Only 15 labels are, so it could be 100 % at most: that cannot tell"),
])
def test_what_people_would_read_is_left_open_whatever_the_errors_are(disputed, others, said):
    study = make_study({"a-gbn": 99.4, "a-bn": 99.4})
    for run in study.of("a-gbn"):
        wrong = [*list(DISPUTED)[:disputed], *[image for image in range(90) if image not in DISPUTED][:others]]
        run.digits[:] = LABELS
        run.digits[wrong] = (LABELS[wrong] + 1) % 10
    verdict = next(one for one in judge(study) if one.claim.id == "a-humans")
    assert verdict.outcome == UNDECIDED == verdict.label and said in verdict.sentence
    assert "“Beat the network” on the Mistakes page" in verdict.sentence and verdict.compared == ()


def test_what_a_write_up_says_in_words_is_not_called_implied():
    complex_data = next(claim for claim in CLAIMS if claim.id == "a-l2-complex")
    assert not complex_data.implied and "only helps if the dataset is complex" in complex_data.note
    assert complex_data.source_rows() == ()


def test_a_study_from_disk_gives_the_same_verdicts(tmp_path):
    study = make_study(EQUAL, seeds=3)
    save_study(study, tmp_path)
    assert judge(load_study("sources", tmp_path)) == judge(study)


def test_how_far_a_source_is_from_what_it_says_it_reached_is_told_in_images_too():
    study = make_study(dict.fromkeys(SOURCES, 98.9), spread=0.01)
    below = next(one for one in judge(study) if one.claim.id == "b-reaches")
    amount = round(abs(below.compared[0].difference.mean) * 100)
    assert f" points from 99.4 % or {number(amount)} test image" in below.sentence
    assert below.outcome == CONTRADICTED and below.sentence.endswith(": more than chance explains.")


def test_the_small_data_claims_are_corrected_with_their_sources_others():
    verdicts = {verdict.claim.id: verdict for verdict in judge(make_study(EQUAL), small_study(4.0))}
    families = {
        one.difference.family for verdict in verdicts.values() for one in verdict.compared
        if verdict.claim.source == "A" and verdict.claim.relation not in (BEST, LOWEST)
    }
    assert len(families) == 1 and families.pop() > 10


def test_sources_are_corrected_apart_and_the_best_among_its_rivals():
    families = {v.claim.id: {one.difference.family for one in v.compared} for v in judge(make_study(EQUAL))}
    alone = (BEST, LOWEST, OPEN)
    pairs = {source: {(c.a, c.b) for c in CLAIMS if c.source == source and c.relation not in alone}
             for source in "AB"}
    assert families["a-l1-same"] == {len(pairs["A"])} and families["b-l2-over-l1"] == {len(pairs["B"])}
    assert families["b-best-gbn"] == families["b-gbn-stable"] == {7} and families["b-l2-second"] == {6}


def test_under_the_null_a_source_gets_a_wrong_verdict_no_more_often_than_stated():
    """All settings equal: a verdict that names a difference is wrong. Counted by source, as corrected by source."""
    repetitions, wrong, rng, study = 100, dict.fromkeys("AB", 0), np.random.default_rng(7), make_study(EQUAL)
    for _ in range(repetitions):
        for run in study.runs:
            run.history["eval_accuracy"] = 99.4 + rng.normal(0, 0.06) + rng.normal(0, 0.03, 25)
            run.history["train_accuracy"] = 98.0 + rng.normal(0, 0.06, 25)
        verdicts = judge(study)
        for source in wrong:
            wrong[source] += any(
                one.difference.decided
                for verdict in verdicts
                if verdict.claim.source == source and verdict.claim.relation not in (BEST, LOWEST)
                for one in verdict.compared if one.b is not None
            )
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)
    assert all(count / repetitions <= limit for count in wrong.values()), wrong


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=6))
def test_outcomes_mirror_each_other(images):
    values = {seed: 99 + value / 100 for seed, value in enumerate(images)}
    base = dict.fromkeys(values, 99.0)
    one, other = paired(values, base), paired(base, values)
    assert outcome_of(HIGHER, one) == outcome_of(LOWER, other)
    assert outcome_of(SAME, one) == outcome_of(SAME, other)
    if outcome_of(HIGHER, one) == SUPPORTED:
        assert outcome_of(LOWER, one) == outcome_of(SAME, one) == outcome_of(NOT_HIGHER, one) == CONTRADICTED
        assert outcome_of(REACHES, one) == SUPPORTED
    if outcome_of(LOWER, one) == SUPPORTED:
        assert outcome_of(NOT_HIGHER, one) == SUPPORTED and outcome_of(REACHES, one) == CONTRADICTED


def test_published_figures_agree_with_the_write_ups_last_five_epochs():
    for row in PUBLISHED.values():
        if row.last_five:
            assert len(row.last_five) == 5
            assert np.mean([epoch[3] for epoch in row.last_five]) == pytest.approx(row.mean_of_last_five, abs=0.0051)
            assert max(epoch[3] for epoch in row.last_five) <= row.best
    assert all(name in PRESETS or name in ALIASES for name in PUBLISHED)
    assert list(rows_of("a-bn")) == ["a-bn", "a-source-l2-bn"] and rows_of("a-l2-bn") == {}
