"""Keep this digit: a class's own test set, in the session only, and how every network does on it."""

from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import streamlit as st

from mnist_lab.collection import LIMIT, CollectionError, load
from mnist_lab.runs.networks import network_of
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.ui import draw_state
from mnist_lab.ui.draw_answers import name_of
from mnist_lab.ui.draw_state import url
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.pictures import digit_uri

SHOWN = 20  # of the digits kept last


def show_keep(image: np.ndarray | None, digit: int | None, runs: list[RunSummary]) -> None:
    """The button that keeps `image` (read as `digit`), what was kept, and what can be done with it."""
    kept = draw_state.collection()
    st.subheader("Your own test set")
    st.caption(
        f"Keep digits with the label that you give them, up to {LIMIT}. They stay in this browser tab and are "
        "gone when it is closed: download them to have them again."
    )
    _keep(image, digit)
    # Containers are there always, whatever is in them: an open box below keeps its place, and so stays open.
    with st.container():
        if problem := url.memory().pop("keep_problem", None):
            st.warning(plain(problem), icon="⚠️")
        if added := url.memory().pop("keep_added", None):
            st.success(added)
    with st.container():
        if len(kept):
            _gallery()
            _scores(runs)
    _files()


def _keep(image: np.ndarray | None, digit: int | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # Another box for another image or answer: what was chosen for the last digit is not the label of this one.
        mark = None if image is None else zlib.crc32(image.tobytes())
        label = st.selectbox(
            "It is meant to be a", list(range(10)), digit or 0, key=f"draw_label_{digit}_{mark}", width=160,
            disabled=image is None,
        )
        st.button(
            "Keep this digit", key="draw_keep", type="primary", disabled=image is None, on_click=_add,
            args=(image, label),
        )
        count = len(draw_state.collection())
        st.button("Remove the last", key="draw_remove", disabled=not count, on_click=_remove)
        # Another box for another count: it does not stay open when it has done its work.
        with st.popover("Remove all", disabled=not count, key=f"draw_clear_{count}"):
            st.markdown("They cannot be brought back, unless you have downloaded them.")
            st.button("Yes, remove them", key="draw_remove_all", on_click=draw_state.collection().clear)


def _add(image: np.ndarray, label: int) -> None:
    try:
        draw_state.collection().add(image, label)
    except CollectionError as error:
        url.memory()["keep_problem"] = str(error)


def _remove() -> None:
    if len(draw_state.collection()):
        draw_state.collection().remove_last()


def _gallery() -> None:
    kept = draw_state.collection()
    with st.container(horizontal=True, gap="small", key="draw_kept"):
        for image, label in list(zip(kept.images, kept.labels, strict=True))[: -SHOWN - 1 : -1]:
            with st.container(width=56, gap="xsmall"):
                st.image(digit_uri(image, 2), width=56, alt=f"A kept {label}")
                st.caption(str(label), text_alignment="center")
    counts = Counter(kept.labels)
    listed = ", ".join(f"{counts[digit]} x {digit}" for digit in sorted(counts))
    st.caption(f"{len(kept)} kept: {listed}." + (f" The last {SHOWN} are shown." if len(kept) > SHOWN else ""))


def _scores(runs: list[RunSummary]) -> None:
    rows = scores(runs)
    if not rows:
        return
    st.dataframe(
        rows, hide_index=True, alt="Accuracy of every network on the kept digits",
        column_config={
            "Network": st.column_config.TextColumn(width="medium"),
            "Accuracy": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100),
        },
    )
    best, worst = rows[0], rows[-1]
    count = len(draw_state.collection())
    spread = best["Right"] - worst["Right"]
    st.caption(
        f"From {worst['Right']} to {best['Right']} of {count} right."
        + (" With so few digits, a difference of one or two says nothing." if count < 100 or spread <= 2 else "")
    )


def scores(runs: list[RunSummary]) -> list[dict[str, object]]:
    """How many of the kept digits each network reads as labelled, the best first."""
    images, labels = draw_state.collection().arrays()
    asked = tuple(run.id for run in runs), images.tobytes(), labels.tobytes()
    known = url.memory().get("scores")
    if known is None or known[0] != asked:  # the page is drawn again at every stroke
        known = url.memory()["scores"] = asked, _score(runs, images, labels)
    return known[1]


def _score(runs: list[RunSummary], images: np.ndarray, labels: np.ndarray) -> list[dict[str, object]]:
    import torch

    from mnist_lab.evaluation import predict_logits

    rows = []
    for run in runs:
        try:
            digits = predict_logits(network_of(run), torch.from_numpy(images)).argmax(1).numpy()
        except RunError:
            continue  # the table above says that it is damaged
        right = int((digits == labels).sum())
        rows.append({"Network": name_of(run), "Right": right, "Accuracy": 100 * right / len(labels)})
    return sorted(rows, key=lambda row: -row["Right"])


def _files() -> None:
    kept = draw_state.collection()
    with st.container(horizontal=True):
        st.download_button(
            "Download as PNGs (zip)", kept.png_zip, "digits-png.zip", "application/zip", on_click="ignore",
            key="draw_get_png", disabled=not len(kept),
        )
        st.download_button(
            "Download as IDX (zip)", kept.idx_zip, "digits-idx.zip", "application/zip", on_click="ignore",
            key="draw_get_idx", disabled=not len(kept), help="MNIST's own format: a file of images and one of labels.",
        )
    with st.expander("Load digits that were downloaded"):
        found = st.file_uploader("A zip of PNGs or of IDX files", ["zip"], key="draw_load")
        st.button("Add them to the collection", key="draw_add", disabled=found is None, on_click=_load, args=(found,))


def _load(found) -> None:
    try:
        count = draw_state.collection().add_all(load(found.getvalue()))
    except CollectionError as error:
        url.memory()["keep_problem"] = str(error)
    else:
        url.memory()["keep_added"] = "One digit was added." if count == 1 else f"{count} digits were added."
