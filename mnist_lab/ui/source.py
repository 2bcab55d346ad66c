"""Where the images come from, said on the page, and the button that fetches them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_lab.data.download import DOWNLOAD_SIZE, download_mnist
from mnist_lab.data.files import DataError, data_status
from mnist_lab.data.sizes import too_few_images
from mnist_lab.ui import state
from mnist_lab.ui.markdown import plain

MEGABYTE = 1e6


def show_source() -> dict[str, Any]:
    """Warn if a run may have to use other images than MNIST's, and return `data_status()`. Always one container."""
    status = data_status()
    with st.container(key="source"):
        if not status["complete"]:
            _show_sample(status)
    return status


def source_text(status: dict[str, Any]) -> str:
    """A line, in Markdown, on the images that a run would use; `status` is `data_status()`."""
    counts = f"{status['train']:,} training and {status['test']:,} test images"
    if status["complete"]:
        return f"Source: MNIST, {counts}, checksums verified, in {plain(status['location'])}."
    instead = "MNIST, once it is downloaded, or else" if _may_download(status) else ""
    return f"Source: {instead} the bundled sample, {counts}.".replace("  ", " ")


def too_many_images(status: dict[str, Any]) -> dict[str, str]:
    """A problem if the settings ask for more images than there will be; `status` is `data_status()`.

    While a download may still succeed, nobody knows, and the banner says what happens if it does not.
    """
    problem = None if _may_download(status) else _too_few(status)
    return {"train_images": problem} if problem else {}


def _too_few(status: dict[str, Any]) -> str | None:
    values = state.values()
    return too_few_images(values["train_images"], status["train"], values["validation"], status["source"])


def _may_download(status: dict[str, Any]) -> bool:
    return not status["complete"] and status["can_download"] and state.download_problem() is None


def _show_sample(status: dict[str, Any]) -> None:
    problem = state.download_problem()
    if _may_download(status):
        consequence = (
            "A run downloads it first; with no network it uses the sample of 5,000 digits that comes with the lab, "
            "and figures on that are not comparable with others."
        )
        if _too_few(status):
            consequence += " It has too few images for these settings: the run would fail."
    else:
        consequence = (
            f"Runs use the bundled sample: {status['train']:,} training and {status['test']:,} test images. Figures "
            "on it are not comparable with figures on the full set."
        )
    st.warning(f"{plain(problem or status['note'])} {consequence}", icon="⚠️")
    if status["can_download"] and st.button(f"Download MNIST ({DOWNLOAD_SIZE / MEGABYTE:.0f} MB)", key="download"):
        _download()


def _download() -> None:
    """Fetch the files while this page shows how far it is; leaving the page ends the download."""
    bar = st.progress(0.0, "Starting the download")
    try:
        download_mnist(progress=lambda message, fraction: bar.progress(min(fraction, 1.0), message))
        state.set_download_problem(None)
    except DataError as error:
        state.set_download_problem(str(error))
    state.rerun()
