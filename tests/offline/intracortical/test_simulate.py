"""Simulated attempted speech: the same twice, tuned to what is said, drifting, in both layouts, as XDF."""

import json

import numpy as np
import pytest

from offline.intracortical.letters import spoken
from offline.intracortical.phonemes import ARPABET, read_dictionary
from offline.intracortical.prepare import TrialSettings, prepare_trials
from offline.intracortical.simulate import Simulation, simulate_trials
from offline.intracortical.store import open_trials
from offline.intracortical.units import Units, drive, speak
from offline.intracortical.xdf import FIRST_STAMP, write_xdf
from offline.simulate import text as texts
from offline.studies import load_trials
from rtdecode.errors import ConfigError, StudyError
from rtdecode.recordings import read

SMALL = Simulation(days=2, heldout_days=1, blocks=2, trials=4, test=3, holdout=2)


@pytest.fixture(scope="module", params=["willett2023", "card2024"])
def study(request, tmp_path_factory):
    root = simulate_trials(tmp_path_factory.mktemp("sim") / "tree", request.param, SMALL)
    out = root.parent / "out"
    settings = TrialSettings(lexicon=str(root / "lexicon.txt"))
    prepare_trials(load_trials(request.param, root), out, settings)
    return open_trials(out)


def test_both_layouts_hold_the_plan(study):
    held = "valid" if study.name.startswith("card") else "test"
    blind = "test" if study.name.startswith("card") else "holdout"
    assert study.name.endswith("-simulated") and study.facts["simulated"]["seed"] == 0
    assert [len(study.of("train", (day.name,))) for day in study.days] == [8, 8, 0]
    assert [len(study.of(held, (day.name,))) for day in study.days] == [3, 3, 6]
    assert [len(study.of(blind, (day.name,))) for day in study.days] == [2, 2, 0]
    train = [t.text for t in study.of("train")]
    assert len(set(train)) == 16 and not set(train) & {t.text for t in study.of(held)}
    assert all(t.phonemes[-1] == "SIL" for t in (*study.of("train"), *study.of(held)))
    assert study.unit == ("arbitrary" if study.name.startswith("card") else "zscore")


def test_timings_are_of_the_trials(study):
    lines = (study.root.parent / "tree" / "timings.jsonl").read_text().splitlines()
    rows = {(r["day"], r["block"], r["number"]): r for r in map(json.loads, lines)}
    for trial in study.of("train"):
        row = rows[trial.day, trial.block, trial.number]
        assert tuple(row["symbols"]) == trial.phonemes
        lengths = np.subtract(row["stops"], row["starts"])
        assert lengths.min() > 0.0599 and lengths.max() < 0.1401
        assert row["stops"][-1] < 0.02 * trial.n_bins


def test_features_tell_what_is_said(study):
    """Nearest mean pattern, of the last training block by those before it: far above chance."""
    lines = (study.root.parent / "tree" / "timings.jsonl").read_text().splitlines()
    rows = {(r["day"], r["block"], r["number"]): r for r in map(json.loads, lines)}
    said, seen = [], []
    for trial in study.of("train", (study.days[0].name,)):
        row = rows[trial.day, trial.block, trial.number]
        x = study.features(trial)
        for name, start, stop in zip(row["symbols"], row["starts"], row["stops"], strict=True):
            said.append(name)
            seen.append(x[int(start / 0.02 + 0.5) : int(stop / 0.02 + 0.5)].mean(0))
    half = len(said) // 2
    names = sorted(set(said[:half]))
    means = [
        np.mean([s for n, s in zip(said[:half], seen[:half], strict=True) if n == name], 0) for name in names
    ]
    found = [names[int(np.argmin([((s - m) ** 2).sum() for m in means]))] for s in seen[half:]]
    assert np.mean([a == b for a, b in zip(found, said[half:], strict=True)]) > 0.5


def test_the_same_seed_is_the_same_study(tmp_path):
    small = Simulation(days=1, blocks=1, trials=2, test=1)
    first = simulate_trials(tmp_path / "a", "card2024", small)
    again = simulate_trials(tmp_path / "b", "card2024", small)
    other = simulate_trials(
        tmp_path / "c", "card2024", Simulation(days=1, blocks=1, trials=2, test=1, seed=1)
    )
    a, b, c = (
        [x for _, x in s.read(s.days[0])] for s in (load_trials("card2024", r) for r in (first, again, other))
    )
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert any(x.shape != y.shape or not np.array_equal(x, y) for x, y in zip(a, c, strict=True))
    assert (first / "timings.jsonl").read_bytes() == (again / "timings.jsonl").read_bytes()


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_drift_turns_the_tuning(drift):
    units = Units(60, 4, 10, drift=drift)
    spoken_now = speak(range(10), np.random.default_rng(0))

    def profile():
        return np.mean([units.record(spoken_now)[1] for _ in range(40)], axis=0).ravel()

    first, same = profile(), profile()
    noise = 1 - np.corrcoef(first, same)[0, 1]
    distances = []
    for _ in range(3):
        units.next_day()
        distances.append(1 - np.corrcoef(first, profile())[0, 1])
    assert (max(distances) < 3 * noise) if drift == 0 else (5 * noise < distances[0] < distances[2])


def test_a_repeated_symbol_shows():
    said = speak([3, 3], np.random.default_rng(0), (0.14, 0.14))
    x = drive(said, 5)[:, 3]
    peaks = (x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])
    assert peaks.sum() == 2 and 0.9 < x.max() < 1.01 and np.abs(x[[0, -1]]).max() < 1e-9


def test_characters(tmp_path):
    made = Simulation(days=1, blocks=1, trials=1, test=1, tuning="characters")
    row = json.loads(
        simulate_trials(tmp_path / "a", "card2024", made).joinpath("timings.jsonl").open().readline()
    )
    assert "".join(row["symbols"]) == row["text"].upper() + " "


def test_letter_rules_speak_every_word_of_the_fables():
    words = {word for sentence in texts.sentences() for word in sentence.split()}
    sounds = {word: spoken(word) for word in words}
    assert all(sounds.values()) and {s for said in sounds.values() for s in said} <= set(ARPABET)
    assert len(set(sounds.values())) > 0.95 * len(words)
    assert spoken("the") == ("DH", "EH") and spoken("quick") == ("K", "W", "IH", "K")


def test_a_given_dictionary(tmp_path):
    words = {word for s in texts.sentences(None, 3, 8)[:60] for word in s.split()}
    (tmp_path / "words.txt").write_text("".join(f"{w} {' '.join(spoken(w))} Z\n" for w in sorted(words)))
    made = Simulation(days=1, blocks=1, trials=2, test=1)
    out = simulate_trials(tmp_path / "a", "card2024", made, lexicon=tmp_path / "words.txt")
    used = read_dictionary(out / "lexicon.txt")
    assert set(used) <= words and all(sounds[-1] == "Z" for sounds in used.values())
    (tmp_path / "words.txt").write_text("yak Y AE1 K\n")
    with pytest.raises(StudyError, match="0 sentences to train on"):
        simulate_trials(tmp_path / "b", "card2024", made, lexicon=tmp_path / "words.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "words.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": 0}, "0 days"), ({"days": 20, "heldout_days": 5}, "has 1 to 24"),
        ({"trials": 0}, "of 0 trials"), ({"tuning": "phones"}, "did you mean phonemes"),
        ({"duration_s": (0.2, 0.1)}, "0.2 to 0.1 s"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated(tmp_path, change, said):
    with pytest.raises(ConfigError, match=said):
        simulate_trials(tmp_path / "out", "willett2023", Simulation(**change))
    assert not list(tmp_path.iterdir())


def test_not_over_something_else(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="not empty"):
        simulate_trials(tmp_path, "willett2023", SMALL)


def test_a_day_as_xdf(study, tmp_path):
    trials = study.of("train", (study.days[1].name,))[:3]
    path = write_xdf(study, trials, tmp_path / "day.xdf", pause_s=0.5)
    recording = read(path)
    assert (recording.sfreq, recording.labels, recording.stype) == (50.0, study.labels, "Features")
    assert set(recording.units) == {study.unit} and recording.data.dtype == np.float32
    marks = [(m.t, json.loads(m.text)) for m in recording.markers]
    assert [m["kind"] for _, m in marks] == ["start", "stop"] * 3
    for trial, (start, said), (stop, _) in zip(trials, marks[::2], marks[1::2], strict=True):
        first, last = round(start * 50), round(stop * 50)
        assert (said["trial"], said["text"], said["split"]) == (trial.name, trial.text, "train")
        assert np.array_equal(recording.data[first:last], study.features(trial))
    assert len(recording.data) == sum(t.n_bins for t in trials) + 4 * 25
    assert recording.times[1] - recording.times[0] == pytest.approx(0.02) and FIRST_STAMP > 0
    with pytest.raises(StudyError, match="exists"):
        write_xdf(study, trials, path)
    with pytest.raises(StudyError, match="0 trials"):
        write_xdf(study, (), tmp_path / "none.xdf")
    assert [p.name for p in tmp_path.iterdir()] == ["day.xdf"]
