"""The Compare page: settings and runs beside each other, and whether what differs is real."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_lab.runs.library import Library
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.runs.study import StudyError
from mnist_lab.ui import cache, compare_find, compare_state
from mnist_lab.ui.compare_blocks import Block
from mnist_lab.ui.compare_data import JUDGED, LAST_EPOCH, Variant
from mnist_lab.ui.compare_find import Found
from mnist_lab.ui.compare_state import CHOSEN, MEASURE, NOISE, PUBLISHED, REFERENCE, SHOW, chosen_text, url
from mnist_lab.ui.markdown import plain

TRAIN_PAGE = "mnist_lab/ui/views/train.py"
MAX_CHOSEN = 16  # the variants of both sources; more lines cannot be told apart
CURVES, REAL, CLAIMS, SMALL = "curves", "real", "claims", "small"
PARTS = {CURVES: "Curves and tables", REAL: "Is it real?", CLAIMS: "The sources' claims", SMALL: "Few images"}
# With what the page begins: the claim that ghost batch norm is better than batch norm.
FIRST = (("sources.b-bn", "sources.b-gbn"), ("run.b-bn", "run.b-gbn"))


def render_compare() -> None:
    """Draw the page."""
    st.title("Compare")
    st.markdown("Is one setting better than another, or was it luck?")
    library = cache.library()
    there, problems = compare_find.variants(library)
    for problem in problems:
        st.error(plain(problem))
    shown = url.one_of(SHOW, PARTS, CURVES)
    url.switch("Part of the page", SHOW, PARTS, shown)
    chosen = _pick(there, library) if shown in (CURVES, REAL) else []
    if shown in (CURVES, REAL) and not chosen:
        return
    try:
        blocks = _blocks(shown, chosen, there, library)
    except (RunError, StudyError) as error:
        st.error(plain(f"{error} Choose another run, or reload the page."))
        return
    from mnist_lab.ui.compare_show import show

    show(blocks)
    _offer_report(shown, chosen, blocks, library)


def _pick(there: Sequence[Variant], library: Library) -> list[Variant]:
    by_key = {one.key: one for one in there}
    if not there:
        st.info("There is no trained network yet. Train two with different settings, and compare them here.")
        st.page_link(TRAIN_PAGE, label="Start a run on the Train page")
        return []
    asked = compare_state.chosen()
    keys = [key for key in asked if key in by_key][:MAX_CHOSEN]
    if not asked and CHOSEN not in url.values():
        keys = default_choice(by_key)
    url.memory()[CHOSEN] = chosen_text(keys)
    with st.container():
        if gone := [key for key in asked if key not in by_key]:
            st.warning(plain(_not_there(gone, there, library)), icon="⚠️")
        elif len(asked) > MAX_CHOSEN:
            st.warning(f"Only the first {MAX_CHOSEN} of the {len(asked)} in the link are shown.", icon="⚠️")
    url.several(
        "Settings and runs", CHOSEN, {key: one.label for key, one in by_key.items()}, keys, chosen_text,
        max_selections=MAX_CHOSEN, placeholder="Choose settings or runs",
    )
    with st.container():
        if going := sum(isinstance(run, RunSummary) and run.status == "running" for run in library.own.list()):
            st.caption(f"{going} run{'s are' if going > 1 else ' is'} still going, and can be chosen after the end.")
        if not keys:
            st.info("Choose at least one.")
    return [by_key[key] for key in keys]


def default_choice(by_key: dict[str, Variant]) -> list[str]:
    """What is compared before anything is chosen: the sources' question if it can be answered, else the newest two."""
    for pair in FIRST:
        if all(key in by_key for key in pair):
            return list(pair)
    return list(by_key)[:2]


def _not_there(gone: list[str], there: Sequence[Variant], library: Library) -> str:
    """A sentence for each reason why something in the link cannot be chosen."""
    called: dict[str, list[str]] = {}
    for key in gone:
        name, reason = compare_find.why_not(key, there, library)
        called.setdefault(reason, []).append(name)
    return " ".join(
        f"{names[0]} is {reason}." if len(names) == 1 else f"{len(names)} of those in the link are {reason}."
        for reason, names in called.items()
    )


def _blocks(shown: str, chosen: list[Variant], there: Sequence[Variant], library: Library) -> list[Block]:
    """What a part shows; its controls are drawn on the way. Each part is imported when it is shown."""
    if shown == CURVES:
        from mnist_lab.ui.compare_curves import MEASURES, curves_part

        measure = url.one_of(MEASURE, MEASURES, "eval_accuracy")
        published = url.values().get(PUBLISHED) == "1"
        with st.container(horizontal=True, vertical_alignment="bottom"):
            url.choose("Measure", MEASURE, {name: one.name for name, one in MEASURES.items()}, measure)
            url.turn("Published figures", PUBLISHED, published, "Lays what the two sources published beside ours.")
        return curves_part(chosen, measure, published)
    if shown == REAL:
        return _real(chosen, there)
    from mnist_lab.ui.compare_claims import claims_part, small_part

    small = _study("small-data", library)
    if shown == CLAIMS:
        return claims_part(_study("sources", library), small)
    return small_part(small, _study("scan", library))


def _real(chosen: list[Variant], there: Sequence[Variant]) -> list[Block]:
    from mnist_lab.ui.compare_real import noise_candidates, noise_default, noise_part, real_part

    judged = url.one_of(compare_state.JUDGED, JUDGED, LAST_EPOCH)
    keys = [one.key for one in chosen]
    reference = url.one_of(REFERENCE, keys, keys[0])
    candidates = {one.key: one for one in noise_candidates([*chosen, *there])}
    usual = noise_default(chosen, there)
    alone = url.one_of(NOISE, candidates, usual.key if usual else "")
    with st.container(horizontal=True):
        url.choose("Judged by", compare_state.JUDGED, JUDGED, judged)
        if len(chosen) > 2:
            url.choose("Compared with", REFERENCE, {one.key: one.label for one in chosen}, reference)
        if candidates:
            url.choose("A setting against itself", NOISE, {k: one.label for k, one in candidates.items()}, alone)
    of_one = noise_part(candidates.get(alone), judged)
    return [*of_one, *real_part(chosen, judged, next(one for one in chosen if one.key == reference))]


def _study(name: str, library: Library) -> Found | None:
    """A study that can be read: the page has said so of one that cannot."""
    try:
        return compare_find.find_study(name, library)
    except StudyError:
        return None


def _offer_report(shown: str, chosen: list[Variant], blocks: list[Block], library: Library) -> None:
    from mnist_lab.ui.compare_report import MISSING, can_draw, report_html

    link = compare_state.link()
    title = PARTS[shown]
    studies = [found.study for name in compare_find.STUDIES if (found := _study(name, library))]
    told = studies if shown in (CLAIMS, SMALL) else []
    st.divider()
    st.download_button(
        "Report of this page (HTML)", lambda: report_html(title, chosen, blocks, told, link), f"compare-{shown}.html",
        "text/html", on_click="ignore", key="compare_report", disabled=not can_draw(), icon=":material/download:",
    )
    st.caption(
        "One file with the charts, tables and texts above, the settings, seeds and versions. It opens offline."
        if can_draw() else MISSING
    )
