"""What all networks say about the digit, as a table, and a look inside the one that is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mnist_lab.presets import PRESETS
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.ui import draw_charts, page_state, run_text, widget_state
from mnist_lab.ui.draw_state import PART, url
from mnist_lab.ui.pictures import maps_uri, saliency_uri
from mnist_lab.verdict_text import article

if TYPE_CHECKING:
    from torch import nn

MAX_OWN = 12  # runs made here, the newest, beside the variants
LAYERS, LOOKS, STAYS = "layers", "looks", "stays"
PARTS = {LAYERS: "Layer by layer", LOOKS: "Where it looks", STAYS: "How sure it stays"}
SHOWN_LAYERS = ("relu", "pool")  # what the convolutions found, and what is passed on of it
SALIENCY_HELP = (
    "Gradient: orange where a small change of the pixel changes the score of the digit most. Hide a patch: 5 x 5 "
    "pixels are made background, everywhere in turn; orange where that makes the digit less likely, blue where it "
    "makes it more likely."
)

NAMES_HELP = (
    "The names say how a network was trained: by the recipe of source A or B, the two published exercises that this "
    "lab repeats; with batch normalization (BN) or ghost batch normalization (GBN: each batch is cut into smaller "
    "ones first); with L1 (all weights are pulled to zero alike) or L2 (weight decay: large ones are pulled hardest)."
)


@dataclass(frozen=True, eq=False)
class Said:
    """A run and what its network says: probabilities float32 [10]."""

    run: RunSummary
    name: str
    chances: np.ndarray

    @property
    def digit(self) -> int:
        """The answer."""
        return int(self.chances.argmax())


def readers(library: Library, asked: str | None) -> list[RunSummary]:
    """The runs that answer: every pretrained variant, the newest runs made here, and the one that is `asked` for."""
    runs = library.list()
    own = [run for run in runs if not library.is_pretrained(run)]
    older = [run for run in own[MAX_OWN:] if run.id == asked]
    return [run for run in runs if library.is_pretrained(run)] + own[:MAX_OWN] + older


def networks_of(runs: list[RunSummary]) -> tuple[list[tuple[RunSummary, nn.Module]], int]:
    """The runs with their networks, and how many have none because they are damaged. Read once, then kept."""
    found, damaged = [], 0
    for run in runs:
        try:
            found.append((run, network_of(run)))
        except RunError:
            damaged += 1
    return found, damaged


def ask(networks: list[tuple[RunSummary, nn.Module]], image: np.ndarray) -> list[Said]:
    """What each of them says about an image uint8 [28, 28]."""
    import torch

    from mnist_lab.answers import probabilities

    if not networks:
        return []
    chances = probabilities([network for _, network in networks], torch.from_numpy(image)[None])[:, 0].numpy()
    return [Said(run, name_of(run), row) for (run, _), row in zip(networks, chances, strict=True)]


def name_of(run: RunSummary) -> str:
    """A variant by its preset's title; another run first by what tells it from its twins: a table cuts the rest off."""
    if run.id in PRESETS:
        return PRESETS[run.id].title
    own = f"Seed {run.config.seed} ({run.id[run.id.rfind('-') + 1:]})"
    return f"{own} · {run.name} · {run_text.when_text(run.timings['started'])}"


def agreement_text(said: list[Said], digit: int) -> str:
    """How many of the networks read it so."""
    agree = sum(one.digit == digit for one in said)
    if len(said) == 1:
        return ""
    if agree == len(said):
        return f"All {len(said)} networks read {article(digit)} {digit}."
    others = sorted({one.digit for one in said} - {digit})
    listed = " or ".join([", ".join(str(other) for other in others[:-1]), str(others[-1])][len(others) == 1 :])
    return (
        f"{agree} of {len(said)} networks read {article(digit)} {digit}; the others {article(others[0])} {listed}."
    )


def show_table(said: list[Said], chosen: Said) -> None:
    """A row a network, the chosen one's ticked. A click on another row, on a cell or its tick box, chooses that."""
    ids = [one.run.id for one in said]
    # Another table for another choice, with the right row ticked: a click on a cell does not move the tick, and to tick
    # a row of a table that is there freezes the browser if it is sorted (Streamlit 1.67).
    key, _ = widget_state.widget("draw_table", chosen.run.id, tuple(ids))
    st.dataframe(
        [
            {
                "Reads": str(one.digit), "Network": one.name, "Confidence": 100 * float(one.chances.max()),
                "Agrees": "yes" if one.digit == chosen.digit else "no",
            }
            for one in said
        ],
        key=key, hide_index=True, alt="What every network reads", on_select=lambda: _pick(key, ids, chosen.run.id),
        selection_mode=["single-row-required", "single-cell"], height="content",
        selection_default={"selection": {"rows": [ids.index(chosen.run.id)]}},
        column_config={
            "Reads": st.column_config.TextColumn(width=60),
            "Network": st.column_config.TextColumn(width="medium"),
            "Confidence": st.column_config.ProgressColumn(
                format="%.1f %%", min_value=0, max_value=100, help="The probability that it gives its answer."
            ),
            "Agrees": st.column_config.TextColumn(help="Whether it reads the same digit as the chosen network."),
        },
    )


def _pick(key: str, ids: list[str], chosen: str) -> None:
    selection = page_state.widget_value(key)["selection"]
    marked = [ids[row] for row in [*selection["rows"], *(row for row, _ in selection["cells"])]]
    clicked = [id for id in marked if id != chosen]  # the tick stays where it was when a cell is clicked
    if clicked:
        url.go(run=clicked[0])


def show_inside(image: np.ndarray, chosen: Said) -> None:
    """A look inside the chosen network, one of `PARTS`."""
    part = url.one_of(PART, PARTS, LAYERS)
    url.switch("A look inside", PART, PARTS, part)
    {LAYERS: _layers, LOOKS: _looks, STAYS: _stays}[part](image, chosen)


def _layers(image: np.ndarray, chosen: Said) -> None:
    import torch

    from mnist_lab.microscope import feature_maps

    st.caption(
        "Every convolution looks for a pattern in each of its maps. Bright orange: the pattern is there; blue: a value "
        "below zero. Pooling keeps the strongest (or the mean) of neighbouring places, so the maps get smaller and "
        "coarser on the way down."
    )
    for name, maps in feature_maps(network_of(chosen.run), torch.from_numpy(image)):
        if not name.startswith(SHOWN_LAYERS):
            continue
        count, height, width = maps.shape
        kind = "Convolution" if name.startswith("relu") else "Pooling"
        number = name.removeprefix("relu").removeprefix("pool")
        st.markdown(f"**{kind} {number}**: {count} maps of {height} x {width}")
        scale = max(56 // max(height, width), 2)
        alt = f"{count} feature maps of {kind.lower()} {number}"
        st.image(maps_uri(maps.numpy(), scale, across=-(-count // 2)), alt=alt)


def _looks(image: np.ndarray, chosen: Said) -> None:
    import torch

    from mnist_lab import microscope

    first, second = (int(digit) for digit in np.argsort(-chosen.chances)[:2])
    network, pixels = network_of(chosen.run), torch.from_numpy(image)
    st.caption(SALIENCY_HELP)
    ways = {"Gradient": microscope.gradient_saliency, "Hide a patch": microscope.occlusion_saliency}
    with st.container(horizontal=True):
        for way, find in ways.items():
            for digit in (first, second):
                with st.container(width=168, gap="xsmall"):
                    saliency = find(network, pixels, digit).numpy()
                    what = f"{article(digit)} {digit}"
                    st.image(saliency_uri(image, saliency, 6), width="stretch", alt=f"{way}: where it sees {what}")
                    st.caption(f"{way}, for {what}", text_alignment="center")
    st.caption(f"Its answer is {first}; {second} is the next most likely.")


def _stays(image: np.ndarray, chosen: Said) -> None:
    import torch

    from mnist_lab.answers import curves

    st.caption("The image that the network sees is shifted, turned, and written with thinner and thicker strokes.")
    columns = st.columns(2)
    for number, curve in enumerate(curves(network_of(chosen.run), torch.from_numpy(image), chosen.digit)):
        with columns[number % 2], st.container(key=f"draw_curve_{curve.name}"):
            st.vega_lite_chart(spec=draw_charts.curve_spec(curve, chosen.digit), width="stretch")
            st.caption(draw_charts.curve_takeaway(curve, chosen.digit))
