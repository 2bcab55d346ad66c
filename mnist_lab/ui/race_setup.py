"""Choosing who races: ready-made, one setting changed, or presets; how many seeds; Start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.config_forms import to_text
from mnist_lab.contestants import MOST_CONTESTANTS, MOST_SEEDS, READY, SHORT, can_vary
from mnist_lab.presets import PRESETS
from mnist_lab.runs.race import start_race
from mnist_lab.runs.record import RunError
from mnist_lab.ui import cache, race_plan, race_text, source, state
from mnist_lab.ui.markdown import plain
from mnist_lab.ui.race_plan import RacePlan
from mnist_lab.ui.race_state import BASE, KNOB, RACE, VALUES, show_race, url
from mnist_lab.ui.widgets import caption

IMAGES = {
    "short": f"1,000 images with 30 % wrong labels, {SHORT['epochs']} epochs",
    "own": "Each preset's own",
}
SEEDS_HELP = "Every contestant runs once with each seed. With one seed you see a race; a verdict takes two or more."


def render_setup() -> None:
    """Draw the choices and the button that starts the race."""
    status = source.show_source()
    values, train = url.values(), state.last_good_config()
    url.switch("What races", "from", race_plan.KINDS, race_plan.kind_of(values))
    with st.container(key="race_choice"):
        _choices(values, train)
    plan = race_plan.plan_of(values, train, status)
    url.slide("Seeds", "seeds", 1, MOST_SEEDS, plan.seeds, help=SEEDS_HELP)
    reason = _why_no_start(plan)
    st.button(
        "Start the race", type="primary", key="race_start", icon=":material/play_arrow:", on_click=_start, args=(plan,),
        disabled=reason is not None,
    )
    if reason:
        st.warning(plain(reason))
    else:
        st.caption(race_text.plan_text(plan.contestants, plan.seeds, status["train"]))
    with st.container(key="race_notes"):
        for text in url.memory().pop("problems", []):
            st.error(plain(text))
        for text in plan.notes:
            st.warning(plain(f"Left out of this link: {text}"), icon="⚠️")
    _list_contestants(plan)


def _choices(values: dict[str, str], train: RunConfig) -> None:
    kind = race_plan.kind_of(values)
    if kind == race_plan.READY_MADE:
        options = {name: one.title for name, one in READY.items()}
        url.choose("Race", "ready", options, race_plan.ready_of(values))
        st.caption(READY[race_plan.ready_of(values)].question)
    elif kind == race_plan.NAMED:
        url.several(
            "Presets", "presets", {name: one.title for name, one in PRESETS.items()}, race_plan.presets_of(values),
            ",".join, max_selections=MOST_CONTESTANTS, help="All others are measured against the first one.",
        )
        url.choose("Images", "images", IMAGES, "short" if race_plan.is_short(values) else "own")
    else:
        _knob(values, train)


def _knob(values: dict[str, str], train: RunConfig) -> None:
    base = race_plan.base_config(values, train)
    left, right = st.columns(2)
    with left:
        url.choose("These settings", BASE, race_plan.BASES, race_plan.base_of(values))
    knob = race_plan.knob_of(values, base)
    with right:
        labels = {name: KNOBS[name].label for name in can_vary(base)}
        url.choose("but with another", KNOB, labels, knob)
    chosen = race_plan.knob_values(values, base, knob)
    offered = dict.fromkeys([*race_plan.other_values(base, knob), *chosen])
    may_type = KNOBS[knob].choices is None and KNOBS[knob].low is not None
    url.several(
        KNOBS[knob].label, VALUES, {to_text(value): caption(knob, value) for value in offered},
        [to_text(value) for value in chosen], lambda texts: _several_text(knob, texts),
        max_selections=MOST_CONTESTANTS - 1, accept_new_options=may_type,
        help=f"{KNOBS[knob].help} The settings as they are take part too: all others are measured against them."
        + (" Other values can be typed in." if may_type else ""),
    )


def _several_text(knob: str, texts: Sequence[str]) -> str:
    """Chosen and typed values as the URL has them. Why one is not allowed is said on the page. In a callback."""
    url.memory()["problems"] = [text for one in texts if (text := race_plan.value_problem(knob, one))]
    values = [race_plan.knob_value(knob, text) for text in texts]
    return ",".join(dict.fromkeys(to_text(value) for value in values if value is not None))


def _list_contestants(plan: RacePlan) -> None:
    if not plan.contestants:
        return
    with st.expander(f"Who races ({len(plan.contestants)})"):
        lines = [f"{place}. {plain(one.name)}" for place, one in enumerate(plan.contestants, start=1)]
        st.markdown("\n".join(lines))
        st.caption(f"All others are measured against the first. {race_text.SHARED}")


def _why_no_start(plan: RacePlan) -> str | None:
    if cache.engine_problem():
        return cache.engine_problem()
    missing = {text for one in plan.contestants for text in cache.missing_device(one.config).values()}
    if problems := [*plan.problems, *missing]:
        return " ".join(problems)
    if state.owner_hash() is None:
        return "One moment: waiting for the browser."
    return None


def _start(plan: RacePlan) -> None:
    if not url.values().get(RACE):  # else it is the second click of a double click
        start(plan.name, plan.contestants, range(plan.seeds))


def start(name: str, contestants: Any, seeds: Any) -> None:
    """Start a race of this browser and show it, in a callback. Why it cannot be started is said on the page."""
    try:
        race = start_race(cache.queue(), contestants, tuple(seeds), name=name, owner=state.owner_hash())
    except (RunError, OSError) as error:
        url.memory()["problems"] = [str(error)]
    else:
        show_race(race.id)
