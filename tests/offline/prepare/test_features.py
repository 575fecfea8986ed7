"""Speech features in the store: once per sound, cut where the split cuts, redone when the sound changes."""

import json
import wave
from dataclasses import replace

import numpy as np
import pytest

from offline.prepare import features as module
from offline.prepare.features import features_folder, prepare_features, sounds_heard
from offline.prepare.run import prepare_study
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import FeatureStore, open_prepared
from offline.speech import SpeechSpec, compute
from rtdecode.errors import ConfigError, StudyError
from tests.offline.prepare.heard import AUDIO_HZ, SENTENCE_S, write_sound

MEL = SpeechSpec(kind="mel", bands=8)
FILE = SpeechSpec(kind="mel", bands=8, context="file")
STORIES = ("story 0/a", "story 12/a")


@pytest.fixture
def out(heard, tmp_path):
    prepare_study(heard, tmp_path / "out", PrepareSettings())
    return tmp_path / "out"


def test_of_a_whole_file(heard, out):
    store = FeatureStore(prepare_features(heard, out, FILE))
    assert (store.kind, store.rate_hz, store.n_features, store.stimuli) == ("mel", 125.0, 8, STORIES)
    assert store.spec["context"] == "file"
    for stimulus in STORIES:
        found = store.features(stimulus)
        assert isinstance(found, np.memmap) and not found.flags.writeable
        np.testing.assert_array_equal(found, compute(*heard.audio(stimulus), FILE)[0])


def test_no_frame_has_heard_audio_of_another_block(heard, out):
    """Why it matters: features that saw the test audio carry it into training."""
    before = FeatureStore(prepare_features(heard, out, MEL)).features(STORIES[0]).copy()
    whole = FeatureStore(prepare_features(heard, out, FILE)).features(STORIES[0]).copy()
    # another sound in the place of the second block; mel features are scaled over all they have heard
    start, stop, *_ = edges(out, STORIES[0])
    audio, _ = heard.audio(STORIES[0])
    audio[round((start + 0.1) * AUDIO_HZ) : round((stop - 0.1) * AUDIO_HZ)] *= 0.1
    write(heard.sounds[STORIES[0]], audio)
    after = FeatureStore(prepare_features(heard, out, MEL)).features(STORIES[0])
    changed = np.flatnonzero((before != after).any(axis=1)) / 125
    assert len(changed) and start - 0.02 <= changed[0] and changed[-1] <= stop + 0.02
    file = FeatureStore(prepare_features(heard, out, FILE)).features(STORIES[0])
    changed = np.flatnonzero((whole != file).any(axis=1)) / 125
    assert changed[0] < start - 1 and changed[-1] > stop + 1


def edges(out, stimulus):
    return sounds_heard(open_prepared(out).recordings, cut=True)[stimulus].borders


def write(path, audio):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_HZ)
        file.writeframes((audio * 32767).astype("<i2").tobytes())


def test_sounds_are_cut_where_blocks_meet_whatever_the_clock(heard, out):
    """Two subjects whose clocks are 12 ms apart: one border each, at the start of every second sentence."""
    wanted = [SENTENCE_S * n for n in range(2, 12, 2)]
    assert edges(out, STORIES[0]) == pytest.approx(wanted, abs=0.02)
    split = {r.name: [b.start for b in r.blocks] for r in open_prepared(out).recordings}
    assert split["sub-01_run-0"][1] != split["sub-02_run-0"][1]


def test_one_sound_a_sentence_needs_no_cut(simulated, tmp_path):
    prepare_study(simulated, tmp_path, PrepareSettings(sfreq=100.0))
    heard = sounds_heard(open_prepared(tmp_path).recordings, cut=True)
    assert {sound.borders for sound in heard.values()} == {()}
    store = FeatureStore(prepare_features(simulated, tmp_path, SpeechSpec(kind="envelope", frame_rate=50.0)))
    assert set(store.stimuli) == {e.stimulus for r in simulated.recordings for e in r.events} == set(heard)
    audio, sfreq = simulated.audio(store.stimuli[0])
    assert len(store.features(store.stimuli[0])) == pytest.approx(50 * len(audio) / sfreq, abs=1)


def test_unchanged_sounds_are_not_computed_again(heard, out, monkeypatch):
    computed = []

    def counting(audio, *rest, **named):
        computed.append(len(audio))
        return compute(audio, *rest, **named)

    monkeypatch.setattr(module, "compute", counting)
    folder = prepare_features(heard, out, MEL)
    assert len(computed) == 2
    assert prepare_features(heard, out, MEL) == folder and len(computed) == 2
    write_sound(heard.sounds[STORIES[1]], SENTENCE_S * 8, 7)
    prepare_features(heard, out, MEL)
    assert len(computed) == 3 and computed[-1] == SENTENCE_S * 8 * AUDIO_HZ
    prepare_study(heard, out, PrepareSettings(min_block_s=10.0))  # other blocks, other cuts
    prepare_features(heard, out, MEL)
    assert len(computed) == 5
    assert prepare_features(heard, out, replace(MEL, bands=4)) != folder and len(computed) == 7


@pytest.mark.parametrize("dies_at", [1, 2])
def test_interrupted_it_goes_on_and_old_features_are_not_taken_for_new(heard, out, monkeypatch, dies_at):
    prepare_features(heard, out, MEL)
    for number, stimulus in enumerate(STORIES):
        write_sound(heard.sounds[stimulus], SENTENCE_S * (12, 8)[number], 10 + number)
    computed = []

    def dies(*given, **named):
        computed.append(1)
        if len(computed) == dies_at:
            raise KeyboardInterrupt
        return compute(*given, **named)

    monkeypatch.setattr(module, "compute", dies)
    with pytest.raises(KeyboardInterrupt):
        prepare_features(heard, out, MEL)
    with pytest.raises(StudyError, match=f"incomplete: those of '{STORIES[dies_at - 1]}' are missing"):
        FeatureStore(features_folder(out, MEL))
    prepare_features(heard, out, MEL)
    assert len(computed) == 3  # what was done before the interruption was not done again
    assert set(FeatureStore(features_folder(out, MEL)).stimuli) == set(STORIES)


def test_audio_that_is_missing_or_too_short_says_both(heard, out):
    path = heard.sounds[STORIES[0]]
    write_sound(path, 40.0, 0)
    with pytest.raises(StudyError, match=r"lasts 40\.000 s, sub-0[12]_run-0 hears it until 48\.000 s"):
        prepare_features(heard, out, MEL)
    path.unlink()
    with pytest.raises(StudyError, match=r"hears the sound 'story 0/a', .*story0\.wav is missing"):
        prepare_features(heard, out, MEL)
    with pytest.raises(StudyError, match="heard has none of that name"):
        prepare_features(replace(heard, sounds={}), out, MEL)


def test_what_cannot_be_prepared(heard, out, tmp_path):
    with pytest.raises(ConfigError, match="window by window"):
        prepare_features(heard, out, replace(MEL, context="window"))
    with pytest.raises(StudyError, match="no prepared study"):
        prepare_features(heard, tmp_path, MEL)
    with pytest.raises(StudyError, match="is incomplete"):
        FeatureStore(tmp_path / "stimuli")


def test_an_unknown_sound_and_a_foreign_index(heard, out):
    folder = prepare_features(heard, out, FILE)
    with pytest.raises(StudyError, match="did you mean story 0/a"):
        FeatureStore(folder).features("story 0/b")
    index = json.loads((folder / "features.json").read_text())
    (folder / "features.json").write_text(json.dumps({**index, "schema": 9}))
    with pytest.raises(StudyError, match="schema 9, expected 1"):
        FeatureStore(folder)


def test_a_checkpoint_in_a_folder_counts_by_content(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"1")
    spec = SpeechSpec(checkpoint=str(tmp_path / "model"))
    before = features_folder(tmp_path, spec)
    assert features_folder(tmp_path, spec) == before
    (tmp_path / "model" / "model.safetensors").write_bytes(b"2")
    assert features_folder(tmp_path, spec) != before


def test_progress_tells_sounds_and_what_is_inside_them(heard, out):
    told = []
    prepare_features(heard, out, MEL, progress=lambda *what: told.append(what))
    assert [t for t in told if t[0] == "features"] == [("features", 1, 2), ("features", 2, 2)]
    assert (STORIES[0], 48, 48) in told
