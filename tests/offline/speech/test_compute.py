"""compute: one rate per kind, cuts that nothing crosses, refusals."""

import numpy as np
import pytest

from offline.features import speech_features
from offline.speech import SpeechSpec, compute, load_model
from offline.speech.audio import at_rate
from rtdecode.errors import ConfigError, StudyError
from tests.offline.speech.checkpoints import WIDTH, save_checkpoint

RNG = np.random.default_rng(0)
AUDIO = RNG.normal(size=32000).astype(np.float32)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return SpeechSpec(checkpoint=str(save_checkpoint(tmp_path_factory.mktemp("w2v"))), layers=(1, 2))


@pytest.mark.parametrize(("kind", "rate", "width"), [("wav2vec2", 50, WIDTH), ("mel", 125, 40)])
@pytest.mark.parametrize("n", [32000, 31999, 16100, 100])
def test_frames_cover_the_sound_at_one_rate(spec, kind, rate, width, n):
    spec = SpeechSpec(kind, spec.checkpoint, (1, 2), bands=40)
    features, got = compute(AUDIO[:n], 16000, spec)
    assert got == rate and features.dtype == np.float32
    assert features.shape == (int(np.ceil(n / 16000 * rate)), width)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("kind", ["logmel", "envelope"])
def test_kinds_of_the_live_decoder(kind):
    spec = SpeechSpec(kind, bands=12, frame_rate=64.0)
    features, rate = compute(AUDIO, 16000, spec)
    assert rate == 64
    np.testing.assert_array_equal(features, speech_features(AUDIO, 16000, 64.0, kind, 12))


@pytest.mark.parametrize("kind", ["wav2vec2", "mel"])
def test_no_frame_of_a_block_has_heard_another(spec, kind):
    spec = SpeechSpec(kind, spec.checkpoint, (1, 2), bands=40)
    model, borders = load_model(spec), (0.5131, 1.2)
    changed = AUDIO.copy()
    for other in (slice(round(0.5131 * 16000)), slice(round(1.2 * 16000), None)):
        changed[other] = changed[other] ** 3  # what a z-score cannot undo
    rate = 50 if kind == "wav2vec2" else 125
    middle = slice(int(np.ceil(0.5131 * rate)), int(np.ceil(1.2 * rate)))
    one, _ = compute(AUDIO, 16000, spec, model, borders_s=borders)
    two, _ = compute(changed, 16000, spec, model, borders_s=borders)
    np.testing.assert_array_equal(one[middle], two[middle])
    assert not np.allclose(one[: middle.start], two[: middle.start])
    # without the cut the same frames do change
    one, two = compute(AUDIO, 16000, spec, model)[0], compute(changed, 16000, spec, model)[0]
    assert not np.allclose(one[middle], two[middle])


def test_a_piece_stands_where_it_was_cut(spec):
    model = load_model(spec)
    cut, _ = compute(AUDIO, 16000, spec, model, borders_s=(0.6,))
    alone, _ = compute(AUDIO[9600:], 16000, spec, model)
    np.testing.assert_array_equal(cut[30:], alone)
    assert len(cut) == 100


def test_slivers_between_borders_do_no_harm(spec):
    features, _ = compute(AUDIO, 16000, spec, borders_s=(0.0, 0.1, 0.1001, 0.1002, 1.9999, 5.0, -1.0))
    assert features.shape == (100, WIDTH) and np.isfinite(features).all()
    assert (np.abs(features).sum(axis=1) > 0).all()


def test_progress_reaches_the_end():
    seen = []
    spec = SpeechSpec("mel", bands=10)
    compute(AUDIO, 16000, spec, borders_s=(0.5, 1.0), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0.5, 2.0), (1.0, 2.0), (2.0, 2.0)]


def test_borders_need_blocks():
    with pytest.raises(ConfigError, match="block"):
        compute(AUDIO, 16000, SpeechSpec("mel", context="file"), borders_s=(1.0,))


@pytest.mark.parametrize("sfreq", [44100, 22050, 8000])
def test_other_rates_keep_time(sfreq):
    t = np.arange(int(2 * sfreq)) / sfreq
    click = np.sin(2 * np.pi * 500 * t) * ((t > 1.0) & (t < 1.2)) + 1e-6 * RNG.normal(size=len(t))
    features, rate = compute(click, sfreq, SpeechSpec("mel", bands=40))
    loud = np.flatnonzero(features.max(axis=1) > 0) / rate
    assert loud[0] == pytest.approx(1.0, abs=0.025) and loud[-1] == pytest.approx(1.2, abs=0.025)
    assert len(at_rate(click, sfreq, 16000)) == 32000


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (np.zeros(0), "empty"),
        (np.zeros((5, 2)), "mono"),
        (np.array([0, 1, np.nan]), "nan at"),
        (np.array([0, np.inf]), "inf at"),
    ],
)
@pytest.mark.parametrize("kind", ["mel", "envelope"])
def test_bad_audio_is_refused(audio, said, kind):
    with pytest.raises(StudyError, match=said):
        compute(audio, 16000, SpeechSpec(kind))
