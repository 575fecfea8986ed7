"""One file per data set: each loads a tree of files as a `Study`."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from offline.intracortical.trials import RawStudy
from offline.study import Study
from rtdecode.errors import StudyError, closest

NAMES = ("simulated", "gwilliams2022", "schoffelen2019", "broderick2019", "brennan2019", "local")
TRIALS = ("willett2023", "card2024")  # studies of trials: sentences, not recordings


def module_of(name: str) -> ModuleType:
    """The module that knows a study: `load` (of TRIALS `load_trials`), and `SOURCE` where it can be fetched.
    Raises StudyError naming the closest when there is no such study.
    """
    if name not in NAMES + TRIALS:
        raise StudyError(f"there is no study {name!r}", hint=closest(name, NAMES + TRIALS))
    return import_module(f"offline.studies.{name}")


def load_study(name: str, root: str | Path, selection: str = "") -> Study:
    """The study `name` from the tree under `root`. selection: which of its subjects, where the study has
    lists of them ('' its default). Raises StudyError: no such study, or what its loader finds.
    """
    module = module_of(name)
    if name in TRIALS:
        raise StudyError(
            f"{name} is a study of trials, not of recordings",
            hint="prepare it, then train on it with a text preset",
        )
    if not Path(root).is_dir():
        raise StudyError(f"there is no folder {root}", hint=f"it should hold the study {name}")
    if not selection:
        return module.load(root)
    if not hasattr(module, "SELECTIONS"):
        raise StudyError(f"{name} has no selection {selection!r}", hint="it has no lists of subjects")
    return module.load(root, selection)


def load_trials(name: str, root: str | Path, area: str = "") -> RawStudy:
    """The study of trials `name` from the tree (or the one .npy trial) at `root`. area: of willett2023, ''
    its default. Raises StudyError: no such study or folder, or what its loader finds; ConfigError.
    """
    module = module_of(name)
    if name not in TRIALS:
        raise StudyError(
            f"{name} is a study of recordings, not of trials", hint=f"those are: {', '.join(TRIALS)}"
        )
    if not Path(root).exists():
        raise StudyError(f"there is no folder {root}", hint=f"it should hold the study {name}")
    if not area:
        return module.load_trials(root)
    if not hasattr(module, "AREAS"):
        raise StudyError(f"{name} has no area {area!r}", hint="its features are not chosen by area")
    return module.load_trials(root, module.Choice(area=area))
