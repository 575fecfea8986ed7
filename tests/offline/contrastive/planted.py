"""A prepared study with a planted response, three listeners."""

import dataclasses

import numpy as np

from offline.contrastive.config import ContrastiveConfig
from offline.prepare.features import features_folder, prepare_features
from offline.prepare.run import prepare_study
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import FeatureStore, open_prepared
from offline.study import Study, StudyRecording
from rtdecode.config import from_json
from tests.offline.tiny import tiny_study

CONFIG = {
    "name": "tiny",
    "recipe": "windows",
    "subjects": ["sub-01", "sub-02"],
    "signal": {"sfreq": 64.0, "baseline_s": [-0.2, 0.0]},
    "window": {"tmin": -0.2, "tmax": 1.0, "step_s": 0.25, "offset_s": 0.1},
    "speech": {"kind": "logmel", "bands": 8, "frame_rate": 64.0},
    "model": {
        "n_virtual": 8, "hidden": 16, "depth": 3, "dilation_period": 3, "fourier_dim": 32,
        "spatial_dropout": 0.0, "subject_dropout": 0.3,
    },
    "loss": {"norm": "both", "temperature": "learned"},
    "batch": {"size": 32, "same_s": 1.0},
    "loop": {"updates_per_epoch": 80, "max_epochs": 1, "patience": 0, "lr": 5e-3, "threads": 1},
}  # fmt: skip


def filed(folder, study: Study) -> Study:
    """The tiny study with its samples in files, places of sensors, and sentences that events know by name."""
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    places = tuple((float(0.5 + 0.5 * np.cos(a)), float(0.5 + 0.5 * np.sin(a))) for a in angle)
    recordings = []
    for r in study.recordings:
        path = folder / f"{r.name}.npy"
        np.save(path, r.read())
        text, index, events = "", -1, []
        for event in r.events:
            if event.kind == "sentence":
                text, index = event.text, -1
            else:
                index += 1
                event = dataclasses.replace(event, sequence=text, index=index)
            events.append(event)
        recordings.append(
            StudyRecording(
                r.subject, r.name, r.split, path, r.sfreq, r.labels, r.unit, tuple(events),
                positions=places, files=(path,), reader=lambda one: np.load(one.path),
            )
        )  # fmt: skip
    return dataclasses.replace(study, recordings=tuple(recordings), facts={})


def windows_of(folder):
    """(configuration, prepared study, its features), written into `folder`."""
    study = filed(folder, tiny_study(folder, sentences=60, subjects=3))
    config = from_json(ContrastiveConfig, CONFIG, "tests")
    prepare_study(study, folder / "prepared", PrepareSettings(sfreq=64.0, min_block_s=0.0))
    prepare_features(study, folder / "prepared", config.speech)
    store = FeatureStore(features_folder(folder / "prepared", config.speech))
    return config, open_prepared(folder / "prepared"), store
