"""The charts: valid Vega-Lite, one specification for a whole run, nothing where there is nothing to draw."""

from __future__ import annotations

import json
import math
import re

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lab.ui.chart_data import LOSS_FLOOR, MARKED_EPOCHS, MAX_STEP_POINTS, thin, with_marks
from mnist_lab.ui.chart_specs import (
    AXIS_NUMBER,
    BLUE,
    GREEN,
    GREY,
    LOG_LABELS,
    LOG_TICKS,
    VERMILLION,
    LineChart,
    Series,
    line_chart_spec,
    shade,
)
from mnist_lab.ui.charts import (
    accuracy_chart,
    learning_rate_chart,
    loss_chart,
    small_weights_chart,
    weight_histogram_chart,
    weight_norm_chart,
)

EPOCHS = 20


def record(epoch, **changes):
    return {
        "epoch": epoch,
        "train_loss": 2.0 / epoch,
        "penalty": 0.1,
        "train_accuracy": 90.0 + epoch / 10,
        "train_accuracy_true": 95.0,
        "eval_loss": 1.8 / epoch,
        "eval_accuracy": 91.0,
        "eval_name": "test",
        "learning_rate": 0.1,
        "weight_norm": 10.0 + epoch,
        "small_weights": 0.25,
        "zero_weights": 0.125,
        "histograms": {"conv1": {"edges": [-1.0, 0.0, 1.0], "counts": [3, 4]}},
        **changes,
    }


HISTORY = [record(epoch) for epoch in range(1, 6)]
STEPS = [{"epoch": i / 10, "loss": 2.0, "learning_rate": 0.01 * i} for i in range(1, 50)]

CHARTS = {
    "loss": lambda h, s: loss_chart(h, s, epochs=EPOCHS),
    "loss, L1": lambda h, s: loss_chart(h, s, epochs=EPOCHS, penalty=True, eval_name="validation"),
    "accuracy": lambda h, s: accuracy_chart(h, epochs=EPOCHS),
    "accuracy, noise": lambda h, s: accuracy_chart(h, epochs=EPOCHS, label_noise=True),
    "learning rate": lambda h, s: learning_rate_chart(h, s, epochs=EPOCHS),
    "weight norm": lambda h, s: weight_norm_chart(h, epochs=EPOCHS),
    "small weights": lambda h, s: small_weights_chart(h, epochs=EPOCHS),
    "histogram": lambda h, s: weight_histogram_chart(h[-1], "conv1") if h else None,
}
every_chart = pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)


def encodings(chart):
    return [layer["encoding"] for layer in chart.to_dict().get("layer", [chart.to_dict()])]


@every_chart
@pytest.mark.parametrize("length", [1, 5])
def test_is_valid_vega_lite_with_every_data_set_it_names(draw, length):
    chart = draw(HISTORY[:length], STEPS).to_dict()
    alt.Chart.from_dict(chart)  # validates against the schema
    json.dumps(chart, allow_nan=False)
    named = {layer["data"]["name"] for layer in chart.get("layer", [chart])}
    assert named == set(chart["datasets"])
    for encoding in encodings(draw(HISTORY, STEPS)):
        for channel in encoding.values():
            for one in channel if isinstance(channel, list) else [channel]:
                assert "field" not in one or any(
                    one["field"] in row for rows in chart["datasets"].values() for row in rows
                )


@every_chart
def test_the_specification_does_not_depend_on_the_rows(draw):
    assert draw(HISTORY[:1], STEPS[:1]).spec == draw(HISTORY, STEPS).spec


@every_chart
def test_nothing_to_draw_is_none(draw):
    assert draw([], []) is None


@every_chart
def test_has_a_description_and_axis_titles(draw):
    chart = draw(HISTORY, STEPS)
    assert len(chart.to_dict()["description"]) > 20
    for axis in ("x", "y"):
        assert any(encoding.get(axis, {}).get("axis", {}).get("title") for encoding in encodings(chart))


@pytest.mark.parametrize(
    "draw", [loss_chart, accuracy_chart, learning_rate_chart, weight_norm_chart, small_weights_chart]
)
@pytest.mark.parametrize("epochs", [1, 20, 200])
def test_the_x_axis_ends_at_the_planned_epochs(draw, epochs):
    scales = [
        encoding["x"]["scale"] for encoding in encodings(draw(HISTORY, epochs=epochs)) if "scale" in encoding["x"]
    ]
    assert scales and all(scale["domain"] == [0, epochs] for scale in scales)


@pytest.mark.parametrize(
    ("chart", "names"),
    [
        (loss_chart(HISTORY, STEPS, epochs=EPOCHS), ["Train", "Test"]),
        (
            loss_chart(HISTORY, STEPS, epochs=EPOCHS, penalty=True, eval_name="validation"),
            ["Train", "Validation", "L1 penalty"],
        ),
        (
            accuracy_chart(HISTORY, epochs=EPOCHS, label_noise=True),
            ["Train (noisy labels)", "Test", "Train (true labels)"],
        ),
        (small_weights_chart(HISTORY, epochs=EPOCHS), ["Below 0.001", "Exactly 0"]),
    ],
)
def test_series_differ_in_color_dash_and_shape(chart, names):
    layers = chart.to_dict()["layer"]
    colors = [layer["encoding"]["color"]["scale"] for layer in layers if "color" in layer["encoding"]]
    assert all(scale == colors[0] for scale in colors)
    assert colors[0]["domain"] == names
    assert len(set(colors[0]["range"])) == len(names)
    (dashes,) = [layer["encoding"]["strokeDash"]["scale"] for layer in layers if "strokeDash" in layer["encoding"]]
    assert dashes["domain"] == names and len({tuple(dash) for dash in dashes["range"]}) == len(names)
    shapes = [layer["mark"]["shape"] for layer in layers if layer["mark"]["type"] == "point"]
    assert len(set(shapes)) == len(names)
    assert {row["series"] for row in chart.data["lines"]} == set(names)


@pytest.mark.parametrize("color", [BLUE, VERMILLION, GREEN, GREY])
@pytest.mark.parametrize("background", ["#ffffff", "#171614"], ids=["light", "dark"])
def test_colors_stand_out_on_both_themes(color, background):
    light, dark = sorted((_luminance(color), _luminance(background)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3  # WCAG 2.1, 1.4.11


def _luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_loss_is_drawn_before_the_first_epoch_ends():
    chart = loss_chart([], STEPS, epochs=EPOCHS)
    assert chart.spec == loss_chart(HISTORY, STEPS, epochs=EPOCHS).spec
    assert len(chart.data["steps"]) == len(STEPS)
    # Rows in every layer (or Vega warns), but none in sight.
    assert {row["series"] for row in chart.data["lines"]} == {"Train", "Test"}
    assert all(row["epoch"] < 0 and row["value"] == 2.0 for row in chart.data["lines"])
    for layer in chart.to_dict()["layer"]:
        hidden = layer["encoding"].get("opacity", {}).get("condition", {}).get("test") == "datum.epoch > 0"
        assert layer["mark"].get("clip") or hidden


def ticks(low: float, high: float) -> list[float]:
    """What Vega makes of LOG_TICKS, with Python in JavaScript's place."""
    *cases, otherwise = LOG_TICKS.split(" : ")
    words = {
        "domain": lambda _: (low, high), "pow": pow, "floor": math.floor, "ceil": math.ceil, "log": math.log,
        "LN10": math.log(10),
        "sequence": lambda start, stop, step: [start + i * step for i in range(math.ceil((stop - start) / step))],
    }
    tests = (case.split(" ? ") for case in cases)
    made = eval(next((these for test, these in tests if eval(test, words)), otherwise), words)
    return [tick for tick in made if low <= tick <= high]


@given(st.floats(1e-12, 50), st.floats(1.0001, 1e6))
def test_a_logarithmic_axis_has_ticks_however_short_it_is(low, ratio):
    made = ticks(low, low * ratio)
    assert 1 < len(made) < 20 and len({f"{tick:g}" for tick in made}) == len(made)


def test_ticks_are_round():
    assert [f"{tick:g}" for tick in ticks(2.25, 2.36)] == ["2.26", "2.28", "2.3", "2.32", "2.34"]
    assert ticks(0.03, 1.2) == [0.05, 0.1, 0.2, 0.5, 1.0]
    assert ticks(5e-10, 0.05) == [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2], "powers of ten over many decades"


@pytest.mark.parametrize("log", [True, False])
def test_labels_of_an_axis_are_short(log):
    spec = line_chart_spec(LineChart(series=(Series("a", "A"),), y_title="", description="", log=log), 2)
    axes = [layer["encoding"]["y"]["axis"] for layer in json.loads(spec)["layer"] if "y" in layer["encoding"]]
    for axis in axes:
        assert axis.get("labelExpr") == LOG_LABELS if log else axis["format"] == AXIS_NUMBER
    assert axes and "datum.value < 0.001 ? '~e'" in LOG_LABELS


@pytest.mark.parametrize(
    ("chart", "labels"),
    [
        (accuracy_chart([record(e, train_accuracy=12 + 8 * e) for e in range(1, 11)], epochs=10), {"20", "50", "90"}),
        (small_weights_chart([record(e, small_weights=0.06 * e) for e in range(1, 11)], epochs=10), {"20", "40", "60"}),
        (learning_rate_chart([record(1, learning_rate=1e-5)], epochs=10), {"0", "0.000002", "0.00001"}),
        (weight_norm_chart([record(e, weight_norm=1 + e / 1e5) for e in (1, 2)], epochs=10), {"1.00001", "1.00002"}),
        (weight_norm_chart([record(1, weight_norm=1.0)], epochs=10), {"1"}),
        (weight_histogram_chart(
            {"histograms": {"conv1": {"edges": [-40.0, 40.0], "counts": [1]}}}, "conv1"), {"\u221220", "0", "20"}),
    ],
)
def test_values_on_an_axis_read_as_one_writes_them(chart, labels):
    convert = pytest.importorskip("vl_convert")
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", convert.vegalite_to_svg({**chart.to_dict(), "width": 400}))
    assert labels <= set(drawn) and not [text for text in drawn if "e+" in text]


def test_losses_of_zero_and_nan_do_not_break_the_logarithm():
    rows = [record(1, train_loss=0.0, eval_loss=math.nan), record(2, train_loss=math.inf, eval_loss=0.5)]
    values = {(row["epoch"], row["series"]): row["value"] for row in loss_chart(rows, epochs=EPOCHS).data["lines"]}
    assert values == {(1, "Train"): LOSS_FLOOR, (2, "Test"): 0.5}


def test_the_test_line_goes_on_over_epochs_without_a_test():
    untested = {"eval_loss": None, "eval_accuracy": None}
    rows = [record(1, **untested), record(2), record(3, **untested), record(4)]
    for make in (loss_chart, accuracy_chart):
        chart = make(rows, epochs=EPOCHS)
        drawn = [(row["epoch"], row["series"]) for row in chart.data["lines"]]
        assert [epoch for epoch, series in drawn if series == "Test"] == [2, 4]
        assert [epoch for epoch, series in drawn if series == "Train"] == [1, 2, 3, 4]
    (area,) = [layer for layer in chart.to_dict()["layer"] if "fill" in layer["encoding"]]
    assert area["transform"] == [{"filter": {"field": "eval_accuracy", "valid": True}}]


def with_tests_after(epochs, upto):
    """A history up to the epoch `upto` of a run that is tested after `epochs`."""
    untested = {"eval_loss": None, "eval_accuracy": None}
    return [record(e, **({} if e in epochs else untested)) for e in range(1, upto + 1)]


def empty_layers(chart):
    """The layers that draw nothing of these rows, for which Vega warns of an infinite extent."""
    found = []
    for layer in (one for one in chart.to_dict()["layer"] if "y" in one["encoding"]):
        rows = chart.data[layer["data"]["name"]]
        for test in (step["filter"] for step in layer.get("transform", [])):
            if isinstance(test, str):
                rows = [row for row in rows if row[test.removeprefix("datum.")]]
            elif "equal" in test:
                rows = [row for row in rows if row[test["field"]] == test["equal"]]
            else:
                rows = [row for row in rows if row[test["field"]] is not None]
        if all(row[layer["encoding"]["y"]["field"]] is None for row in rows):
            found.append(layer["mark"])
    return found


@pytest.mark.parametrize("upto", range(1, 9))
@pytest.mark.parametrize("epochs", [8, 30, 200])
def test_no_layer_is_empty_while_tests_are_to_come(upto, epochs):
    history = with_tests_after(range(3, 200, 3), upto)
    for chart in (
        loss_chart(history, STEPS, epochs=epochs, eval_every=3, penalty=True),
        loss_chart(history, epochs=epochs, eval_every=3),
        accuracy_chart(history, epochs=epochs, eval_every=3, label_noise=True),
    ):
        assert empty_layers(chart) == []
        if upto < 3:  # rows of what is not there yet are out of sight
            assert {row["epoch"] for row in chart.data["lines"] if row["series"] == "Test"} == {-1}
        assert all(row["right"] < 0 for row in chart.data["epochs"] if row["epoch"] < 0)


def marks(chart, name):
    return [row["epoch"] for row in chart.data["lines"] if row["series"] == name and row["marked"]]


def test_every_test_is_marked_and_train_and_penalty_as_ever():
    history = with_tests_after(range(3, 31, 3), 30)
    loss = loss_chart(history, epochs=30, eval_every=3, penalty=True)
    for chart in (loss, accuracy_chart(history, epochs=30, eval_every=3)):
        assert marks(chart, "Test") == list(range(3, 31, 3))
        assert marks(chart, "Train") == [1, *range(2, 31, 2)]
    assert marks(loss, "L1 penalty") == marks(loss, "Train")


def test_the_test_of_a_stopped_run_is_marked():
    assert marks(accuracy_chart(with_tests_after([4, 8, 10], 10), epochs=200, eval_every=4), "Test") == [4, 8, 10]


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200))
def test_marks_are_few_and_stay_and_there_is_one_on_every_line(epochs, every, now):
    planned = [{"epoch": e, "series": "a", "value": 1.0} for e in range(1, epochs + 1) if e % every == 0 or e == epochs]
    whole, part = (with_marks(rows, epochs, {"a": every}) for rows in (planned, planned[:now]))
    assert part == whole[:now] and part[0]["marked"] and whole[-1]["marked"]
    assert sum(row["marked"] for row in whole) <= MARKED_EPOCHS + 2


def test_only_nan_is_nothing_to_draw():
    nan = {"train_loss": math.nan, "eval_loss": math.nan, "weight_norm": math.nan}
    assert loss_chart([record(1, **nan)], epochs=EPOCHS) is None
    assert weight_norm_chart([record(1, **nan)], epochs=EPOCHS) is None


def test_accuracy_shades_between_train_and_test():
    (area,) = [
        layer for layer in accuracy_chart(HISTORY, epochs=EPOCHS).to_dict()["layer"] if "fill" in layer["encoding"]
    ]
    assert area["mark"]["type"] == "area"
    assert (area["encoding"]["y"]["field"], area["encoding"]["y2"]["field"]) == ("train_accuracy", "eval_accuracy")
    assert area["encoding"]["y"]["scale"]["zero"] is False


def test_shares_are_in_per_cent():
    data = small_weights_chart(HISTORY, epochs=EPOCHS).data
    assert data["epochs"][0]["small_weights"] == 25.0 and data["epochs"][0]["zero_weights"] == 12.5


def test_learning_rate_within_epochs_is_in_order():
    data = learning_rate_chart(HISTORY, STEPS, epochs=EPOCHS).data
    assert [row["epoch"] for row in data["lines"]] == sorted(row["epoch"] for row in data["lines"])
    assert len(data["lines"]) == len(HISTORY) + len(STEPS) and len(data["epochs"]) == len(HISTORY)


def test_histogram_bins():
    assert weight_histogram_chart(HISTORY[0], "conv1").data["bins"] == [
        {"start": -1.0, "end": 0.0, "count": 3},
        {"start": 0.0, "end": 1.0, "count": 4},
    ]
    assert weight_histogram_chart(HISTORY[0], "conv9") is None
    assert weight_histogram_chart({"epoch": 1}, "conv1") is None


def test_charts_do_not_share_what_a_caller_might_change():
    first = weight_norm_chart(HISTORY, epochs=EPOCHS).to_dict()
    first["layer"].clear()
    assert weight_norm_chart(HISTORY, epochs=EPOCHS).to_dict()["layer"]


points = st.lists(st.floats(0, 10), max_size=300).map(
    lambda values: [{"epoch": i / 10, "loss": value} for i, value in enumerate(values)]
)


@given(points, st.integers(1, 50))
def test_thinned_points_are_few_and_keep_the_mean_and_the_end(steps, limit):
    thinned = thin(steps, "loss", limit=limit)
    assert len(thinned) <= limit
    assert bool(thinned) == bool(steps)
    if steps:
        assert thinned[-1]["epoch"] == steps[-1]["epoch"]
        assert min(p["loss"] for p in steps) - 1e-9 <= min(p["loss"] for p in thinned)
        assert max(p["loss"] for p in thinned) <= max(p["loss"] for p in steps) + 1e-9


def test_thinned_points_stay_where_they_are():
    steps = [{"epoch": i, "loss": float(i)} for i in range(3 * MAX_STEP_POINTS)]
    earlier, later = (thin(steps[:n], "loss") for n in (2 * MAX_STEP_POINTS + 8, 3 * MAX_STEP_POINTS))
    assert later[: len(earlier)] == earlier
    assert thin(steps[:MAX_STEP_POINTS], "loss") == steps[:MAX_STEP_POINTS]


CHANNEL = st.integers(0, 255)


@given(st.floats(0, 1), st.tuples(CHANNEL, CHANNEL, CHANNEL), st.tuples(CHANNEL, CHANNEL, CHANNEL))
def test_the_number_in_a_cell_can_be_read_on_any_shade(share, low, high):
    """A contrast of 4.5 to 1, which WCAG asks of text; black or white, one of them has it on every color."""
    cell = shade(share, low, high)
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(cell["fill"][place : place + 2], 16) / 255 for place in (1, 3, 5))
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    contrast = 1.05 / (luminance + 0.05) if cell["ink"] == "white" else (luminance + 0.05) / 0.05
    assert contrast >= 4.5


def test_a_shade_goes_from_one_color_to_the_other():
    ends = (0, 0, 0), (255, 128, 64)
    assert [shade(share, *ends)["fill"] for share in (0, 0.5, 1)] == ["#000000", "#804020", "#FF8040"]
