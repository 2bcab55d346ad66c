"""Hypothesis strategies: `from strategies import configs`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mnist_lab.config import ALL, KNOBS, TYPES, RunConfig, check


def values(name: str) -> st.SearchStrategy[Any]:
    """Every value that the knob `name` allows on its own."""
    spec = KNOBS[name]
    if spec.choices is not None:
        return st.sampled_from(list(spec.choices))
    if TYPES[name] is bool:
        return st.booleans()
    if TYPES[name] is float:
        # Often a round number, as people choose them, and sometimes any float there is.
        any_float = st.floats(spec.low, spec.high, allow_nan=False)
        return st.sampled_from([spec.low, spec.high, *spec.suggestions]) | any_float
    whole = st.integers(spec.low, spec.high)
    return st.just(ALL) | whole if name == "train_images" else whole


def configs(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[RunConfig]:
    """Valid configs. Give a strategy for a knob to narrow it: `configs(norm=st.just("ghost"))`."""
    knobs = {name: fixed.get(name, values(name)) for name in KNOBS}
    return st.fixed_dictionaries(knobs).filter(lambda chosen: not check(chosen)).map(lambda chosen: RunConfig(**chosen))
