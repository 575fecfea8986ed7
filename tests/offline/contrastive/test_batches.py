"""Batches: the same everywhere, no sound against itself, and every sample where it belongs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from offline.contrastive.batches import Loader, Sampler, distinct, near, spoken_frames, stretched
from offline.contrastive.window_features import open_features
from offline.contrastive.windows import Piece, Window, make_windows
from offline.speech import SpeechSpec, compute, place_nearest
from offline.split import Block
from offline.study import Event
from rtdecode.errors import ConfigError, StudyError, TrainingError
from tests.offline.contrastive.small import BANDS, CHANNELS, RATE, config, small


def window(number, second, stimulus="a", recording="r", pieces=None):
    pieces = pieces or (Piece(stimulus, second, 0, 60, second - 0.3),)
    return Window(recording, "sub-01", "train", number, 0, "u", 0, "w", stimulus, second, pieces)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small(tmp_path_factory.mktemp("study"), sentences=20)


def loader(study, settings, n_channels=CHANNELS):
    recordings = study.prepared.recordings
    subjects = {r.subject: row for row, r in enumerate(recordings)}
    return Loader(recordings, study.features, settings, n_channels, subjects, {r.name: 0 for r in recordings})


def test_a_batch_follows_from_seed_and_step_alone():
    table = [window(k, 0.5 * k) for k in range(300)]
    one, two = Sampler(table, 16, 3.0, 7), Sampler(table, 16, 3.0, 7)
    forwards = [one.rows(step).tolist() for step in range(40)]
    assert [two.rows(step).tolist() for step in (39, 3, 20)] == [forwards[k] for k in (39, 3, 20)]
    assert Sampler(table, 16, 3.0, 8).rows(0).tolist() != forwards[0]


def test_every_window_comes_once_a_pass_but_for_what_fills_no_batch():
    table = [window(k, 0.5 * k) for k in range(300)]
    sampler = Sampler(table, 16, 3.0, 0)
    drawn = [row for step in range(sampler.per_pass) for row in sampler.rows(step)]
    assert len(drawn) == 18 * 16 and len(set(drawn)) == len(drawn)
    assert len({tuple(sampler.rows(step)) for step in range(3 * sampler.per_pass)}) == 3 * sampler.per_pass


def test_windows_of_one_sound_share_no_batch_where_there_is_sound_enough():
    rng = np.random.default_rng(0)
    # Three listeners to the same 500 s, a quarter of a grid step apart.
    table = [window(k, 0.5 * (k % 1000) + 0.1 * (k // 1000)) for k in range(3000)]
    sampler = Sampler(table, 32, 3.0, int(rng.integers(100)))
    for step in range(60):
        batch = [table[row] for row in sampler.rows(step)]
        assert not np.triu(near(batch, batch, 3.0), 1).any()


def test_where_sound_is_too_short_the_pairs_are_named():
    table = [window(k, 0.1 * k) for k in range(100)]  # 10 s for 32 windows of 3 s
    sampler = Sampler(table, 32, 3.0, 0)
    batch = [table[row] for row in sampler.rows(0)]
    assert len({w.sample for w in batch}) == 32
    together = near(batch, batch, 3.0)
    seconds = np.array([w.pieces[0].anchor_s for w in batch])
    np.testing.assert_array_equal(together, abs(seconds[:, None] - seconds) < 3.0)
    assert np.triu(together, 1).any()
    assert not near(batch, batch, 0.0).any()  # the published way: everything is a negative


def test_a_sound_counts_wherever_in_the_window_it_is():
    whole = window(0, 2.0, "b")
    # Hears "a" first, and then the beginning of "b": its anchor lies before that sound.
    late = window(1, 7.0, pieces=(Piece("a", 7.0, 0, 30, 6.7), Piece("b", -0.5, 30, 30, 0.0)))
    far = window(2, 9.0, "b")
    assert near([whole], [late, far], 3.0).tolist() == [[True, False]]
    sampler = Sampler([whole, late, far, window(3, 50.0, "c")], 2, 3.0, 0)
    for step in range(20):
        assert sampler.rows(step).tolist() not in ([0, 1], [1, 0])


def test_too_few_windows_for_a_batch_say_so():
    with pytest.raises(TrainingError, match="3 training windows do not fill a batch of 8"):
        Sampler([window(k, k) for k in range(3)], 8, 3.0, 0)


def test_distinct_windows_hear_different_moments():
    table = [window(k, 0.1 * k) for k in range(50)] + [window(99, 0.0)]
    rows = distinct(table, 0.5, 1000)
    assert rows == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert distinct(table, 0.5, 3) == [0, 15, 30]


def test_samples_and_speech_are_those_of_the_window(study):
    settings = config()
    table = make_windows(study.prepared.recordings, settings, grid=("train",)).windows[:20]
    batch = loader(study, settings).load(table)
    y = stretched(batch.frames, batch.rows, 0.0)
    assert batch.x.shape == (20, settings.n_window, CHANNELS)
    assert y.shape == (20, settings.n_frames, BANDS)
    signals = {r.name: r.signal() for r in study.prepared.recordings}
    for row, w in enumerate(table):
        first = w.sample - round(0.3 * RATE)
        np.testing.assert_array_equal(batch.x[row], signals[w.recording][first : first + settings.n_window])
        if len(w.pieces) == 1 and w.pieces[0].n == settings.n_window:
            features = study.features.features(w.stimulus)
            placed = place_nearest(features, RATE, w.pieces[0].start_s, settings.n_window, RATE)
            np.testing.assert_array_equal(y[row], placed[: settings.n_frames])
    assert batch.names[0] == f"{table[0].recording} sample {table[0].sample}"


def test_two_sounds_and_the_silence_between_them(study):
    settings = config()
    pieces = (Piece("part0.wav", 3.0, 0, 20, 2.7), Piece("part1.wav", -0.5, 30, 31, 0.25))
    w = Window(study.prepared.recordings[0].name, "sub-01", "train", 400, 0, "", -1, "", "", 0.0, pieces)
    batch = loader(study, settings).load([w])
    y = stretched(batch.frames, batch.rows, -5.0)[0].numpy()
    features = [study.features.features(name) for name in ("part0.wav", "part1.wav")]
    np.testing.assert_array_equal(y[:20], features[0][108:128])
    assert (y[20:30] == -5.0).all()
    np.testing.assert_array_equal(y[30 : settings.n_frames], features[1][10 : 10 + settings.n_frames - 30])


def test_fewer_channels_are_padded_and_more_are_refused(study):
    table = make_windows(study.prepared.recordings, config(), grid=("train",)).windows[:3]
    batch = loader(study, config(), CHANNELS + 2).load(table)
    assert batch.x.shape[2] == CHANNELS + 2 and not batch.x[:, :, CHANNELS:].any()
    with pytest.raises(StudyError, match="8 channels, the model 7"):
        loader(study, config(), 7)


def test_context_comes_from_the_recording_and_knows_where_the_block_begins(study):
    settings = config(window={"context_s": 1.0})
    table = make_windows(study.prepared.recordings, settings, grid=("train",)).windows
    batch = loader(study, settings).load(table[:30])
    signal = study.prepared.recordings[0].signal()
    for row, w in enumerate(table[:30]):
        begin = w.sample - 12 - 40
        assert batch.lead[row] == max(0, w.block_first - begin)
        skip = max(0, -begin)
        np.testing.assert_array_equal(
            batch.x[row, skip:], signal[begin + skip : begin + 40 + settings.n_window]
        )
        assert not batch.x[row, :skip].any()
    assert 0 < int((batch.lead > 0).sum()) < 30


def test_the_speech_scaler_sees_frames_under_training_words_once():
    frames = np.arange(100, dtype=np.float32)[:, None]
    store = SimpleNamespace(features=lambda name: frames, rate_hz=10.0)
    sound = Event(1.0, 9.0, "sound", "a", "a", 0.0)
    words = [Event(t, 0.3, "word", "x", "a", t - 1.0, "u", 0) for t in (2.0, 2.2, 6.0)]
    blocks = (Block(0.0, 5.0, "a", "train"), Block(5.0, float("inf"), "b", "test"))
    listener = SimpleNamespace(events=(sound, *words), blocks=blocks)
    (found,) = spoken_frames([listener, listener], store)
    assert found.ravel().tolist() == [10, 11, 12, 13, 14]


def test_silence_stands_where_no_row_is():
    frames = torch.arange(6.0).reshape(1, 3, 2)
    y = stretched(frames, torch.tensor([[2, -1, 0]]), -5.0)
    assert y[0].tolist() == [[4, 5], [-5, -5], [0, 1]]


def test_features_of_windows_have_heard_the_window_alone(study, tmp_path):
    spec = SpeechSpec(kind="mel", bands=BANDS, context="window")
    features = open_features(tmp_path, spec, study.study)
    assert (features.n_features, features.rate_hz) == (BANDS, 125.0)
    settings = config(speech={"kind": "mel", "context": "window"})
    table = make_windows(study.prepared.recordings, settings, grid=("train",)).windows
    recordings = study.prepared.recordings
    rows = {r.name: 0 for r in recordings}
    reader = Loader(recordings, features, settings, CHANNELS, {r.subject: 0 for r in recordings}, rows)
    inside = [w for w in table if len(w.pieces) == 1 and w.pieces[0].n == settings.n_window][:4]
    batch = reader.load(inside)
    y = stretched(batch.frames, batch.rows, spec.silence)
    for row, w in enumerate(inside):
        audio, sfreq = study.study.audio(w.stimulus)
        start = w.pieces[0].start_s
        cut = audio[round(start * sfreq) : round((start + settings.n_window / RATE) * sfreq)]
        alone, rate = compute(cut, sfreq, spec)
        expected = place_nearest(alone, rate, 0.0, settings.n_window, RATE, spec.silence)
        np.testing.assert_array_equal(y[row], expected[: settings.n_frames])
    kept = list(tmp_path.rglob("*.npy"))
    assert len(kept) == 4
    before = [path.stat().st_mtime_ns for path in kept]
    assert torch.equal(stretched(*(getattr(reader.load(inside), k) for k in ("frames", "rows")), -5.0), y)
    assert [path.stat().st_mtime_ns for path in kept] == before
    with pytest.raises(ConfigError, match="name the study's source"):
        open_features(tmp_path, spec)
