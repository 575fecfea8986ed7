"""MATLAB files as plain Python: structures are dictionaries, cells are lists. Files of version 7.3 are not
read.
"""

from pathlib import Path
from typing import Any

from scipy.io import loadmat

from rtdecode.errors import StudyError


def load_mat(path: Path) -> dict[str, Any]:
    """The variables of a file by name. Raises StudyError: missing, damaged, or of version 7.3."""
    if not path.is_file():
        raise StudyError(f"{path} is missing")
    try:
        variables = loadmat(path, simplify_cells=True)
    except NotImplementedError as error:
        raise StudyError(
            f"{path} is a MATLAB file of version 7.3", hint="save it again with save -v7"
        ) from error
    except Exception as error:  # its parser raises whatever it met
        raise StudyError(f"cannot read {path}: {error}", hint="is the file complete?") from error
    return {name: value for name, value in variables.items() if not name.startswith("__")}
