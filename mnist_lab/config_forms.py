"""The other forms of a `RunConfig`: JSON, URL query, `--set KEY=VALUE`, and short captions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from mnist_lab.config import (
    ALL,
    DEFAULTS,
    KNOBS,
    ORIGIN_FIELDS,
    TOGETHER,
    TYPES,
    ConfigError,
    RunConfig,
    check,
    matters,
    problem,
)
from mnist_lab.knobs import exact, shown

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def from_dict(values: Mapping[str, Any]) -> RunConfig:
    """The config written by `RunConfig.to_dict`; knobs that are absent get their defaults.

    Raises `ConfigError` for a knob that does not exist or a value that is not allowed.
    """
    unknown = {name: _unknown(name) for name in values if name not in KNOBS}
    if unknown:
        raise ConfigError(unknown)
    return RunConfig(**values)


def parse_value(name: str, text: str) -> Any:
    """The value that `text` stands for, of the knob's type. Raises `ConfigError`; ranges are not checked here."""
    if name not in KNOBS:
        raise ConfigError({name: _unknown(name)})
    kind, text = TYPES[name], text.strip()
    if kind is bool:
        lowered = text.lower()
        if lowered in TRUE + FALSE:
            return lowered in TRUE
        raise ConfigError({name: f"{KNOBS[name].label} must be true or false, not {shown(text)}."})
    if KNOBS[name].choices is not None:
        return text
    if name == "train_images" and text.lower() == ALL:
        return ALL
    number = float if kind is float else int
    try:
        return number(text)
    except ValueError:
        what = "a number" if number is float else "a whole number"
        raise ConfigError({name: f"{KNOBS[name].label} must be {what}, not {shown(text)}."}) from None


def from_settings(settings: list[str], base: RunConfig) -> RunConfig:
    """`base` with `["KEY=VALUE", ...]` applied. Raises `ConfigError`."""
    changes = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise ConfigError({name: f"Write a setting as KEY=VALUE; {setting!r} has no '='."})
        name = name.strip()
        if name not in KNOBS and not _nearest(name):
            raise ConfigError({name: f"{_unknown(name)} The settings are: {', '.join(KNOBS)}."})
        changes[name] = parse_value(name, text)
    return base.replace(**changes)


def to_query(config: RunConfig) -> dict[str, str]:
    """URL query parameters: every knob that differs from its default, as text that `from_query` reads back."""
    return {name: to_text(value) for name, value in config.to_dict().items() if value != DEFAULTS[name]}


def from_query(query: Mapping[str, str], base: RunConfig | None = None) -> tuple[RunConfig, list[str]]:
    """The config in a URL and a sentence for each part of it that had to be ignored.

    Settings that contradict one another are ignored together, and the others kept. Parameters that are no knobs
    (the page's own) are left alone. `base` supplies what the URL does not name.
    """
    start = (base or RunConfig()).to_dict()
    values, ignored = dict(start), []
    for name in (name for name in query if name in KNOBS):
        try:
            value = parse_value(name, query[name])
        except ConfigError as error:
            ignored += error.problems.values()
            continue
        if text := problem(name, value):
            ignored.append(text)
        else:
            values[name] = value
    for name, text in check(values).items():
        ignored.append(text)
        values |= {knob: start[knob] for knob in TOGETHER[name]}
    return RunConfig(**values), ignored


def to_text(value: Any) -> str:
    """A value as it is written in URLs and `--set`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact(value) if isinstance(value, float) else str(value)


def short_value(name: str, value: Any) -> str:
    """A value as a caption shows it: shares in per cent, small numbers as 1e-4, choices by label."""
    spec = KNOBS[name]
    if isinstance(value, bool):
        return "on" if value else "off"
    if spec.choices is not None:
        return spec.choices[value]
    if name in ("label_noise", "translation", "scale", "brightness", "contrast", "warmup"):
        return f"{100 * value:g} %"
    if isinstance(value, str):
        return f"{value} {spec.unit}"  # "all images"
    if isinstance(value, float) and 0 < value < 1e-2:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if isinstance(value, int):
        return f"{value:,} {spec.unit}".strip()
    return f"{value:g} {spec.unit}".strip()


def title(config: RunConfig) -> str:
    """A caption that tells runs apart: "Network B · GBN 4 · L1 1e-4 · 1,000 images, 30 % noise"."""
    parts = [f"Network {config.network.upper()}", _norm_title(config)]
    if config.l1:
        kind = " proximal" if config.l1_kind == "proximal" else ""
        parts.append(f"L1{kind} {short_value('l1', config.l1)}")
    if config.weight_decay:
        parts.append(f"weight decay {short_value('weight_decay', config.weight_decay)}")
    if config.dropout:
        parts.append(f"dropout {config.dropout:g}")
    if config.train_images != ALL or config.label_noise:
        images = "all images" if config.train_images == ALL else f"{config.train_images:,} images"
        noise = f", {100 * config.label_noise:g} % noise" if config.label_noise else ""
        parts.append(images + noise)
    if is_augmented(config):
        parts.append("augmented")
    return " · ".join(parts)


def _norm_title(config: RunConfig) -> str:
    short = {"batch": "BN", "none": "no norm", "layer": "layer norm", "group": "group norm"}
    name = short.get(config.norm, f"GBN {config.num_splits}")
    frozen = config.freeze_gamma and config.matters("freeze_gamma")
    return f"{name}, gamma frozen" if frozen else name


AUGMENTATION = (
    "rotation", "second_rotation", "translation", "scale", "shear", "elastic", "brightness", "contrast",
)


def is_augmented(config: RunConfig) -> bool:
    """Whether training images are changed at random at all."""
    return any(getattr(config, name) for name in AUGMENTATION)


def differences(a: RunConfig, b: RunConfig) -> dict[str, tuple[Any, Any]]:
    """The knobs in which two configs differ and that matter in at least one of them."""
    left, right = a.to_dict(), b.to_dict()
    return {
        name: (left[name], right[name])
        for name in KNOBS
        if left[name] != right[name] and (matters(name, left) or matters(name, right))
    }


def same_setting(a: RunConfig, b: RunConfig) -> bool:
    """Whether two configs train alike but for the seed, the device and the precision."""
    return not differences(a, b).keys() - set(ORIGIN_FIELDS)


def _unknown(name: str) -> str:
    """One short sentence, because it may be shown to whoever opens a link: no list of all names."""
    near = _nearest(name)
    return f"There is no setting {name!r}." + (f" Did you mean {near!r}?" if near else "")


def _nearest(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name, KNOBS, n=1)), None)
