"""One file per data set: each loads a tree of files as a `Study`."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from offline.study import Study
from rtdecode.errors import StudyError, closest

NAMES = ("simulated", "gwilliams2022", "schoffelen2019", "broderick2019", "brennan2019", "local")


def module_of(name: str) -> ModuleType:
    """The module that knows a study: `load`, and `SOURCE` where it can be fetched. Raises StudyError naming
    the closest when there is no such study.
    """
    if name not in NAMES:
        raise StudyError(f"there is no study {name!r}", hint=closest(name, NAMES))
    return import_module(f"offline.studies.{name}")


def load_study(name: str, root: str | Path, selection: str = "") -> Study:
    """The study `name` from the tree under `root`. selection: which of its subjects, where the study has
    lists of them ('' its default). Raises StudyError: no such study, or what its loader finds.
    """
    module = module_of(name)
    if not Path(root).is_dir():
        raise StudyError(f"there is no folder {root}", hint=f"it should hold the study {name}")
    if not selection:
        return module.load(root)
    if not hasattr(module, "SELECTIONS"):
        raise StudyError(f"{name} has no selection {selection!r}", hint="it has no lists of subjects")
    return module.load(root, selection)
