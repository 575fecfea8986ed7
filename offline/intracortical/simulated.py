"""What a simulated study says of itself, so that nobody takes it for the real one. Below the loaders."""

from pathlib import Path
from typing import Any

from offline.disk import read_json

NAME = "simulation.json"


def simulated_facts(root: Path, study: str) -> tuple[str, dict[str, Any]]:
    """The name of the study in `root` and what is known of how it was made: of a real one `study` and
    nothing. Raises StudyError for a description that is no JSON.
    """
    path = root / NAME
    if not path.is_file():
        return study, {}
    facts = read_json(path, "the simulated study", "simulate it again")
    return f"{study}-simulated", {"simulated": facts}
