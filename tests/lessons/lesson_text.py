"""A small lesson for tests: `from lesson_text import LESSON`. Tests are no package, as with strategies.py."""

from __future__ import annotations

LESSON = '''
title = "A *lesson*"
order = 1
question = "What happens?"
about = "Before it."
explanation = "It gains {gain}, {gain:sure}; plain has {plain}."
sources = ["Somebody 1999."]

[predict]
question = "How much does it gain?"
own = "own"
record = "gain"
[[predict.options]]
text = "It loses"
up_to = 0
[[predict.options]]
text = "Little"
up_to = 2.5
[[predict.options]]
text = "Much"

[race]
name = "Two of them"
base = "noisy-1000"
change = { epochs = 2, network = "c" }
seeds = 2
[[race.contestants]]
id = "plain"
name = "Plain"
[[race.contestants]]
id = "l1"
name = "With L1"
change = { l1 = 1e-3 }

[[next]]
text = "Look."
label = "Look at it"
page = "Microscope"
values = { run = "race:l1", show = "pruning" }

[figures.own]
from = "race"
kind = "difference"
of = "l1"
minus = "plain"
[figures.gain]
from = "scan"
kind = "difference"
of = "1000-30-l1-1e-3"
minus = "1000-30-bn"
[figures.plain]
from = "scan"
of = "1000-30-bn"

[[claims]]
text = "It gains"
figure = "gain"
is = "above"
than = 2
'''


def changed(*changes: tuple[str, str]) -> str:
    """The lesson with these texts in it replaced."""
    text = LESSON
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text
