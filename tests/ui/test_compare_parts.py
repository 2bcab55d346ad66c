"""The Compare page's blocks and charts, its report, and what they do with gaps, many seeds and foreign names."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from compare_records import with_studies
from studies import make_study

from mnist_lab.claims import CLAIMS
from mnist_lab.presets import PRESETS
from mnist_lab.runs.library import Library
from mnist_lab.runs.store import RunStore
from mnist_lab.small_data import differences
from mnist_lab.statistics import paired
from mnist_lab.studies import STUDIES
from mnist_lab.ui import compare_charts, compare_find, compare_report
from mnist_lab.ui.compare_blocks import Column, Folded, Heading, Picture, Pictures, Table, Text, cell_text
from mnist_lab.ui.compare_charts import Interval, curves_chart, rows_chart
from mnist_lab.ui.compare_claims import claims_part, small_part
from mnist_lab.ui.compare_curves import MEASURES, curves_part, curves_takeaway, series_of
from mnist_lab.ui.compare_data import LAST_EPOCH, LAST_FIVE, Variant
from mnist_lab.ui.compare_find import Found
from mnist_lab.ui.compare_real import forest, noise_part, real_part

NASTY = "it's </style><script>alert(1)</script> \\ \u2028 <b>"


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    root = tmp_path_factory.mktemp("compare")
    with_studies(root)
    return Library(RunStore(root / "runs"), root)


@pytest.fixture(scope="module")
def variants(library) -> dict[str, Variant]:
    return {one.key: one for one in compare_find.variants(library)[0]}


def of(blocks, kind) -> list:
    """All blocks of a kind, folded ones too."""
    inside = [part for one in blocks if isinstance(one, Folded) for part in of(one.blocks, kind)]
    return [one for one in blocks if isinstance(one, kind)] + inside


def check(chart) -> dict:
    """The chart's rows, once Altair has found nothing wrong with its specification."""
    alt.Chart.from_dict(json.loads(chart.spec))
    return dict(chart.data)


def test_curves_have_a_mean_a_band_and_a_dot_a_seed(variants):
    chosen = [variants["sources.b-bn"], variants["sources.b-gbn"]]
    (picture,) = of(curves_part(chosen, "eval_accuracy", True), Picture)
    data = check(picture.chart)
    assert len(data["means"]) == 50 and len(data["dots"]) == 250 and len(data["band"]) == 50
    seeds = [row["value"] for row in data["dots"] if (row["series"], row["epoch"]) == ("Source B: GBN", 25)]
    (end,) = [row for row in data["band"] if (row["series"], row["epoch"]) == ("Source B: GBN", 25)]
    assert (end["low"], end["high"]) == (min(seeds), max(seeds))
    assert data["published"] == [{"series": "Source B: GBN", "epoch": 25, "value": 99.34, "row": "b-gbn, mean"}]
    assert "Source B: GBN has the highest test accuracy" in picture.takeaway


def test_published_epochs_of_a_row_and_of_its_aliases(variants):
    blocks = curves_part([variants["sources.a-bn"]], "eval_accuracy", True)
    crosses = check(of(blocks, Picture)[0].chart)["published"]
    assert [row["value"] for row in crosses[:5]] == [99.43, 99.42, 99.51, 99.52, 99.48]
    assert {row["row"] for row in crosses} == {"a-bn", "a-source-l2-bn"}
    assert "published no figures" in " ".join(
        text.text for text in of(curves_part([variants["sources.a-bn"]], "weight_norm", True), Text)
    )


def test_epochs_without_a_test_are_left_out():
    study = make_study({"b-bn": 99.0, "b-gbn": 99.1}, seeds=2)
    for run in study.runs:
        run.history["eval_accuracy"][:-1:2] = np.nan
    found = compare_find.Found(study, tuple(compare_find._of_study(study)))
    series = series_of(found.variants[0], "eval_accuracy")
    assert list(series) == [*range(2, 25, 2), 25] and all(len(seeds) == 2 for seeds in series.values())
    last_five = of(curves_part(found.variants, "eval_accuracy", False), Table)[1]
    assert [row[5] is None for row in last_five.rows[:5]] == [True, False, True, False, False]


def test_a_run_without_any_value_is_said(variants):
    study = make_study({"b-bn": 99.0}, seeds=1)
    study.runs[0].history["eval_loss"][:] = np.nan
    blocks = curves_part(compare_find._of_study(study), "eval_loss", False)
    assert "None of them has a value of the test loss." in [text.text for text in of(blocks, Text)]


def test_a_thousand_dots_are_thinned_from_the_end():
    names = [f"v{number}" for number in range(16)]
    means = [{"epoch": epoch, "series": name, "value": 1.0} for name in names for epoch in range(1, 101)]
    dots = [row | {"seed": seed} for row in means for seed in range(5)]
    chart = curves_chart(names, means, [], dots, [], y_title="y", epochs=100, log=False, number=".2f")
    kept = check(chart)["dots"]
    assert len(kept) <= compare_charts.MAX_DOTS and {row["epoch"] for row in kept} >= {100}
    styles = chart.to_dict()["layer"][0]["encoding"]
    looks = list(zip(styles["color"]["scale"]["range"], map(str, styles["strokeDash"]["scale"]["range"]), strict=True))
    assert len(set(looks)) == 16


def test_the_takeaway_does_not_call_one_seed_each_a_difference():
    look = MEASURES["eval_accuracy"]
    assert "may be luck" in curves_takeaway(["a", "b"], [{1: {0: 99.0}}, {1: {0: 99.1}}], look)
    assert "99.00 % for all of them" in curves_takeaway(["a", "b"], [{1: {0: 99.0}}, {2: {0: 99.0}}], look)


@pytest.mark.parametrize("measure", MEASURES)
def test_takeaways_call_every_measure_by_its_name_and_unit(measure):
    look = MEASURES[measure]
    one, two = {1: {0: 0.5}}, {1: {0: 0.25, 1: 0.375}}
    alone = curves_takeaway(["a"], [one], look)
    apart = curves_takeaway(["a", "b"], [one, two], look)
    for text in (alone, apart, curves_takeaway(["a", "b"], [one, {1: {0: 0.25}}], look)):
        assert look.within in text and "L2" not in text and "l1" not in text and "  " not in text
    unit = {"%": " %", "L2": ""}.get(look.unit, f" {look.unit}".rstrip())
    figure = "0.50" if look.unit == "%" else "0.5"
    assert alone == f"At the end the {look.within} is {figure}{unit} for a."
    most, least = ("longest", "shortest") if measure == "seconds" else ("highest", "lowest")
    assert f"a has the {most} {look.within}, {figure}{unit}, and b the {least}, " in apart
    if measure == "learning_rate":
        assert "seed" not in apart, "it is set, and no luck"
    else:
        spread = {"%": "0.12 points", "seconds": "0.1 seconds", "images per second": "0.1 images per second"}
        assert f"lie up to {spread.get(look.unit, f'0.125{unit}')} apart (b, two seeds)" in apart


def test_measures_that_count_weights_are_shares_within_a_sentence():
    assert [name for name, look in MEASURES.items() if look.within.startswith("share of weights")] == [
        "small_weights", "zero_weights",
    ]
    assert MEASURES["penalty"].within == "L1 penalty"
    for look in MEASURES.values():
        assert look.within.startswith("share of") or look.within.lower() == look.name.lower()


def test_figures_that_look_alike_are_not_called_a_difference_and_none_is_no_spread():
    look = MEASURES["zero_weights"]
    assert "is 12.30 % for all of them" in curves_takeaway(["a", "b"], [{1: {0: 12.301}}, {1: {0: 12.299}}], look)
    same = curves_takeaway(["a", "b"], [{1: {0: 0.0, 1: 0.0}}, {1: {0: 0.004, 1: 0.004}}], look)
    assert same.endswith("0.004 %, and a the lowest, 0 %. Seeds of one variant do not differ in it.")
    one_seed = curves_takeaway(["a", "b"], [{1: {0: 0.0, 1: 0.0}}, {1: {0: 0.004}}], look)
    assert one_seed.endswith("and a the lowest, 0 %."), "what one seed would differ from is not known"


@pytest.mark.parametrize("count", [2, 16])
def test_the_plot_is_as_high_whatever_the_legend_takes(count):
    names = [f"Source A: L1 + L2 + {number}" for number in range(count)]
    means = [{"epoch": epoch, "series": name, "value": 1.0} for name in names for epoch in (1, 2)]
    chart = curves_chart(names, means, [], [], [], y_title="L1 penalty", epochs=2, log=False, number=".2f")
    spec = chart.to_dict()
    assert check(chart) and (spec["height"], spec["autosize"]["type"]) == (compare_charts.PLOT, "fit-x")
    assert "L1 penalty" in spec["description"]
    pytest.importorskip("vl_convert")
    for width, columns in ((340, 1), (820, 2)):
        drawn = compare_report.svg(spec, width)
        assert f'd="M0,0h{width - 43}v{compare_charts.PLOT}h' in drawn
        begin = re.findall(r'translate\(([\d.]+),[\d.]+\)"><path class="background"[^>]* d="M0,0h[\d.]+v18', drawn)
        assert len(begin) == count and len(set(begin)) == columns


def test_settings_that_differ_stand_out(variants):
    chosen = [variants["sources.b-bn"], variants["sources.b-gbn"], variants["sources.b-l1-bn"]]
    summary = of(curves_part(chosen, "eval_accuracy", False), Table)[0]
    names = [column.name for column in summary.columns]
    marked = {(line, names[place]) for line, place in summary.marked}
    assert {(1, "Norm"), (2, "L1 lambda")} <= marked and not any(line == 0 for line, _ in marked)
    assert (1, "L1 lambda") not in marked
    blocks = curves_part([variants["sources.a-gbn"], variants["sources.b-bn"]], "eval_accuracy", False)
    summary = of(blocks, Table)[0]
    place = [column.name for column in summary.columns].index("Ghost batches (num_splits)")
    assert [cell and cell.text for cell in (row[place] for row in summary.rows)] == ["2", None]
    assert (1, place) not in summary.marked, "a dash can carry no mark"


def test_the_best_epoch_says_where_it_was_chosen():
    settings = {"own": PRESETS["b-bn"].config, "held": PRESETS["b-bn"].config.replace(validation=True)}
    study = make_study(dict.fromkeys(settings, 99.0), seeds=2, settings=settings)
    for run in study.runs:
        if run.setting == "held":  # as training leaves it: nothing was chosen on the test set
            run.summary["best_test_accuracy"] = None
            run.history["eval_accuracy"][3] = 99.5 + run.seed / 5
    one, other = sorted(compare_find._of_study(study), key=lambda variant: variant.config.validation)

    def best(*chosen, on: str) -> tuple[str, list]:
        summary = of(curves_part(chosen, "eval_accuracy", False), Table)[0]
        name = f"Best epoch, chosen on the {on} set"
        place = next(at for at, column in enumerate(summary.columns) if column.name == name)
        return summary.columns[place].help, [row[place] for row in summary.rows]

    assert "chosen on the test set: the best" in best(one, on="test")[0]
    text, (found,) = best(other, on="validation")
    assert "chosen on the validation set: the best" in text and found == pytest.approx(99.6, abs=1e-4)
    text, (of_one, of_other) = best(one, other, on="test or validation")
    assert re.search("chosen on the test set, but for .+ on the validation set: the best", text)
    assert [of_one] == best(one, on="test")[1] and of_other == found


def test_noise_is_one_setting_in_two_groups(variants):
    blocks = noise_part(variants["sources.b-bn"], LAST_EPOCH)
    (picture,) = of(blocks, Picture)
    rows = check(picture.chart)["rows"]
    assert [row["name"].partition(":")[0] for row in rows] == ["Seeds 0, 2, 4", "Seeds 1, 3"]
    assert "against itself" in picture.takeaway and "in every possible way" in of(blocks, Text)[-1].text


def test_two_variants(variants):
    blocks = real_part([variants["sources.b-gbn"], variants["sources.b-l1-bn"]], LAST_EPOCH, variants["sources.b-gbn"])
    (picture,) = of(blocks, Picture)
    data = check(picture.chart)
    assert len(data["dots"]) == 5 and data["rows"][0]["decided"] and data["rows"][0]["low"] > 0
    (verdict,) = [text for text in of(blocks, Text) if text.lead == "Verdict"]
    assert "more than chance explains" in verdict.text
    assert [row[0] for row in of(blocks, Table)[0].rows] == ["0", "1", "2", "3", "4"]


def test_the_row_of_two_variants_fits_a_phone_whatever_they_are_called(variants):
    pair = [replace(variants["sources.b-gbn"], name="x" * 90), variants["sources.b-l1-bn"]]
    blocks = real_part(pair, LAST_EPOCH, pair[0])
    (row,) = check(of(blocks, Picture)[0].chart)["rows"]
    assert row["name"] == "First minus second"
    said = [text.text for text in of(blocks, Text)]
    assert f"First: “{'x' * 90}”. Second: “Source B: L1 + BN”. Right of zero the first has the higher" in " ".join(said)


def test_a_figure_that_is_missing_is_a_dash_in_the_table_and_in_the_report():
    configs = {name: PRESETS["noisy-1000"].config.replace(norm=name) for name in ("batch", "ghost")}
    study = make_study(dict.fromkeys(configs, 90.0), seeds=2, settings=configs)
    for run in study.runs:
        for name, values in run.history.items():
            run.history[name] = values[:3]
    pair = compare_find._of_study(study)
    blocks = real_part(pair, LAST_FIVE, pair[0])
    (table,) = of(blocks, Table)
    assert cell_text(table.rows[0][1], table.columns[1]) == "–" == cell_text(None, table.columns[1])
    assert ">nan<" not in compare_report.report_html("Is it real?", pair, blocks, [], "")


def test_intervals_that_no_accuracy_can_have_are_not_shown():
    two = [paired({0: 90.0, 1: 94.0 + gain}, {0: 88.0, 1: 89.0}) for gain in range(5)]
    blocks = forest(list("abcde"), two, "“y”", (10_000, "test"), "Difference", "key")
    (table,), (picture,) = of(blocks, Table), of(blocks, Picture)
    assert all(row[3] is None and row[4] is None for row in table.rows)
    assert all(row["wide_low"] is None and row["low"] is None for row in check(picture.chart)["rows"])
    assert all("too few seeds for an interval worth showing" in text.text for text in of(blocks, Folded)[0].blocks)


def test_the_largest_gain_of_the_heat_maps_is_one_that_is_decided():
    base = PRESETS["noisy-1000"].config
    settings = {"bn": base, "l1": base.replace(l1=1e-3), "wd": base.replace(weight_decay=5e-3)}
    study = make_study({"bn": 80.0, "l1": 84.0, "wd": 80.0}, settings=settings, spread=0.1, name="small-data")
    for run in study.of("wd"):  # more on average, and that from two seeds alone
        wrong = 2_100 if run.seed > 1 else 0
        run.digits[:] = study.labels
        run.digits[:wrong] = (study.labels[:wrong] + 1) % 10
    gain = {name: one.mean for (_, name), one in differences(study).items()}
    assert gain["BN · weight decay 5e-3"] > gain["BN · L1 1e-3"] > 0
    (small,) = [text.text for text in of(small_part(Found(study, ()), None), Text) if "The largest" in text.text]
    assert "1 show a gain and 0 a loss" in small and "The largest such gain" in small and "L1 1e-3" in small


def test_the_forest_is_corrected_and_says_how_many_are_real(variants):
    keys = ["sources.b-bn", "sources.b-gbn", "sources.b-l1-bn", "sources.b-l2-bn"]
    blocks = real_part([variants[key] for key in keys], LAST_EPOCH, variants["sources.b-bn"])
    (picture,) = of(blocks, Picture)
    rows = check(picture.chart)["rows"]
    assert [row["decided"] for row in rows] == [True, True, False]
    assert picture.takeaway.startswith("Two of three differences to “Source B: BN” are more than chance explains")
    assert all(row["wide_low"] <= row["low"] for row in rows)
    words = of(blocks, Folded)[0].blocks
    assert len(words) == 3 and all("corrected for 3 comparisons" in text.text for text in words)


def test_settings_without_any_spread_have_no_interval_and_no_warning():
    same = paired({0: 99.0, 1: 99.0}, {0: 99.0, 1: 99.0})
    blocks = forest(["x"], [same], "“y”", (10_000, "test"), "Difference", "key")
    chart = of(blocks, Picture)[0].chart
    assert "isValid" not in chart.spec and check(chart)["rows"][0]["low"] is None
    assert "not more than chance explains" in of(blocks, Picture)[0].takeaway
    assert of(blocks, Table)[0].rows[0][-1] == "identical"


def test_an_interval_far_longer_than_all_values_is_cut_off_and_that_is_said():
    few = Interval("two seeds", 4.0, 1.0, 7.0, -3_600.0, 3_600.0, dots=((3.0, "seed 0"), (5.0, "seed 1")))
    usual = Interval("ten seeds", -2.0, -3.0, -1.0, -4.0, 0.0)
    axis = check_axis(rows_chart([few, usual], "Difference (points)", "about"))
    assert axis["scale"]["domain"] == [-2 - 3 * 7, 5 + 3 * 7]  # the values reach from -2 to 5
    assert axis["axis"]["title"] == ["Difference (points)", compare_charts.CUT]
    whole = check_axis(rows_chart([usual], "Difference (points)", "about"))
    assert "domain" not in whole["scale"] and whole["axis"]["title"] == "Difference (points)"


def check_axis(chart) -> dict:
    """The horizontal axis of a chart's means."""
    assert check(chart)
    layers = chart.to_dict()["layer"]
    return next(layer["encoding"]["x"] for layer in layers if layer["encoding"]["x"].get("field") == "value")


def test_names_of_anybody_cannot_break_a_chart():
    chart = rows_chart([Interval(NASTY, 1.0)], "x", "about", zero=True)
    expression = chart.to_dict()["layer"][0]["encoding"].get("y") or chart.to_dict()["layer"][1]["encoding"]["y"]
    quoted = re.fullmatch(r"datum\.value === 0 \? '((?:[^'\\]|\\u[0-9a-f]{4})*)' : ''", expression["axis"]["labelExpr"])
    assert quoted and "\n" not in quoted[1] and check(chart)


def test_claims_and_heat_maps(library):
    sources, small = (compare_find.find_study(name, library) for name in ("sources", "small-data"))
    claims = claims_part(sources, small)
    folded = [block for block in of(claims, Folded) if block.title[0] in "✅❌❔⏳"]
    assert len(folded) == len(CLAIMS) and all(len(block.blocks) >= 2 for block in folded)
    for picture in of(claims, Picture):
        check(picture.chart)
    (maps,) = of(small_part(small, None), Pictures)
    cells = [check(one.chart)["cells"] for one in maps.pictures]
    assert [len(rows) for rows in cells] == [2, 2] and all(row["decided"] for row in cells[0])
    assert all(re.fullmatch(r"\+\d\.\d", row["text"]) for row in cells[0])
    assert {row["fill"] for rows in cells for row in rows} > {"#2166AC"}, "the largest difference is all blue"
    assert all(row["text"].startswith("(") != row["decided"] for row in cells[1])
    assert of(small_part(None, None), Text)[-1].text.endswith("python -m mnist_lab study small-data")


def test_a_study_under_way_says_how_many_of_all_its_runs_are_there():
    def notices(name: str, seeds: int) -> list[str]:
        settings = STUDIES[name].settings
        study = make_study(dict.fromkeys(settings, 90.0), seeds=seeds, settings=settings, name=name)
        return [text.text for text in of(small_part(None, Found(study, ())), Text) if "not complete" in text.text]

    count = len(STUDIES["scan"].settings)
    assert f"{2 * count} of its {5 * count} runs are there" in notices("scan", 2)[0]
    assert notices("scan", 5) == []


class Outside(HTMLParser):
    """What a page would load, and the tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.loads, self.open, self.count = [], [], {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.loads += [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_whole_and_needs_nothing_else(variants, library):
    pytest.importorskip("vl_convert")
    chosen = [variants["sources.b-bn"], variants["sources.b-gbn"]]
    blocks = [
        *real_part(chosen, LAST_EPOCH, chosen[0]), Heading(NASTY), Text(NASTY, lead=NASTY),
        Folded(NASTY, (Picture(rows_chart([Interval(NASTY, 1.0)], NASTY, NASTY), "key", NASTY),)),
        Table((Column(NASTY), Column("p", 4, tiny=True)), [(NASTY, 1e-9), (None, None)], "key", NASTY),
    ]
    small = compare_find.find_study("small-data", library)
    text = compare_report.report_html("Is it real?", chosen, blocks, [small.study], "of=a~b")
    seen = Outside()
    seen.feed(text)
    assert seen.open == [] and seen.loads == [] and seen.count["svg"] == 2 and "script" not in seen.count
    assert "@import" not in text and "url(http" not in text
    assert "&lt; 0.0001" in text and "torch 2.15.0" in text and "0, 1, 2, 3, 4" in text and "/compare?of=a~b" in text
    assert "Ghost batch norm" in text and 'class="differs"' in text and small.study.command in text
    assert PRESETS["b-gbn"].title in text and "more than chance explains" in text
    assert "<dt>Seed" not in text and "<dt>McNemar p</dt><dd>Exact, two-sided.</dd>" in text
    assert text.count("p is how often chance alone") == 1
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
