"""Charts of the Draw page, as Vega-Lite, and the sentences under them. No Streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mnist_lab.answers import Curve

BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#8C8C8C"  # of the colour-blind-safe palette of the other charts
HALF = 0.5
UNITS = {"shift_x": "pixels", "shift_y": "pixels", "rotation": "degrees", "thickness": "pixels"}  # of curves, by name


def probability_spec(chances: np.ndarray) -> dict[str, Any]:
    """Bars: the ten probabilities [10], the largest in another color."""
    digit = int(chances.argmax())
    rows = [
        {"digit": str(number), "chance": 100 * float(chance), "answer": number == digit}
        for number, chance in enumerate(chances)
    ]
    return {
        "data": {"values": rows}, "height": 200, "description": "Bar chart: probability of each digit in per cent.",
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "digit", "type": "nominal", "axis": {"title": "Digit", "labelAngle": 0}},
            "y": {
                "field": "chance", "type": "quantitative", "axis": {"title": "Probability (%)"},
                "scale": {"domain": [0, 100]},
            },
            "color": {
                "field": "answer", "type": "nominal", "legend": None,
                "scale": {"domain": [True, False], "range": [VERMILLION, BLUE]},
            },
            "tooltip": [
                {"field": "digit", "title": "Digit"},
                {"field": "chance", "title": "Probability (%)", "format": ".2f", "type": "quantitative"},
            ],
        },
    }


def curve_spec(curve: Curve, digit: int) -> dict[str, Any]:
    """A line with points: how sure the network stays of `digit`, in per cent, while the image is changed."""
    rows = [
        {"change": float(value), "chance": 100 * float(chance)}
        for value, chance in zip(curve.values, curve.probabilities, strict=True)
    ]
    return {
        "data": {"values": rows}, "height": 180,
        "description": f"Line chart: probability of {digit} in per cent. {curve.title}.",
        "layer": [
            {"mark": {"type": "line", "point": True, "color": BLUE}},
            {
                "mark": {"type": "rule", "color": GREY, "strokeDash": [2, 2]},
                "encoding": {"x": {"datum": 0, "type": "quantitative"}, "y": None},
            },
        ],
        "encoding": {
            "x": {
                "field": "change", "type": "quantitative", "axis": {"title": curve.title, "grid": False},
                # Said, because Vega draws once before it has the rows, and warns of an axis without an end.
                "scale": {"domain": [curve.values[0], curve.values[-1]], "nice": False},
            },
            "y": {
                "field": "chance", "type": "quantitative", "axis": {"title": f"Probability of {digit} (%)"},
                "scale": {"domain": [0, 100]},
            },
            "tooltip": [
                {"field": "change", "title": curve.title, "type": "quantitative"},
                {"field": "chance", "title": f"Probability of {digit} (%)", "format": ".1f", "type": "quantitative"},
            ],
        },
    }


def curve_takeaway(curve: Curve, digit: int) -> str:
    """How far the image can be changed, in the curve's unit, before the digit is less likely than not."""
    middle = curve.values.index(0)
    sure = curve.probabilities >= HALF
    if not sure[middle]:
        return f"It is not sure of {digit} to begin with: less than 50 % likely."
    low = high = middle
    while low > 0 and sure[low - 1]:
        low -= 1
    while high < len(sure) - 1 and sure[high + 1]:
        high += 1
    where = "over the whole range," if (low, high) == (0, len(sure) - 1) else "only"
    span = f"from {curve.values[low]:g} to {curve.values[high]:g} {UNITS[curve.name]}"
    return f"It stays with {digit} (50 % likely or more) {where} {span}."
