"""How the networks that read a drawing are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studies import make_summary

from mnist_lab.presets import PRESETS
from mnist_lab.ui.draw_answers import name_of

VARIANT = make_summary("b-gbn", 99.3, Path())


def test_a_variant_is_called_as_its_preset():
    assert name_of(VARIANT) == PRESETS["b-gbn"].title


def test_own_runs_of_one_setting_differ_within_the_first_letters():
    names = [
        name_of(replace(VARIANT, id=f"20260101-000000-b-{tail}", config=VARIANT.config.replace(seed=seed)))
        for tail, seed in [("k3x9", 0), ("p7w2", 0), ("m4v8", 1)]
    ]
    assert names[0].startswith("Seed 0 (k3x9) · b-gbn · ")
    assert len({name[:13] for name in names}) == 3
