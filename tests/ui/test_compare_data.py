"""What the Compare page compares: how runs become variants, what they are called, and when a comparison is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_records import LABELS, trained, with_studies

from mnist_lab.runs.library import Library
from mnist_lab.runs.record import LOGITS, RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.statistics import StatisticsError
from mnist_lab.ui import compare_find
from mnist_lab.ui.compare_data import LAST_EPOCH, LAST_FIVE, TRAIN, compare, names, two_networks


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(RunStore(tmp_path / "runs"), tmp_path / "pretrained")


def found(library: Library) -> dict:
    return {one.label: one for one in compare_find.variants(library)[0]}


def own(library: Library) -> list:
    return [one for one in compare_find.variants(library)[0] if one.key.startswith("own.")]


def test_runs_of_one_setting_are_one_variant_and_each_by_itself(library):
    for seed in (2, 0, 1):
        trained(library.own.root, f"run-{seed}", 4, seed=seed, config={"device": "cpu"} if seed else {})
    (whole,) = own(library)
    assert whole.seeds == [0, 1, 2] and whole.kind == "runs made here, 3 seeds"
    keys = [one.key for one in compare_find.variants(library)[0]]
    assert sorted(keys[1:]) == ["run.run-0", "run.run-1", "run.run-2"]


def test_a_link_to_a_variant_outlives_more_seeds(library):
    trained(library.own.root, "a", 4, seed=0)
    (before,) = own(library)
    trained(library.own.root, "b", 4, seed=1)
    assert [one.key for one in own(library)] == [before.key]


def test_of_two_runs_with_one_seed_the_newer_counts(library):
    trained(library.own.root, "20260101-a", 4)
    trained(library.own.root, "20260102-b", 8)
    (whole,) = own(library)
    newest = next(run for run in library.own.list() if run.id == whole.members[0].run.id)
    assert len(whole.members) == 1 and newest.timings["started"] == max(
        run.timings["started"] for run in library.own.list()
    )


def test_a_stopped_run_is_no_seed_of_a_variant(library):
    trained(library.own.root, "whole", 4, seed=0)
    trained(library.own.root, "part", 9, seed=1, status="stopped")
    (whole,) = own(library)
    assert whole.seeds == [0] and any("stopped" in label for label in found(library))


def test_other_images_or_settings_make_other_variants_that_can_be_told_apart(library):
    trained(library.own.root, "a", 4)
    trained(library.own.root, "b", 4, checksum="ab" * 32, source="folder")
    trained(library.own.root, "c", 4, config={"learning_rate": 0.02})
    labels = [one.name for one in own(library)]
    assert len(set(labels)) == 3 and any("learning rate 0.02" in label for label in labels)


def test_names_are_as_short_as_they_can_be(library):
    with_studies(library.pretrained.root, small=False)
    trained(library.pretrained.root, "b-bn", 4)
    every = {one.key: one for one in compare_find.variants(library)[0]}
    assert names([every["sources.b-bn"], every["sources.b-gbn"]]) == ["Source B: BN", "Source B: GBN"]
    both = names([every["sources.b-bn"], every["run.b-bn"]])
    assert both == ["Source B: BN · study sources, 5 seeds", "Source B: BN · pretrained, one run"]
    assert len(set(names([every["sources.b-bn"]] * 1 + [every["run.b-bn"], every["sources.b-gbn"]]))) == 3


def test_differences_are_paired_over_shared_seeds_and_else_not(library):
    for seed in range(3):
        trained(library.own.root, f"a-{seed}", 4 + seed, seed=seed)
        trained(library.own.root, f"b-{seed}", 10, seed=seed, config={"norm": "batch"})
        trained(library.own.root, f"c-{seed}", 10 + seed, seed=seed + 5, config={"norm": "layer"})
    by_norm = {one.config.norm: one for one in own(library)}
    shared = compare(by_norm["ghost"], by_norm["batch"], LAST_EPOCH)
    assert shared.kind == "paired" and shared.differences == pytest.approx((3.0, 2.5, 2.0))
    assert compare(by_norm["ghost"], by_norm["layer"], LAST_EPOCH).kind == "unpaired"
    assert compare(by_norm["ghost"], by_norm["batch"], TRAIN).identical
    with pytest.raises(StatisticsError, match="last five epochs"):
        compare(by_norm["ghost"], by_norm["batch"], LAST_FIVE)


def test_runs_on_other_images_are_refused(library):
    for seed in range(3):
        trained(library.own.root, f"a-{seed}", 4, seed=seed)
        trained(library.own.root, f"b-{seed}", 9, seed=seed, checksum="ab" * 32, config={"norm": "batch"})
    a, b = own(library)
    with pytest.raises(StatisticsError, match="different images"):
        compare(a, b, LAST_EPOCH)


def test_two_networks_are_counted_on_the_same_images_in_whatever_order(library):
    trained(library.own.root, "a", 4)
    trained(library.own.root, "b", 6, config={"norm": "batch"})
    path = library.own.root / "b" / LOGITS
    with np.load(path) as arrays:
        turned = {name: array[::-1] for name, array in arrays.items()}
    np.savez(path, **turned)
    a, b = sorted((one.members[0] for one in own(library)), key=lambda member: member.run.id)
    counted = two_networks(a, b)
    assert (counted.only_a, counted.only_b, counted.both_wrong) == (2, 0, 4) and counted.images == len(LABELS)
    path.write_bytes(b"no archive")
    with pytest.raises(RunError, match="damaged"):
        two_networks(a, b)


def test_a_study_gives_its_settings_with_all_their_seeds(library):
    with_studies(library.pretrained.root)
    variants, problems = compare_find.variants(library)
    assert not problems and len(variants) == 16 + 6
    first = variants[0]
    assert first.seeds == [0, 1, 2, 3, 4] and first.preset == first.key.removeprefix("sources.")
    assert compare_find.find_study("sources", library) is compare_find.find_study("sources", library)
    values = first.values(LAST_FIVE)
    assert values[0] == pytest.approx(first.members[0].history()["eval_accuracy"][-5:].astype(float).mean())


def test_a_study_that_lacks_a_file_is_a_problem_of_its_own(library):
    with_studies(library.pretrained.root)
    (library.pretrained.root / "study" / "sources.npz").unlink()
    variants, (problem,) = compare_find.variants(library)
    assert "sources" in problem and {one.key.partition(".")[0] for one in variants} == {"small-data"}
