"""What the Mistakes page is made of, without a page: the choice in a URL, pictures, files, charts, words, the game."""

from __future__ import annotations

import base64
import csv
import io
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from mistakes_records import CONFIG, make_run, sample_labels

from mnist_lab.config import ALL
from mnist_lab.data.files import CHECKSUM
from mnist_lab.data.mnist import load_sample
from mnist_lab.evaluation import Answers
from mnist_lab.ui import mistakes_charts as charts
from mnist_lab.ui import mistakes_data as data
from mnist_lab.ui import mistakes_game as game
from mnist_lab.ui import mistakes_game_text as game_text
from mnist_lab.ui import mistakes_near as near
from mnist_lab.ui import mistakes_select, pictures
from mnist_lab.ui import mistakes_text as text
from mnist_lab.ui.mistakes_data import SAMPLE, TEST, Subject
from mnist_lab.ui.mistakes_files import COLUMNS, contact_sheet, table_csv
from mnist_lab.ui.mistakes_select import PER_PAGE, SORTS, Choice, on_page, pages, read_choice, select

digits = some.integers(0, 9)


def answers_of(labels, said, seed=0) -> Answers:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(len(labels), 10)).astype(np.float32)
    logits[np.arange(len(labels)), said] += 10
    return Answers(np.arange(len(labels)), np.array(labels, np.int64), logits)


def subject_of(labels, said, kind=TEST) -> Subject:
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), np.uint8)
    run = SimpleNamespace(id="b-gbn", name="GBN", data={})
    return Subject(run, answers_of(labels, said), images, kind)


# --- the choice ---


@given(some.dictionaries(some.sampled_from(["true", "predicted", "confidence", "sort", "page"]), some.text(max_size=8)))
def test_any_text_is_some_choice(values):
    choice = read_choice(values)
    assert choice.label in (None, *range(10)) and choice.answer in (None, *range(10))
    assert 0 <= choice.low <= choice.high <= 100 and choice.sort in SORTS and choice.page >= 1


def test_a_choice_is_read():
    values = {"true": "4", "predicted": "9", "confidence": "20-80", "sort": "index", "page": "3"}
    assert read_choice(values) == Choice(label=4, answer=9, low=20, high=80, sort="index", page=3)


@given(
    some.lists(some.tuples(digits, digits), max_size=40), some.none() | digits, some.none() | digits,
    some.sampled_from(list(SORTS)), some.integers(0, 100), some.integers(0, 100),
)
def test_what_is_chosen_is_what_was_asked_for(images, label, answer, sort, one, other):
    answers = answers_of([label for label, _ in images], [said for _, said in images])
    low, high = sorted((one, other))
    rows = select(answers, Choice(label=label, answer=answer, low=low, high=high, sort=sort))
    right = label is not None and label == answer
    expected = {
        row for row in range(len(images))
        if answers.wrong[row] != right
        and label in (None, answers.labels[row]) and answer in (None, answers.digits[row])
        and low <= 100 * answers.confidence[row] <= high
    }
    assert set(rows.tolist()) == expected and len(rows) == len(expected)
    key = {"loss": -answers.losses, "confidence": -answers.confidence, "unsure": answers.confidence,
           "index": answers.indices}[sort][rows]
    assert (np.diff(key) >= 0).all()
    shown = [on_page(rows, page).tolist() for page in range(1, pages(len(rows)) + 1)]
    assert [row for part in shown for row in part] == rows.tolist() and all(len(part) <= PER_PAGE for part in shown)
    assert on_page(rows, 999).tolist() == shown[-1]


def test_a_network_that_diverged_can_be_looked_at():
    broken = Answers(np.arange(3), np.array([0, 1, 2]), np.full((3, 10), np.nan, np.float32))
    assert len(select(broken, Choice(sort="loss"))) == 2
    assert text.share(broken.confidence[0]) == "–"
    assert charts.probability_chart(np.exp(broken.log_probabilities[1]), 1, 0).data["bars"][0]["percent"] == 0


def test_who_is_wholly_sure_is_within_the_widest_limits():
    sure = Answers(np.arange(1), np.array([1]), np.array([[1e4] + [0.0] * 9], np.float32))
    assert sure.confidence[0] == 1 and select(sure, Choice()).tolist() == [0]
    assert len(select(sure, Choice(high=99))) == 0


# --- pictures and files ---


def pixels(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(content))))


def test_a_digit_is_drawn_as_it_is():
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    assert np.array_equal(pixels(pictures.digit_uri(image, 2))[::2, 1::2], image)


def test_saliency_is_orange_for_and_blue_against():
    image, saliency = np.zeros((28, 28), np.uint8), np.zeros((28, 28))
    saliency[0, 0], saliency[1, 1], image[2, 2] = 2.0, -2.0, 255
    drawn = pixels(pictures.saliency_uri(image, saliency, 1))
    assert tuple(drawn[0, 0]) == pictures.FOR and tuple(drawn[1, 1]) == pictures.AGAINST
    assert drawn[2, 2].tolist() == [153] * 3 and drawn[3, 3].tolist() == [0] * 3
    assert pixels(pictures.saliency_uri(image, np.zeros((28, 28)), 1))[2, 2].tolist() == [153] * 3


def test_the_table_holds_what_is_chosen_in_its_order():
    subject = subject_of([8] * 950, [8] * 940 + [9] * 10)
    rows = list(csv.DictReader(io.StringIO(table_csv(subject, np.array([947, 3])))))
    assert [(row["index"], row["label"], row["predicted"], row["disputed"]) for row in rows] == [
        ("947", "8", "9", "1"), ("3", "8", "8", "0"),
    ]
    for row, place in zip(rows, (947, 3), strict=True):
        chances = [float(row[f"probability_{digit}"]) for digit in range(10)]
        assert sum(chances) == pytest.approx(1, abs=1e-5) and max(chances) == float(row["confidence"])
        assert float(row["loss"]) == pytest.approx(subject.answers.losses[place], abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, COLUMNS, COLUMNS + 1])
def test_the_contact_sheet_holds_every_image(count):
    subject = subject_of([1] * 10, [2] * 10)
    sheet = np.array(Image.open(io.BytesIO(contact_sheet(subject, np.arange(count), "Title"))))
    found = 0
    for row in range(count):
        large = np.kron(subject.images[row], np.ones((4, 4), np.uint8))
        tops, lefts = np.where(sheet[: -111 or None, :-111] == large[0, 0]) if sheet.shape[0] > 111 else ([], [])
        found += any(
            np.array_equal(sheet[top : top + 112, left : left + 112], large)
            for top, left in zip(tops, lefts, strict=True) if sheet[top, left + 4] == large[0, 4]
        )
    assert found == count


# --- charts and words ---


def test_the_matrix_marks_errors_by_their_number_and_the_diagonal_not_at_all():
    table = np.eye(10, dtype=np.int64) * 1000
    table[4, 9], table[7, 1] = 8, 2
    cells = {(cell["true"], cell["read"]): cell for cell in charts.confusion_chart(table, 4, None).data["cells"]}
    assert len(cells) == 100 and cells[0, 0]["fill"] == charts.DIAGONAL and cells[0, 1]["fill"] == charts.EMPTY
    assert cells[4, 9]["fill"] == "#08306B" and cells[4, 9]["ink"] == "white" and cells[7, 1]["ink"] == "black"
    assert cells[4, 9]["label"] == "true 4, read as 9: 8"
    assert {cell["true"] for cell in cells.values() if cell["picked"]} == {4}
    assert text.confusion_text(table).startswith("Most frequent error: a 4 read as a 9, 8 times.")
    table[8, 2] = 9
    assert text.confusion_text(table).startswith("Most frequent error: an 8 read as a 2, 9 times.")
    assert text.confusion_text(np.eye(10, dtype=np.int64)) == "No digit is read as another."


def test_the_specification_is_the_same_text_for_every_run():
    one, other = (charts.confusion_chart(np.full((10, 10), count), None, None) for count in (1, 2))
    assert one.spec == other.spec and one.data != other.data


def test_the_difference_says_who_errs_more():
    first, second = np.zeros((2, 10, 10), np.int64)
    first[3, 5], second[3, 5], second[4, 9] = 4, 1, 1
    cells = {(cell["true"], cell["read"]): cell for cell in charts.difference_chart(first, second).data["cells"]}
    assert (cells[3, 5]["text"], cells[4, 9]["text"], cells[0, 1]["text"]) == ("−3", "+1", "")
    assert cells[3, 5]["fill"] == "#2166AC" and cells[4, 9]["fill"] not in (charts.EMPTY, cells[3, 5]["fill"])
    assert "a 3 read as a 5, 4 times by the first and 1 times" in text.difference_text(first, second)


def test_a_loss_is_said_to_be_the_logarithm_of_what_the_label_gets():
    logits = np.log(np.array([[0.05] * 8 + [0.1, 0.5]], np.float32))
    said = text.image_text(Answers(np.array([7]), np.array([8]), logits), 0)
    assert said.startswith("The network reads a **9**, but its label is **8**. It is 50.0 % sure.")
    assert "loss is 2.30 nats: minus the natural logarithm of the 10.00 % that it gives the label" in said


def test_what_others_say():
    assert text.others_text([9, 4, 4, 7], 4, 9) == (
        "2 of 4 other networks read it as labelled, 1 makes the same mistake, 1 another one."
    )
    assert "no other run" in text.others_text([], 4, 9)


@pytest.mark.parametrize(("wrong", "hit"), [(0, 0), (1, 1)])
def test_disputed_labels_in_words(wrong, hit):
    said = [8] * 947 + [9 if wrong else 8] + [8] * 2
    found = text.disputed_text(answers_of([8] * 950, said))
    assert found.startswith(f"{hit} of the {wrong} errors") and "reads 949 of 949 as labelled, 100.00 %" in found


@pytest.mark.parametrize(("config", "said"), [
    (dict(train_images=ALL), "It was trained on these, so it makes fewer errors here than"),
    (dict(train_images=60_000), "It was trained on these, so it makes fewer errors here than"),
    (dict(train_images=ALL, validation=True), "55,000 of MNIST's 60,000 training images, about 4,583 of these among "
     "them, so it makes fewer errors here than"),
    (dict(train_images=300), "300 of MNIST's 60,000 training images, about 25 of these among them, so nearly all are "
     "new to it."),
])
def test_how_far_the_bundled_digits_are_known_to_the_network(config, said):
    assert said in text.bundled_warning(SimpleNamespace(config=CONFIG.replace(**config)))


def test_a_choice_of_nothing_says_what_to_do():
    wrong, none = answers_of([1, 2, 3], [1, 2, 4]), answers_of([1, 2], [1, 2])
    assert text.chosen_text(0, wrong, 1, None) == "No error fits this choice; widen it."
    assert text.chosen_text(0, wrong, 7, 7) == "No image read as labelled fits this choice; widen it."
    assert text.chosen_text(0, none, None, None) == "Nothing is misread."
    assert text.chosen_text(1, wrong, None, None) == "All 1 image that is misread."


@given(some.sampled_from([data.TEST, data.SAMPLE, data.BUNDLED, data.UNKNOWN]), some.integers(0, 59_999))
def test_an_image_in_a_link_says_among_which_it_is_counted(kind, index):
    assert mistakes_select.read_image(mistakes_select.image_text(kind, index)) == (kind, index)
    assert mistakes_select.read_image(str(index)) == (None, index) and kind in text.POOLS


@given(some.text(max_size=12))
def test_any_text_is_some_image_or_none(link):
    found = mistakes_select.read_image(link)
    assert found is None or found[1] >= 0


def test_the_game_says_whose_claim_it_tests():
    assert "two published exercises that this lab repeats" in game_text.INTRO


# --- neighbours ---


def test_the_nearest_are_of_the_runs_own_images_with_the_labels_it_was_trained_on(tmp_path):
    run = make_run(tmp_path, "noisy", sample_labels(), {0: 1}, config=CONFIG.replace(train_images=300, label_noise=0.5))
    found = near.nearest_images(data.subject_of(run), 0)
    assert len(found.places) == 8 and (np.diff(found.distances) >= 0).all() and found.pool.source == near.OWN
    sample = load_sample()
    known = {image.tobytes(): int(label) for image, label in
             zip(sample.train_images.numpy(), sample.train_labels.numpy(), strict=True)}
    true = np.array([known[image.tobytes()] for image in found.pool.images])
    assert len(true) == 300 and (true != found.pool.labels).sum() == 150


def test_the_nearest_of_all_are_at_least_as_near_as_those_of_a_part(tmp_path, monkeypatch):
    monkeypatch.setattr(near, "POOL", 100)
    monkeypatch.setattr(near, "_whose", lambda subject: "mnist")
    monkeypatch.setattr(near, "load_mnist", lambda download: load_sample())
    run = make_run(tmp_path, "many", sample_labels(), {0: 1}, config=CONFIG.replace(train_images=300, seed=77))
    subject = data.subject_of(run)
    part, whole = near.nearest_images(subject, 0), near.nearest_images(subject, 0, whole=True)
    assert part.pool.source == near.FIRST and len(part.pool.labels) == 100
    assert whole.pool.source == near.OWN and len(whole.pool.labels) == 300
    assert (whole.distances <= part.distances).all() and (whole.distances < part.distances).any()
    for count in (100, 300):
        subject.run.data["train_images"] = count
        assert near.can_search_more(subject) == (count == 300)


def test_an_image_is_no_neighbour_of_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load_test_set", lambda: None)
    images, labels = (array[:30] for array in data.bundled_digits())
    monkeypatch.setattr(data, "bundled_digits", lambda: (images, labels))
    monkeypatch.setattr(near, "_pool", lambda config, whose: near.Pool(images, labels, whose))
    run = make_run(tmp_path, "full", np.arange(50) % 10, {}, checksum=CHECKSUM, config=CONFIG.replace(train_images=ALL))
    subject = data.subject_of(run)
    found = near.nearest_images(subject, 7)
    assert found.pool.source == "" and 7 not in found.places and len(found.places) == 8
    assert text.bundled_warning(run).count("was trained on these") == 1


# --- the game ---


def test_a_round_is_half_misread_and_shuffled():
    subject = subject_of([1] * 100, [2] * 20 + [1] * 80, SAMPLE)
    made = game.new_round(subject, random.Random(1))
    assert len(set(made.rows)) == 12 and sum(row < 20 for row in made.rows) == 6
    assert made.rows != sorted(made.rows)
    assert {tuple(game.new_round(subject, random.Random(seed)).rows) for seed in range(5)} != {tuple(made.rows)}


@pytest.mark.parametrize("errors", [0, 2])
def test_few_errors_are_filled_up_with_ordinary_digits(errors):
    subject = subject_of([1] * 30, [2] * errors + [1] * (30 - errors))
    made = game.new_round(subject, random.Random(0))
    assert len(made.rows) == 12 and sum(row < errors for row in made.rows) == errors


def line(label, network, human) -> game_text.Line:
    return game_text.Line(run="b", images="test", index=0, label=label, network=network, human=human, disputed=False)


def test_the_tally_judges_the_claim_by_its_interval():
    beaten, lost = line(4, 9, 4), line(4, 9, 9)
    assert "refuted" in game_text.claim_text([beaten] * 12)
    assert "holds" in game_text.claim_text([lost] * 12)
    assert "does not decide" in game_text.claim_text([beaten, lost])
    assert "say nothing" in game_text.claim_text([line(4, 4, 4)])
    assert [list(row.values()) for row in game_text.tally_table([beaten, lost, line(4, 4, 4)])] == [
        ["Misread by the network", "2", "1", "1"], ["Ordinary", "1", "1", "1"],
    ]
    assert next(csv.DictReader(io.StringIO(game.tally_csv([beaten]))))["human"] == "4"
