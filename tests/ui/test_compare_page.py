"""The Compare page through the whole app: every part, what the URL says, and what may be missing or damaged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_records import MEANS, trained, with_studies
from lab import Lab, box, open_page, query, words
from streamlit.testing.v1 import AppTest
from studies import make_study

from mnist_lab.claims import CLAIMS
from mnist_lab.runs.record import HISTORY, WEIGHTS
from mnist_lab.runs.study import save_study
from mnist_lab.ui import compare_find

PAGE = "mnist_lab/ui/views/compare.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


@pytest.fixture
def seeds(lab):
    """Two settings with five seeds each, GBN 4 better by about two points, and a single run."""
    for seed in range(5):
        trained(lab.store.root, f"ghost-{seed}", 4 + seed % 2, seed=seed)
        trained(lab.store.root, f"plain-{seed}", 8 + seed % 3, seed=seed, config={"norm": "batch"})
    return lab


@pytest.fixture
def studies(lab):
    with_studies(lab.library.pretrained.root)
    return lab


def page(**parameters: str) -> AppTest:
    return open_page(PAGE, **parameters)


def test_nothing_trained_yet(lab):
    at = page()
    assert "no trained network yet" in words(at) and not at.multiselect
    assert [link.proto.label for link in at.get("page_link")] == ["Start a run on the Train page"]


@pytest.mark.parametrize(("part", "command"), [("claims", "study sources"), ("small", "study small-data")])
def test_parts_about_studies_say_how_to_make_them(lab, part, command):
    assert f"python -m mnist_lab {command}" in words(page(show=part))


def test_own_runs_are_variants_with_their_seeds(seeds):
    at = page()
    assert sorted(at.multiselect[0].value) == sorted(key for key in at.multiselect[0].value if key.startswith("own."))
    text = words(at)
    assert "They differ in" in text and "seeds of one variant alone lie up to" in text
    (summary, last_five) = at.dataframe
    assert "Best epoch, chosen on the test set" in summary.value and "Best epoch" not in summary.value
    assert sorted(summary.value["Test accuracy"]) == [95.6, 97.8] and list(summary.value["Seeds"]) == [5, 5]
    assert len(last_five.value) == 2
    assert list(summary.value["Seconds"]) == [3, 3], "no digits that the column does not show"


def test_two_settings_are_judged_over_their_seeds(seeds):
    text = words(page(show="real"))
    assert "with the same five seeds" in text and "more than chance explains" in text
    assert "against itself, with other seeds" in text and "exact McNemar" in text


def test_settings_are_sorted_as_numbers_and_marked_not_by_color_alone(lab):
    for seed, images in enumerate((1_000, 300, 3_000)):
        trained(lab.store.root, f"own-{images}", 4, config={"train_images": images, "l1": 1e-4 * seed})
    found = sorted(compare_find.variants(lab.library)[0], key=lambda variant: variant.config.l1)
    summary = page(of="~".join(variant.key for variant in found)).dataframe[0]
    assert list(summary.value["Training images"]) == [1_000, 300, 3_000]
    assert list(summary.value["L1 lambda"]) == [0, 1e-4, 2e-4]
    shown = pa.ipc.open_stream(summary.proto.arrow_data.styler.display_values).read_all().to_pydict()
    assert shown["Training images"] == ["1,000 images", "≠ 300 images", "≠ 3,000 images"]
    assert shown["L1 lambda"] == ["0", "≠ 1e-4", "≠ 2e-4"]
    columns = json.loads(summary.proto.columns)
    assert "type_config" not in columns["L1 lambda"], "a format of its own would hide the mark"


def test_a_p_value_is_never_shown_as_zero(seeds):
    for seed in range(5):
        trained(seeds.store.root, f"bad-{seed}", 150 + seed, seed=seed, config={"norm": "layer"})
    keys = "~".join(one.key for one in compare_find.variants(seeds.library)[0] if one.key.startswith("own."))
    at = page(show="real", of=keys)
    (found,) = at.dataframe
    shown = pa.ipc.open_stream(found.proto.arrow_data.styler.display_values).read_all().to_pydict()
    assert "< 0.0001" in shown["p"] and "< 0.0001" in shown["p, corrected"] and min(found.value["p"]) < 1e-4
    assert words(at).count("p is how often chance alone") == 1


def test_one_seed_each_is_no_verdict_on_settings(lab):
    trained(lab.store.root, "one", 4)
    trained(lab.store.root, "two", 8, config={"norm": "batch"})
    text = words(page(show="real"))
    assert "only one is in both: train both with at least two of the same seeds" in text
    assert "exact McNemar" in text and "No setting here has four seeds yet" in text


def test_other_test_images_are_never_compared(seeds):
    for seed in range(2):
        trained(seeds.store.root, f"other-{seed}", 9, seed=seed, checksum="ab" * 32, source="folder")
    own = [one for one in compare_find.variants(seeds.library)[0] if one.key.startswith("own.")]
    (other,) = [one for one in own if len(one.seeds) == 2]
    assert other.name.endswith("data folder")
    text = words(page(show="real", of=f"{other.key}~{next(one.key for one in own if one is not other)}"))
    assert "tested on different images" in text and "McNemar" not in text


def test_a_link_opens_the_same(studies):
    at = page(of="sources.b-bn~sources.b-l1-bn~sources.b-gbn", show="real", reference="sources.b-gbn", judge="five")
    text = words(at)
    assert at.multiselect[0].value == ["sources.b-bn", "sources.b-l1-bn", "sources.b-gbn"]
    assert "Each minus “Source B: GBN”" in text and "All two differences" in text
    assert box(at, "Judged by").value == "five" and "corrected for 2 comparisons" in text
    box(at, "Compared with").set_value("sources.b-bn").run()
    assert query(at)["reference"] == "sources.b-bn" and query(at)["judge"] == "five"


def test_the_sources_question_comes_first_and_a_change_is_in_the_url(studies):
    at = page()
    assert at.multiselect[0].value == ["sources.b-bn", "sources.b-gbn"] and query(at) == {}
    box(at, "Measure").set_value("train_accuracy").run()
    assert query(at) == {"of": "sources.b-bn~sources.b-gbn", "measure": "train_accuracy"}
    at.toggle[0].set_value(True).run()
    assert query(at)["published"] == "1" and "b-gbn, published" in set(at.dataframe[1].value["Variant"])
    assert list(at.dataframe[0].value["Source: best epoch, chosen on the test set"])[1] == 99.40
    at.multiselect[0].set_value([]).run()
    assert query(at)["of"] == "~" and "Choose at least one." in words(at)


def test_nonsense_in_a_link_is_the_default(studies):
    at = page(of="sources.b-gbn~nobody~<b>", show="?", measure="?", judge="?", reference="?", aa="?")
    assert "2 of those in the link are not there" in words(at) and at.multiselect[0].value == ["sources.b-gbn"]
    assert "Choose another variant" in words(at)


def test_the_claims_have_verdicts(studies):
    at = page(show="claims")
    text, titles = words(at), [one.label.replace("\\", "") for one in at.expander]
    assert f"their {len(CLAIMS)} claims are" in text and not at.multiselect
    assert "✅ Ghost batch norm beats batch norm with L2. Supported by five seeds." in titles
    assert "weight_decay=0" in text and "The source: " in text


def test_the_heat_maps(studies):
    at = page(show="small")
    assert "Of 4 comparisons, 2 show a gain and 0 a loss" in words(at)
    assert len(at.get("vega_lite_chart")) == 2


def test_a_study_that_cannot_be_read_is_reported(studies):
    (studies.library.pretrained.root / "study" / "small-data.npz").write_bytes(b"no archive")
    at = page()
    assert "The study small-data" in at.error[0].value.replace("\\", "") and len(at.dataframe) == 2
    assert "damaged" in words(page(show="small"))


def test_a_run_that_is_deleted_while_it_is_looked_at(seeds):
    trained(seeds.store.root, "alone", 9, config={"norm": "layer"})
    at = page()
    alone = at.session_state["mnist_lab_widgets"].widgets["compare_of"].options[0]
    at.multiselect[0].set_value([alone]).run()
    seeds.store.delete("alone")
    at.run()
    assert not at.exception and "is not there, or not any more" in words(at)


def test_a_damaged_history_is_reported(seeds):
    path = seeds.store.root / "plain-3" / HISTORY
    path.write_text("{}\n")
    at = page()
    assert "The run plain-3: Line 1 of its history.jsonl" in words(at) and at.multiselect
    assert "It can be deleted on the Runs page" in words(at)


def test_a_run_still_going_is_told(seeds):
    seeds.gated()
    job = seeds.submit()
    seeds.gate.wait()
    assert "1 run is still going" in words(page())
    text = words(page(of=f"run.{job.id}"))
    assert f"The run {seeds.library.load(job.id).name} is still going, and can be chosen after the end." in text
    assert "not there" not in text


def test_a_link_says_why_a_run_cannot_be_chosen(seeds):
    root = seeds.store.root
    names = {id: trained(root, id, 9, status=status, config={"norm": norm}).name for id, status, norm in (
        ("failed", "failed", "layer"), ("alone", "finished", "layer"),
    )}
    (root / "failed" / WEIGHTS).unlink()
    names["killed"] = seeds.library.load(killed := seeds.interrupted()).name
    (root / "broken").mkdir()
    for id, said in {
        "failed": f"The run {names['failed']} is without weights: it failed, or ended before its first epoch did.",
        "alone": f"The run {names['alone']} is listed by its settings: choose it there.",
        killed: f"The run {names['killed']} is interrupted: it can be resumed",
        "broken": "The run broken is damaged: the Runs page says in what way.",
        "nobody": "run.nobody is not there, or not any more",
    }.items():
        (warning,) = page(of=f"run.{id}").warning
        assert said in warning.value.replace("\\", "")
    (warning,) = page(of=f"run.{killed}~run.nobody~run.no").warning
    assert "is interrupted" in warning.value and "2 of those in the link are not there" in warning.value


def test_what_is_trained_here_does_not_change_a_link_to_a_study(studies):
    few = make_study(MEANS, seeds=3)  # the study that is listed before the own runs has nothing to offer
    save_study(few, studies.library.pretrained.root / "study")
    link = {"of": "run.alone", "show": "real"}
    for seed in range(2):
        trained(studies.store.root, "alone" if seed else "twin", 9, seed=0, config={"norm": "layer"})
    before = box(page(**link), "A setting against itself").value
    assert before.startswith("small-data.")
    for seed in range(7):
        trained(studies.store.root, f"own-{seed}", 100, seed=seed)
    at = page(**link)
    assert box(at, "A setting against itself").value == before
    own = next(one for one in compare_find.variants(studies.library)[0] if len(one.members) == 7)
    chosen = page(of=f"run.alone~{own.key}", show="real")
    assert box(chosen, "A setting against itself").value == own.key
