import math

import pytest
import torch
import torchvision.transforms.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import ColorJitter, InterpolationMode, RandomAffine, RandomRotation, ToTensor

from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.config_forms import AUGMENTATION
from mnist_lab.data import augment
from mnist_lab.data.augment import MEAN, STD, Augment, Parameters, affine, jitter, normalise, to_unit
from mnist_lab.data.elastic import displacements
from mnist_lab.presets import AUGMENTATIONS, preset

# Our coordinates are float32 in -1..1 and torchvision's matrix is float64 rounded to float32, so the two differ by
# some 1e-6 x 14 pixels; bilinear values change by at most 1 a pixel in each direction. 1e-4 leaves a factor of 4.
TOLERANCE = 1e-4
STRONG = {name: KNOBS[name].high for name in AUGMENTATION}
CHANGES = st.fixed_dictionaries({}, optional={name: st.floats(0, KNOBS[name].high) for name in AUGMENTATION})

RANGES = {  # parameter -> (knob, the value that changes nothing)
    "angle": ("rotation", 0), "shift_x": ("translation", 0), "shift_y": ("translation", 0), "scale": ("scale", 1),
    "shear": ("shear", 0), "brightness": ("brightness", 1), "contrast": ("contrast", 1),
}  # fmt: skip


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count, seed=0):
    """Images that differ in every pixel up to the edge: harder than digits."""
    return torch.rand(count, 1, 28, 28, generator=generator(seed))


def parameters(count=1, **values):
    """No change but for the values given."""
    still = dict(angle=0, shift_x=0, shift_y=0, scale=1, shear=0, brightness=1, contrast=1, order=0)
    return Parameters(**{name: torch.full((count,), float(value)) for name, value in (still | values).items()})


def stages(count=20_000, seed=0, **knobs):
    return Augment(RunConfig(**knobs), "cpu").parameters(count, generator(seed))


def drawn(count=20_000, seed=0, **knobs):
    """What a config draws that changes an image in one go."""
    (only,) = stages(count, seed, **knobs)
    return only


class TestToUnitAndNormalise:
    def test_every_grey_becomes_what_to_tensor_makes_of_it(self):
        greys = torch.arange(256, dtype=torch.uint8).repeat(4)[:784].view(1, 28, 28)
        unit = to_unit(greys)
        assert unit.dtype == torch.float32
        assert torch.equal(unit, ToTensor()(greys[0].numpy()).unsqueeze(0))

    def test_normalise_is_torchvisions_and_leaves_its_input_alone(self):
        images = noise(3)
        before = images.clone()
        assert torch.allclose(normalise(images), tv.normalize(images, [MEAN], [STD]), atol=1e-6)
        assert torch.equal(images, before)


class TestAffine:
    @settings(max_examples=60, deadline=None)
    @given(
        angle=st.floats(-90, 90), x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3), scale=st.floats(0.5, 1.5),
        shear=st.floats(-30, 30),
    )  # fmt: skip
    def test_equals_torchvision(self, angle, x, y, scale, shear):
        image = noise(1)
        ours = affine(image, parameters(angle=angle, shift_x=x, shift_y=y, scale=scale, shear=shear))
        # Without `fill` torchvision pads with zeros; fill=0 would darken pixels on the edge a second time.
        theirs = tv.affine(image, angle, [28 * x, 28 * y], scale, [shear, 0], InterpolationMode.BILINEAR)
        assert torch.allclose(ours, theirs, atol=TOLERANCE)

    @settings(max_examples=40)
    @given(angle=st.floats(1, 89), x=st.floats(-0.3, 0.3), scale=st.floats(0.5, 1.5))
    def test_the_nearest_pixel_is_torchvisions(self, angle, x, scale):
        image = noise(1)
        ours = affine(image, parameters(angle=angle, shift_x=x, scale=scale), mode="nearest")
        theirs = tv.affine(image, angle, [28 * x, 0], scale, [0, 0], InterpolationMode.NEAREST)
        # A point half-way between two pixels takes the one or the other by the last bit of its coordinates.
        assert (ours != theirs).float().mean() < 0.01
        assert torch.isin(ours, torch.cat([image.flatten(), torch.zeros(1)])).all(), "a mix of pixels"

    def test_each_image_has_its_own_change(self):
        images, angles = noise(3), [-30.0, 0.0, 50.0]
        ours = affine(images, parameters(3)._replace(angle=torch.tensor(angles)))
        for image, angle, own in zip(images, angles, ours, strict=True):
            theirs = tv.affine(image, angle, [0, 0], 1, [0], InterpolationMode.BILINEAR)
            assert torch.allclose(own, theirs, atol=TOLERANCE)

    def test_no_change_is_no_change(self):
        assert torch.allclose(affine(noise(2), parameters(2)), noise(2), atol=1e-5)

    def test_a_shift_by_whole_pixels_moves_pixels_and_brings_in_background(self):
        moved = affine(noise(1), parameters(shift_x=3 / 28, shift_y=-2 / 28))
        expected = torch.zeros(1, 1, 28, 28)
        expected[..., :26, 3:] = noise(1)[..., 2:, :25]
        assert torch.allclose(moved, expected, atol=1e-5)

    def test_a_turned_white_image_is_a_white_diamond_on_black(self):
        turned = affine(torch.ones(1, 1, 28, 28), parameters(angle=45))[0, 0]
        away = (torch.arange(28) - 13.5).abs()
        distance = (away[:, None] + away) / math.sqrt(2)  # of a pixel's centre, along the diamond's axes
        assert torch.equal(turned[distance > 14.5], torch.zeros(int((distance > 14.5).sum())))
        assert torch.allclose(turned[distance < 13.5], torch.tensor(1.0))

    def test_background_stays_exactly_background(self):
        everything = Augment(RunConfig(**STRONG), "cpu")
        assert not everything(torch.zeros(50, 1, 28, 28), generator(), generator()).any()


class TestElastic:
    def test_displacements_are_equally_large_everywhere_and_in_no_preferred_direction(self):
        bends = displacements(20_000, generator(), torch.device("cpu"))
        assert bends.shape == (20_000, 2, 28, 28)
        assert (bends.std(0) - 1).abs().max() < 0.03 and bends.mean(0).abs().max() < 5 / math.sqrt(20_000)
        right, down = bends[:, 0].flatten(), bends[:, 1].flatten()
        assert abs(torch.corrcoef(torch.stack([right, down]))[0, 1]) < 0.02

    def test_displacements_are_smooth_and_far_apart_unrelated(self):
        bends = displacements(5_000, generator(), torch.device("cpu"))
        next_to, far_away = ((bends[..., 2 : 28 - by] * bends[..., 2 + by :]).mean() for by in (1, 16))
        assert next_to > 0.95 and abs(far_away) < 0.2

    def test_a_bend_by_whole_pixels_looks_up_those_pixels_and_beyond_the_edge_is_background(self):
        bends = torch.zeros(1, 2, 28, 28)
        bends[0, 0, 5, :], bends[0, 1, :, 9] = 2, -3
        image, bent = noise(1)[0, 0], affine(noise(1), parameters(), bends)[0, 0]
        expected = image.clone()
        expected[5, :26], expected[5, 26:] = image[5, 2:], 0
        expected[3:, 9], expected[:3, 9] = image[:25, 9], 0
        expected[5, 9] = image[2, 11]
        assert torch.allclose(bent, expected, atol=1e-5)

    def test_the_knob_is_how_far_in_pixels(self):
        across = torch.arange(28.0).expand(400, 1, 28, 28) / 28  # brightness says where a pixel came from
        bent = Augment(RunConfig(elastic=1.5), "cpu")(across, generator(), generator(1))
        moved = 28 * (bent - across)[..., 10:18, 10:18]
        assert moved.std().item() == pytest.approx(1.5, rel=0.06)

    def test_it_takes_nothing_from_the_other_draws_and_they_nothing_from_it(self):
        dice, bending = generator(), generator(1)
        Augment(RunConfig(elastic=1.0), "cpu")(noise(3), dice, bending)
        assert torch.equal(dice.get_state(), _after(9 * 3)) and not torch.equal(bending.get_state(), _after(0, 1))
        untouched = generator(1)
        Augment(RunConfig(rotation=5), "cpu")(noise(3), generator(), untouched)
        assert torch.equal(untouched.get_state(), _after(0, 1))


def _after(count, seed=0):
    dice = generator(seed)
    torch.rand(count, generator=dice)
    return dice.get_state()


class TestJitter:
    @settings(max_examples=60, deadline=None)
    @given(brightness=st.floats(0.1, 1.9), contrast=st.floats(0.1, 1.9), contrast_first=st.booleans())
    def test_equals_torchvision_in_both_orders(self, brightness, contrast, contrast_first):
        image = noise(1)
        ours = jitter(image, parameters(brightness=brightness, contrast=contrast, order=0 if contrast_first else 1))
        if contrast_first:
            theirs = tv.adjust_brightness(tv.adjust_contrast(image, contrast), brightness)
        else:
            theirs = tv.adjust_contrast(tv.adjust_brightness(image, brightness), contrast)
        assert torch.allclose(ours, theirs, atol=1e-5)

    def test_contrast_mixes_with_the_mean_of_its_own_image(self):
        images = torch.cat([torch.full((1, 1, 28, 28), 0.2), torch.full((1, 1, 28, 28), 0.8)])
        assert torch.allclose(jitter(images, parameters(2, contrast=0.5)), images)

    def test_orders_are_drawn_evenly_and_matter(self):
        first = drawn(brightness=0.5, contrast=0.5).order < 0.5
        assert abs(first.float().mean() - 0.5) < 5 * 0.5 / math.sqrt(len(first))
        early, late = (jitter(noise(1), parameters(brightness=1.5, contrast=0.5, order=order)) for order in (0.2, 0.8))
        assert (early - late).abs().max() > 0.05


class TestDraws:
    @pytest.mark.parametrize("name", RANGES)
    def test_uniform_over_the_knobs_whole_range_and_nothing_else(self, name):
        knob, middle = RANGES[name]
        width = KNOBS[knob].high / 2
        values = getattr(drawn(**{knob: width}), name) - middle
        assert values.abs().max() <= width * (1 + 1e-5)
        assert values.min() < -0.99 * width and values.max() > 0.99 * width
        assert abs(values.mean()) < 5 * width / math.sqrt(3 * len(values))
        assert values.std().item() == pytest.approx(width / math.sqrt(3), rel=0.03)

    def test_the_second_rotation_is_independent_of_the_first_and_added(self):
        both = drawn(rotation=7, second_rotation=20).angle
        first, second = drawn(rotation=7).angle, drawn(second_rotation=20).angle
        assert torch.allclose(both, first + second, atol=1e-5)
        assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 5 / math.sqrt(len(first))
        assert both.abs().max() > 25

    def test_parameters_are_independent_of_one_another(self):
        correlations = torch.corrcoef(torch.stack(drawn(**STRONG))) - torch.eye(len(Parameters._fields))
        assert correlations.abs().max() < 5 / math.sqrt(20_000)

    @pytest.mark.parametrize("knob", AUGMENTATION)
    def test_turning_one_knob_changes_no_other_draw(self, knob):
        strong, without = drawn(100, **STRONG), drawn(100, **STRONG | {knob: 0.0})
        own = {"second_rotation": ["angle"], "elastic": []}.get(knob)
        own = own if own is not None else [n for n, (k, _) in RANGES.items() if k == knob]
        changed = [n for n in Parameters._fields if not torch.equal(getattr(strong, n), getattr(without, n))]
        assert changed == own

    def test_source_a_is_the_recipe(self):
        config = preset("a-bn").config
        recipe = AUGMENTATIONS["source-a"][1]
        assert recipe == {name: getattr(config, name) for name in recipe}
        first, rest = stages(**recipe)
        turn, move, colour = RandomRotation(7), RandomAffine(20, (0.1, 0.1), (0.9, 1.1)), ColorJitter(0.1, 0.1)
        shift = move.translate
        limits = {
            "angle": move.degrees, "scale": move.scale, "shift_x": (-shift[0], shift[0]),
            "shift_y": (-shift[1], shift[1]), "shear": (0, 0), "brightness": colour.brightness,
            "contrast": colour.contrast,
        }  # fmt: skip
        still = {name: (middle, middle) for name, (_, middle) in RANGES.items()}
        for stage, ranges in ((first, still | {"angle": turn.degrees}), (rest, limits)):
            for name, (low, high) in ranges.items():
                found, slack = getattr(stage, name), 0.03 * (high - low)
                assert low - 1e-5 <= found.min() <= low + slack and high - slack <= found.max() <= high + 1e-5, name
        assert abs(torch.corrcoef(torch.stack([first.angle, rest.angle]))[0, 1]) < 5 / math.sqrt(len(rest.angle))


class TestAugment:
    def test_with_the_nearest_pixel_the_image_is_turned_twice_as_source_a_did(self):
        recipe = AUGMENTATIONS["source-a"][1] | dict(brightness=0.0, contrast=0.0)
        images, change = noise(30), Augment(RunConfig(**recipe), "cpu")
        ours = change(images, generator(3), generator())
        (first, *_), rest = stages(30, 3, **recipe)
        assert torch.equal(first, drawn(30, 3, rotation=7.0).angle)
        assert all(map(torch.equal, rest, drawn(30, 3, **recipe | dict(rotation=0.0))))
        for image, own, turned, angle, x, y, scale in zip(
            images, ours, first, rest.angle, rest.shift_x, rest.shift_y, rest.scale, strict=True
        ):
            once = tv.affine(image, turned.item(), [0, 0], 1, [0, 0], InterpolationMode.NEAREST)
            move = [28 * x.item(), 28 * y.item()]
            twice = tv.affine(once, angle.item(), move, scale.item(), [0, 0], InterpolationMode.NEAREST)
            assert (own != twice).float().mean() < 0.02

    def test_interpolation_alone_changes_nothing(self):
        assert Augment(RunConfig(interpolation="nearest"), "cpu").is_identity

    def test_the_identity_returns_its_input_and_draws_nothing(self):
        identity, images, dice = Augment(RunConfig(), "cpu"), noise(2), generator()
        assert identity.is_identity
        assert identity(images, dice, dice) is images
        assert torch.equal(dice.get_state(), generator().get_state())

    @pytest.mark.parametrize("knob", AUGMENTATION)
    def test_every_knob_alone_changes_images(self, knob):
        change = Augment(RunConfig(**{knob: KNOBS[knob].high / 2}), "cpu")
        assert not change.is_identity
        largest = (change(noise(50), generator(), generator(1)) - noise(50)).abs().amax((1, 2, 3))
        assert (largest > 0.02).sum() > 40

    def test_the_same_generator_state_gives_the_same_images_and_the_next_differs(self):
        change, dice = Augment(preset("a-bn").config, "cpu"), (generator(5), generator(6))
        first, second = change(noise(20), *dice), change(noise(20), *dice)
        assert torch.equal(first, change(noise(20), generator(5), generator(6)))
        assert not torch.allclose(first, second, atol=0.1)

    def test_one_call_or_several_in_blocks_of_any_size(self, monkeypatch):
        change, images, dice = Augment(RunConfig(**STRONG), "cpu"), noise(50), (generator(1), generator(2))
        whole = change(images, generator(1), generator(2))
        parts = torch.cat([change(part, *dice) for part in images.split(17)])
        monkeypatch.setattr(augment, "BLOCK", 16)
        assert torch.allclose(change(images, generator(1), generator(2)), whole, atol=1e-5)
        assert torch.allclose(parts, whole, atol=1e-5)

    def test_affine_comes_before_jitter(self):
        config = preset("a-bn").config.replace(interpolation="bilinear")
        (values,) = Augment(config, "cpu").parameters(5, generator(2))
        changed = Augment(config, "cpu")(noise(5), generator(2), generator())
        assert torch.equal(changed, jitter(affine(noise(5), values), values))

    @settings(max_examples=60, deadline=None)
    @given(changes=CHANGES, count=st.integers(0, 40), seed=st.integers(0, 2**31 - 1))
    def test_any_config_gives_images(self, changes, count, seed):
        images = noise(count, seed)
        before = images.clone()
        changed = Augment(RunConfig(**changes), "cpu")(images, generator(seed), generator(seed + 1))
        assert changed.shape == images.shape and changed.dtype == torch.float32
        assert changed.isfinite().all() and (changed >= 0).all() and (changed <= 1).all()
        assert torch.equal(images, before)

    def test_nothing_is_read_back_from_the_device(self):
        # A meta tensor has no values: whatever needs one on the host raises.
        images = torch.empty(300, 1, 28, 28, device="meta")
        changed = Augment(RunConfig(**STRONG), "meta")(images, generator(), generator())
        assert changed.device.type == "meta" and changed.shape == images.shape

    def test_autocast_does_not_round_coordinates(self):
        change = Augment(RunConfig(**STRONG), "cpu")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = change(noise(8), generator(), generator())
        assert torch.equal(rounded, change(noise(8), generator(), generator()))
