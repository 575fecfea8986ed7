"""The checks of a sitting as functions: what passes, what fails, and that each says which and why.

Why it matters: somebody sits with a wet cap on while these sentences are read; a check that passes what
cannot be decoded, or fails what can, costs an hour.
"""

import dataclasses

import numpy as np
import pytest

from rtdecode.checks import blink
from rtdecode.checks.delay import Loop, delay
from rtdecode.checks.noise import noise_floor
from rtdecode.checks.scale import likely_unit, scale_against_training
from rtdecode.checks.story import Answer, known_story, score, wilson
from rtdecode.checks.stretch import Stretch, joined
from tests.bundles import LABELS, SFREQ, bundle_spec
from tests.check_signals import FRONTAL, LOOP, calm, measure, trained


@pytest.fixture(scope="module")
def spec():
    return trained(bundle_spec())


@pytest.fixture(scope="module")
def frontal_spec():
    return trained(bundle_spec(FRONTAL))


# --- noise floor


def test_a_calm_cap_passes_with_every_number(spec):
    found = noise_floor(calm(), calm(), spec)
    assert found.state == "passed"
    assert found.remedy == ""
    assert measure(found, "good channels").text == "8 of 8"
    assert 0.8 < measure(found, "RMS").value / np.median(spec.preprocess.scale) < 1.25
    assert measure(found, "line noise").value < 0.1
    assert [channel.label for channel in found.channels] == list(LABELS)
    assert "µV" in found.channels[0].text


def spoilt(how):
    x, t = calm(), np.arange(len(calm())) / SFREQ
    if how == "flat":
        x[:, 3] = 5.0
    elif how == "railed":
        x[:, 3] = 4000 * np.sign(np.sin(2 * np.pi * 5 * t))
    elif how == "noisy":
        x[:, 3] += 20 * (x[:, 3] - 3000)
    elif how == "line noise":
        x[:, 3] += 400 * np.sin(2 * np.pi * 50 * t)
    return x


@pytest.mark.parametrize("how", ["flat", "railed", "noisy", "line noise"])
def test_a_bad_channel_is_named_with_its_fault(spec, how):
    found = noise_floor(spoilt(how), spoilt(how), spec)
    assert found.state == "failed"
    assert [(c.label, c.word) for c in found.channels if c.word] == [("Oz", how)]
    assert f"Oz {how}" in found.said
    assert "electrodes named" in found.remedy


def test_a_moment_of_movement_is_no_bad_channel(spec):
    x = calm()
    x[: round(2 * SFREQ), 3] += 30 * (x[: round(2 * SFREQ), 3] - 3000)
    assert noise_floor(x, x, spec).state == "passed"


def test_hum_everywhere_is_the_ground_and_not_eight_electrodes(spec):
    x = calm() + 400 * np.sin(2 * np.pi * 60 * np.arange(len(calm())) / SFREQ)[:, None]
    found = noise_floor(x, x, spec)
    assert measure(found, "line noise").ok is False
    assert measure(found, "line noise").value > 0.9
    assert "ground electrode" in found.remedy


def test_too_little_signal_is_said_in_seconds(spec):
    found = noise_floor(calm(1.0), calm(1.0), spec)
    assert (found.state, found.said) == ("failed", "1.0 s of signal came, 2 s are needed")


# --- blinks


def blinking(at, height=300.0, seconds=10.0):
    x, t = calm(seconds, seed=3), np.arange(round(seconds * SFREQ)) / SFREQ
    for start in at:
        bump = height * np.exp(-0.5 * ((t - start) / 0.08) ** 2)
        x[:, 0] += bump
        x[:, 1] += bump
    return x


def prompts():
    return [round(s * SFREQ) for s in blink.prompt_times(10.0)]


def test_blinks_on_the_cue_are_seen(frontal_spec):
    cues = blink.prompt_times(10.0)
    assert len(cues) == 5
    found = blink.blinks(blinking([c + 0.4 for c in cues]), prompts(), frontal_spec, calm())
    assert found.state == "passed"
    assert measure(found, "blinks seen").value == 5
    assert measure(found, "between blinks").value == 0
    assert [c.label for c in found.channels] == ["Fp1", "Fp2"]
    assert 200 < float(found.channels[0].text.split()[0]) < 400


def test_without_blinks_it_fails_and_says_where_to_look(frontal_spec):
    found = blink.blinks(calm(10.0, seed=4), prompts(), frontal_spec, calm())
    assert found.state == "failed"
    assert measure(found, "blinks seen").value == 0
    assert "frontal electrodes touch the skin" in found.remedy


def test_one_dead_electrode_is_named_though_the_other_sees_the_blinks(frontal_spec):
    x = blinking([c + 0.4 for c in blink.prompt_times(10.0)], height=600.0)
    x[:, 1] = calm(10.0, seed=5)[:, 1]
    found = blink.blinks(x, prompts(), frontal_spec, calm())
    assert [(c.label, c.word) for c in found.channels if c.word] == [("Fp2", "no blink")]


def test_movement_all_the_time_is_no_blink(frontal_spec):
    found = blink.blinks(blinking(np.arange(0.1, 10.0, 0.3)), prompts(), frontal_spec, calm())
    assert measure(found, "between blinks").ok is False
    assert "sit still" in found.remedy


@pytest.mark.parametrize(
    ("labels", "unit", "stype", "word"),
    [
        (LABELS, "microvolts", "EEG", "no channel above the eyes"),
        (FRONTAL, "femtotesla", "EEG", "EEG in volts"),
        (FRONTAL, "counts", "EEG", "counts"),
        (FRONTAL, "microvolts", "ECoG", "ECoG"),
        (FRONTAL, "microvolts", "EEG", ""),
    ],
)
def test_where_blinks_cannot_be_seen_the_reason_is_given(labels, unit, stype, word):
    spec = bundle_spec(labels)
    spec = dataclasses.replace(spec, stream=dataclasses.replace(spec.stream, unit=unit))
    said = blink.why_not(spec, stype)
    assert word in said
    assert bool(said) == bool(word)


def test_frontal_channels_are_known_by_their_names():
    assert blink.frontal(["EEG Fp1-REF", "AFz", "AF7", "fpz", "F3", "FC1", "AFFIX", "Cz", "FP"]) == [
        0,
        1,
        2,
        3,
    ]


# --- scale


def test_a_signal_as_in_the_training_has_ratio_one(spec):
    found = scale_against_training(calm(), spec, "microvolts")
    assert found.state == "passed"
    assert measure(found, "typical ratio").value == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("stated", "factor", "looks"),
    [("volts", 1e6, "µV"), ("uV", 1e-6, "V"), ("uV", 1e-3, "mV"), ("mV", 1e6, "nanovolts")],
)
def test_a_mistaken_unit_is_named(spec, stated, factor, looks):
    found = scale_against_training(calm() * factor, spec, stated)
    assert found.state == "failed"
    assert f"its values look like {looks}." in found.said
    assert "nothing is converted on a guess" in found.remedy
    again = scale_against_training(calm() * factor, spec, stated, assumed=True)
    assert "--assume-unit" in again.remedy


def test_a_gain_of_five_is_no_mistaken_unit(spec):
    found = scale_against_training(calm(level=100.0), spec, "microvolts")
    assert found.state == "failed"
    assert "look like" not in found.said
    assert likely_unit(5.0, "microvolts") == ""


def test_a_loose_and_a_dead_electrode_are_named(spec):
    x = calm()
    x[:, 2] *= 10
    x[:, 5] = 7.0
    found = scale_against_training(x, spec, "microvolts")
    assert [(c.label, c.word) for c in found.channels if c.word] == [("Pz", "too large"), ("C4", "too small")]


# --- delay


def stream(seconds=10.0, sfreq=SFREQ, chunk=4, age_s=0.02, offsets=(0.0, 0.0)):
    stamps = 100.0 + np.arange(round(seconds * sfreq)) / sfreq
    ends = np.minimum(np.arange(len(stamps)) // chunk * chunk + chunk - 1, len(stamps) - 1)
    return Stretch(np.zeros((len(stamps), len(LABELS))), stamps, stamps[ends] + age_s, offsets)


def test_a_punctual_stream_passes(spec):
    found = delay(stream(), spec, LOOP)
    assert found.state == "passed"
    assert measure(found, "loop").value == 0.9
    assert measure(found, "rate").value == pytest.approx(SFREQ, rel=1e-3)
    assert measure(found, "jitter").value < 0.01
    assert 20 < measure(found, "age").value < 50


def changed(name):
    good = stream()
    stamps, arrived = good.stamps.copy(), good.arrived.copy()
    if name == "samples missing":
        stamps[600:] += 0.25
        arrived[600:] += 0.25
        return dataclasses.replace(good, stamps=stamps, arrived=arrived)
    if name == "rate":
        return dataclasses.replace(good, arrived=arrived[0] + (arrived - arrived[0]) / 1.03)
    if name == "jitter":
        return dataclasses.replace(
            good, stamps=stamps + np.random.default_rng(0).uniform(-0.04, 0.04, len(stamps))
        )
    if name == "clock offset":
        return dataclasses.replace(good, offsets=(0.0, 0.02))
    if name == "age":
        return dataclasses.replace(good, arrived=arrived + 0.5)
    return good


@pytest.mark.parametrize("name", ["samples missing", "rate", "jitter", "clock offset", "age"])
def test_each_fault_of_a_stream_fails_its_own_number(spec, name):
    found = delay(changed(name), spec, LOOP)
    assert measure(found, name).ok is False
    if name != "samples missing":
        assert [m.name for m in found.measures if m.ok is False] == [name]
    assert found.remedy


def test_missing_samples_are_counted(spec):
    assert measure(delay(changed("samples missing"), spec, LOOP), "samples missing").text == "32 in 1 gaps"


def test_a_slow_or_broken_loop_fails(spec):
    assert measure(delay(stream(), spec, Loop(1.0, 40.0)), "loop").ok is False
    assert measure(delay(stream(), spec, Loop(0.1, 0.5, lost=3)), "loop").ok is False
    assert measure(delay(stream(), spec, Loop(why="no way")), "loop").text == "no way"
    assert delay(stream(), spec, None).measures[0].name == "samples missing"


def test_an_unknown_offset_and_a_clock_of_another_century_are_said(spec):
    unknown = delay(stream(offsets=()), spec, LOOP)
    assert measure(unknown, "clock offset").text == "unknown, the sender does not answer"
    foreign = delay(stream(age_s=1.7e9), spec, LOOP)
    assert "of no clock of ours" in measure(foreign, "age").text


def test_stretches_join_in_order():
    one, two = stream(1.0), stream(2.0)
    assert len(joined([one, two])) == 3 * SFREQ
    assert joined([one, two]).offsets == (0.0, 0.0, 0.0, 0.0)


# --- known story

HOP, WINDOW, K = 0.25, 3.0, 100


def heard_at(t):
    return int(t // 1.5)


def answered(seconds, right, seed=0):
    """Decisions of which a share `right` is right; the rest guesses."""
    rng, found = np.random.default_rng(seed), []
    for t in np.arange(0.0, seconds, HOP):
        guess = rng.permutation(K)[:10].tolist()
        best = [heard_at(t), *[g for g in guess if g != heard_at(t)]][:10] if rng.random() < right else guess
        found.append(Answer(float(t), tuple(best), heard_at(t)))
    return found


def test_a_decoder_that_hears_passes_with_chance_and_control_beside_it():
    found = known_story(answered(60.0, 0.8), K, WINDOW, "a test")
    assert found.state == "passed"
    assert measure(found, "independent windows").value == 20
    assert measure(found, "top-10").value > 0.7
    assert measure(found, "shifted control").value == pytest.approx(0.1, abs=0.05)
    assert "10 %" in measure(found, "top-10").limit


def test_guessing_fails():
    assert known_story(answered(60.0, 0.0), K, WINDOW, "a test").state == "failed"


def test_overlapping_windows_do_not_narrow_the_interval():
    once, _, windows = score(answered(60.0, 0.5), 10, K, WINDOW)
    four = [dataclasses.replace(a, t=a.t + dt) for a in answered(60.0, 0.5) for dt in (0.0, 0.06, 0.12, 0.18)]
    often, n, again = score(four, 10, K, WINDOW)
    assert n == 4 * 240
    assert (windows, again) == (20, 20) or abs(again - windows) <= 1
    assert often.high - often.low == pytest.approx(once.high - once.low, abs=0.03)
    low, high = wilson(once.rate, 20)
    assert once.low <= low
    assert once.high >= high


def test_a_short_story_tells_nothing_however_good():
    found = known_story(answered(9.0, 1.0), K, WINDOW, "a test")
    assert found.state == "failed"
    assert measure(found, "independent windows").ok is False
    assert "longer" in found.remedy


def test_always_the_same_answer_is_no_decoding():
    """It may well be above chance: what is said often is among the ten. Shifting the story gives it away."""
    same = [Answer(float(t), tuple(range(10)), heard_at(t) % 12) for t in np.arange(0.0, 60.0, HOP)]
    found = known_story(same, K, WINDOW, "a test")
    assert measure(found, "top-10").value > 0.5
    assert found.state == "failed"


def test_a_story_that_the_bundle_does_not_know_is_said():
    silent = [dataclasses.replace(a, truth=None) for a in answered(60.0, 1.0)]
    assert "none while anything in the bundle was heard" in known_story(silent, K, WINDOW, "a test").said
