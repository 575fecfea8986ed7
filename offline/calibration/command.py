"""What `offline calibrate` does, for runs of either recipe: calibrate, measure the gain, make a bundle.

Decides by the run what the data directory is: a study for the streaming recipe, a prepared study for the one
of windows. Never prints; returns what there is to say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from offline.calibrate import calibrate
from offline.calibration.gain import Gain, gain
from offline.calibration.known import known_recording
from offline.calibration.result import Calibrated, CalibrationSettings
from offline.checkpoint import load_checkpoint
from offline.export import export
from offline.loop.checkpointing import read_run
from offline.study import Study
from rtdecode.errors import ConfigError, StudyError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """gain: None without a test recording of the subject;  bundle: None where none was asked for"""

    calibrated: Calibrated
    gain: Gain | None
    bundle: Path | None

    def lines(self) -> list[str]:
        """For people."""
        said = self.calibrated.lines()
        if self.gain is None:
            said.append("gain not measured: the data holds no test recording of this subject")
        else:
            said += self.gain.lines()
        return said + ([f"wrote the bundle {self.bundle}"] if self.bundle else [])


def calibrate_run(
    run: Path,
    data: Path,
    subject: str,
    out: Path,
    *,
    load: Callable[[Path], Study],
    settings: CalibrationSettings | None = None,
    recording: Path | None = None,
    events: Path | None = None,
    bundle: Path | None = None,
    progress: Say | None = None,
) -> Outcome:
    """Calibrate `run` for `subject` into `out`.

    data       the study (streaming recipe), or the prepared study (windows)
    load       reads a study of the streaming recipe
    recording  a file or session log of the subject (streaming recipe); None: the subject's own recordings in
               the study, test excepted;  events: its table of what was heard; None: markers in the file
    bundle     also make a bundle of the subject for the live decoder (streaming recipe)
    Raises what `calibrate`, `calibrate_windows` and `export` raise.
    """
    settings = settings or CalibrationSettings()
    for path in (out, bundle):
        if path is not None and path.exists():
            raise ConfigError(f"{path} exists", hint="choose another directory or remove it")
    if events is not None and recording is None:
        raise ConfigError("--events is a table for --recording", hint="give both, or neither")
    if read_run(run).get("recipe", "crops") == "windows":
        if recording is not None or bundle is not None:
            raise ConfigError(
                f"{run} is a run on windows of a prepared study: it takes no --recording and no --bundle",
                hint="prepare the subject's recordings, or use a run of the streaming recipe",
            )
        return _windows(run, data, subject, out, settings, progress)
    study = load(data)
    test = study.select("test", subject)
    if recording is None:
        own = study.select("train", subject) + study.select("valid", subject)
        if not own:
            raise StudyError(
                f"study {study.name!r} has no recording of {subject!r} outside the test",
                hint=f"its subjects: {', '.join(study.subjects)}; or give --recording",
            )
    else:
        own = (known_recording(recording, events, subject, load_checkpoint(run).source),)
    found = calibrate(run, study, own, out, settings, progress=progress)
    measured = gain(run, out, study, own, test, minutes=settings.minutes) if test else None
    if bundle is not None:
        export(out, programme_for(study, subject), bundle, subject=subject, score=bool(test))
    return Outcome(found, measured, bundle)


def programme_for(study: Study, subject: str) -> Study:
    """A study from which `subject` can be exported: as it is where it holds their test; else the programme of
    the first subject's test under this name, for the bank alone: nobody's signal in it is this subject's.
    """
    if study.select("test", subject):
        return study
    lent = study.select("test", study.subjects[0])
    return replace(study, recordings=tuple(replace(r, subject=subject) for r in lent))


def _windows(
    run: Path, data: Path, subject: str, out: Path, settings: CalibrationSettings, progress: Say | None
) -> Outcome:
    from offline.contrastive.calibrate import calibrate_windows, gain_windows
    from offline.contrastive.checkpoint import load_checkpoint as load_windows
    from offline.prepare.features import features_folder
    from offline.prepare.store import FeatureStore, open_prepared

    prepared = open_prepared(data)
    features = FeatureStore(features_folder(data, load_windows(run).config.speech))
    found = calibrate_windows(run, prepared, features, subject, out, settings, progress=progress)
    own = [r for r in prepared.recordings if r.subject == subject]
    tested = any(block.split == "test" for r in own for block in r.blocks)
    measured = gain_windows(run, out, prepared, features, subject, settings) if tested else None
    return Outcome(found, measured, None)
