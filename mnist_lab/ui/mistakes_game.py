"""Beat the network: digits it misread and ordinary ones, mixed and without labels, for people to read."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from mnist_lab.evaluation import DIGITS
from mnist_lab.ui import mistakes_game_text as words
from mnist_lab.ui.mistakes_data import Subject
from mnist_lab.ui.mistakes_state import url
from mnist_lab.ui.pictures import digit_uri
from mnist_lab.verdict_text import article

ROUND = 12  # digits, half of them misread
MAX_TALLY = 3_000  # guesses kept in a session
LARGE, SMALL = 224, 96  # pixels
# Streamlit writes a button's key beside its label, which here are the same digit.
STYLE = "<style>.st-key-mistakes_keys kbd { display: none; }</style>"
ROUND_KEY, TALLY_KEY = "round", "tally"


@dataclass
class Round:
    """Digits to read: rows of the run's answers, in the order they are shown, and the guesses so far."""

    run_id: str
    kind: str
    rows: list[int]
    guesses: list[int] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return len(self.guesses) == len(self.rows)


def render_game(subject: Subject) -> None:
    """Draw this part of the page."""
    if subject.images is None:
        st.info("The images that this network was tested on are not here, so there is nothing to read.")
        return
    st.markdown(words.INTRO)
    st.fragment(_play)(subject)


def _play(subject: Subject) -> None:
    """A fragment: a guess draws only this."""
    game = _round(subject)
    with st.container(key="mistakes_game"):
        if game.over:
            _result(subject, game)
        else:
            _ask(subject, game)
    with st.container():
        _tally()


def _round(subject: Subject) -> Round:
    """The round that is on, or a new one; another network, or other images, begin a new one."""
    known = url.memory().get(ROUND_KEY)
    if known is None or (known.run_id, known.kind) != (subject.run.id, subject.kind):
        known = url.memory()[ROUND_KEY] = new_round(subject, random.Random())
    return known


def new_round(subject: Subject, chance: random.Random) -> Round:
    """Up to `ROUND` digits: misread ones, as many as half or as there are, and ordinary ones, shuffled."""
    wrong = subject.answers.wrong
    misread = chance.sample(np.flatnonzero(wrong).tolist(), min(ROUND // 2, int(wrong.sum())))
    ordinary = chance.sample(np.flatnonzero(~wrong).tolist(), min(ROUND - len(misread), int((~wrong).sum())))
    rows = misread + ordinary
    chance.shuffle(rows)
    return Round(subject.run.id, subject.kind, rows)


def _ask(subject: Subject, game: Round) -> None:
    place = len(game.guesses)
    digit_shown = st.container()  # filled last: a key pressed at the first sight of a digit is for this one
    st.html(STYLE)
    with st.container(horizontal=True, gap="xsmall", key="mistakes_keys"):
        for digit in range(DIGITS):
            st.button(
                str(digit), key=f"mistakes_guess_{digit}", shortcut=str(digit), on_click=_guess,
                args=(subject, game, place, digit),
            )
        st.button(
            "Undo", key="mistakes_undo", type="tertiary", disabled=not place, shortcut="Backspace", on_click=_undo,
            args=(game, place),
        )
    with digit_shown:
        st.progress(place / len(game.rows), f"Digit {place + 1} of {len(game.rows)}")
        st.image(digit_uri(subject.images[game.rows[place]], 8), width=LARGE, alt="A digit to read, without its label")
    st.caption(
        "Press a key from 0 to 9, or a button; Backspace takes one back. Nothing is told until the round is over."
    )


def _guess(subject: Subject, game: Round, place: int, digit: int) -> None:
    """`place` is where the page was when the button was drawn: a double click gives one guess."""
    if len(game.guesses) != place:
        return
    game.guesses.append(digit)
    if game.over:
        tally = url.memory().setdefault(TALLY_KEY, [])
        tally += [_line(subject, row, guess) for row, guess in zip(game.rows, game.guesses, strict=True)]
        del tally[:-MAX_TALLY]


def _undo(game: Round, place: int) -> None:
    del game.guesses[place - 1 :]


def _line(subject: Subject, row: int, guess: int) -> words.Line:
    answers = subject.answers
    return words.Line(
        run=subject.run.id, images=subject.kind, index=int(answers.indices[row]), label=int(answers.labels[row]),
        network=int(answers.digits[row]), human=guess, disputed=bool(subject.disputed[row]),
    )


def _result(subject: Subject, game: Round) -> None:
    lines = [_line(subject, row, guess) for row, guess in zip(game.rows, game.guesses, strict=True)]
    st.markdown("**This round**")
    st.markdown(words.round_text(lines))
    with st.container(horizontal=True, gap="small"):
        for row, line in zip(game.rows, lines, strict=True):
            with st.container(width=SMALL, gap="xsmall"):
                what = f"{article(line.label).capitalize()} {line.label}"
                alt = f"{what}, which the network read as {line.network} and you as {line.human}"
                st.image(digit_uri(subject.images[row]), width="stretch", alt=alt)
                st.caption(words.line_text(line))
    st.button("Another round", key="mistakes_again", type="primary", on_click=_begin, args=(subject,))


def _begin(subject: Subject) -> None:
    url.memory()[ROUND_KEY] = new_round(subject, random.Random())


def _tally() -> None:
    tally: list[words.Line] = url.memory().get(TALLY_KEY, [])
    if not tally:
        return
    st.markdown("**All rounds of this session**")
    st.table(words.tally_table(tally), border="horizontal", hide_index=True)
    st.markdown(words.claim_text(tally))
    with st.container(horizontal=True):
        st.download_button(
            "Tally (CSV)", lambda: tally_csv(tally), "beat-the-network.csv", "text/csv", on_click="ignore",
            key="mistakes_tally",
        )
        st.button("Clear the tally", key="mistakes_clear", on_click=tally.clear)


def tally_csv(tally: list[words.Line]) -> str:
    """All guesses as CSV, a line a guess."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(vars(tally[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(line) for line in tally)
    return text.getvalue()
