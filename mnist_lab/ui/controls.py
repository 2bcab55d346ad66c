"""The controls: a preset for everything at once, and every knob in the order in which a teacher explains them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import streamlit as st

from mnist_lab.config import GROUPS, KNOBS, RunConfig
from mnist_lab.config_forms import AUGMENTATION, differences, title
from mnist_lab.presets import AUGMENTATIONS, PRESETS, preset_of
from mnist_lab.ui import cache, state, widget_state
from mnist_lab.ui.widgets import changes_text, show_knob

if TYPE_CHECKING:
    from mnist_lab.nn.networks import LayerRow

CUSTOM = "(custom)"
PRESET, RECIPE = "preset", "augmentation"  # names of widgets that are no knobs
GROUP_HELP = {
    "data": "What the network learns from. From a few images, some with wrong labels, it learns mistakes by heart.",
    "network": "Which layers look at the digits, and what keeps the numbers between them in a steady range.",
    "regularization": "What holds the network back from learning by heart: both pull its weights towards zero.",
    "training": "How the weights are found: how often, in how large steps, how many images at a time.",
}
# Behind an expander at the end of its group: what a beginner can leave alone.
DETAILS: dict[str, tuple[str, tuple[str, ...]]] = {
    "data": ("Augmentation, one by one", (*AUGMENTATION, "interpolation")),
    "training": (
        "Optimizer, seed and device",
        ("optimizer", "momentum", "nesterov", "ema_decay", "seed", "device", "precision"),
    ),
}


def show_preset() -> None:
    """The box that sets all controls at once, and a line on what is set."""
    config = state.current_config()
    name = preset_of(config) if config else None
    options = [*([] if name else [CUSTOM]), *PRESETS]
    locked = KNOBS.keys() <= state.locks().keys()
    key, default = widget_state.widget(PRESET, name or CUSTOM, options)
    st.selectbox(
        "Preset", options, options.index(default), format_func=_preset_title, key=key, on_change=_take_preset,
        args=(key,), help="Sets all controls at once. Seed, device and precision stay as they are. Sources A and B are "
        "two published exercises, which the lab repeats.", disabled=locked,
    )
    if locked:
        st.caption("🔒 All settings are locked. You can start a run and see what comes of it.")


def settings_caption() -> str:
    """What is set, in a line: the preset's own words, or the settings and what was changed."""
    config = state.current_config()
    if config is None:
        return "The settings cannot be trained yet: see the red notes beside them."
    if name := preset_of(config):
        return PRESETS[name].help
    base = state.base_preset()
    if base is None:
        return f"{title(config)}."
    changes = differences(PRESETS[base].config, config)
    return f"{title(config)}. Changed from “{PRESETS[base].title}”: {changes_text(changes)}."


def show_controls(problems: dict[str, str], source: str) -> None:
    """Every knob that matters, by group. `problems` are shown beside the knobs that they name.

    `source` is a line, in Markdown, on where the images come from.
    """
    for group, heading in GROUPS.items():
        st.subheader(heading, divider="gray")
        st.caption(GROUP_HELP[group] + (f" {source}" if group == "data" else ""))
        label, details = DETAILS.get(group, ("", ()))
        for name in (n for n, knob in KNOBS.items() if knob.group == group and n not in details):
            show_knob(name, problems)
        if group == "data":
            _show_augmentation()
        if group == "network":
            _show_layers(state.last_good_config())
        if details:
            with st.expander(label, expanded=bool(problems.keys() & set(details))):
                for name in details:
                    show_knob(name, problems)


def _show_augmentation() -> None:
    current = {name: state.values()[name] for name in (*AUGMENTATION, "interpolation")}
    locked = [name for name in current if name in state.locks()]
    name = next((n for n, (_, knobs) in AUGMENTATIONS.items() if knobs == current), CUSTOM)
    options = [*AUGMENTATIONS] + [CUSTOM] * (name == CUSTOM)
    key, default = widget_state.widget(RECIPE, name, options)
    st.selectbox(
        "Augmentation", options, options.index(default), key=key, on_change=_take_augmentation, args=(key,),
        format_func=lambda n: CUSTOM if n == CUSTOM else AUGMENTATIONS[n][0],
        help="Changes every training image a little at random each time it is seen, so that there is always "
        "something new to learn from.", disabled=bool(locked),
    )
    if locked:
        st.caption(f"🔒 {state.locks()[locked[0]].why}")


def _show_layers(config: RunConfig) -> None:
    """The layer table of the real module that these settings build, folded away."""
    with st.popover("Layer table", width="stretch"):
        if not cache.engine_ready():
            st.caption("Loading PyTorch: the table appears in a moment.")
            return
        rows, total, trainable = _layers(_network_only(config))
        frozen = f", of which {trainable:,} are trained (gamma is frozen)" if trainable < total else ""
        st.markdown(f"**Network {config.network.upper()}: {total:,} parameters**{frozen}")
        st.caption(
            "Output is channels x height x width. The last layer gives ten numbers, one for each digit: the largest "
            "is the answer."
        )
        st.markdown("\n".join([
            "| layer | what it does | output | parameters |", "|---|---|---|---:|",
            *(f"| {row.name} | {row.text} | {row.output} | {row.parameters:,} |" for row in rows),
        ]))


def _network_only(config: RunConfig) -> RunConfig:
    return RunConfig(**{name: getattr(config, name) for name, knob in KNOBS.items() if knob.group == "network"})


@functools.lru_cache(maxsize=64)
def _layers(config: RunConfig) -> tuple[list[LayerRow], int, int]:
    from mnist_lab.nn.networks import build_network, count_parameters, layer_table

    network = build_network(config)
    return layer_table(network), *count_parameters(network)


def _preset_title(name: str) -> str:
    return CUSTOM if name == CUSTOM else PRESETS[name].title


def _take_preset(key: str) -> None:
    latest, name = widget_state.is_latest(PRESET, key), widget_state.widget_value(PRESET, key)
    if latest and name != CUSTOM:
        values = state.values()
        origin = {n: values[n] for n in ("seed", "device", "precision")}
        state.set_config(PRESETS[name].config.replace(**origin))


def _take_augmentation(key: str) -> None:
    latest, name = widget_state.is_latest(RECIPE, key), widget_state.widget_value(RECIPE, key)
    if latest and name != CUSTOM:
        state.set_values(**AUGMENTATIONS[name][1])
