"""One's own recordings: what can be known of a file before its signal is read, and the signal.

Formats that MNE reads tell rate, channels, length and places from their header. Others (XDF, session logs)
are read whole. Which channels measure a brain: what channels.tsv says, else what the file says. Where they
are: an electrodes table, else the file's own montage, else the standard place of a name (Cz; A1 … D32 of a
BioSemi with 128), else unknown. Knows nothing of events.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offline.studies.layout import normalised, positions_from_info, positions_from_montage
from offline.studies.mne_files import brain_picks, open_raw, read_picks, unit_of
from offline.study import UNKNOWN_POSITION
from rtdecode.errors import RecordingError, StudyError, closest
from rtdecode.recordings import Recording, read

BRAIN_TYPES = ("EEG", "MEG", "MEGMAG", "MEGGRADAXIAL", "MEGGRADPLANAR", "SEEG", "ECOG", "DBS")
_MNE_ENDINGS = (".fif", ".fif.gz", ".edf", ".bdf", ".vhdr", ".ds", ".con", ".sqd")
_STANDARD = {"biosemi128": 128, "standard_1005": 1}  # montages, and how many channels must have a name in it
_ALSO_CALLED = {"standard_1005": ("colin27_1005",)}  # from MNE 1.13 on
_PLACED_SHARE = 0.9  # of the channels must be placed by their names, or none is
_GAP_HINT = "cut it at the gaps, one file and one events table each"

Positions = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Signal:
    """What is known of a recording before its samples are needed.

    length_s   seconds, as an events table counts them
    positions  (x, y) in [0, 1] per channel; () when no channel is placed
    placed_by  what placed them
    bad        channels that channels.tsv or the file calls bad; they are kept
    stamps     (T,) seconds since the first sample when samples are not evenly spaced by the file's clock
    """

    sfreq: float
    labels: tuple[str, ...]
    unit: str
    length_s: float
    positions: Positions
    placed_by: str
    bad: tuple[str, ...]
    files: tuple[Path, ...]
    stamps: np.ndarray | None = None

    def clock(self, t: float) -> float:
        """Seconds of the evenly spaced signal (sample / sfreq) at `t` seconds of the file's own clock."""
        if self.stamps is None:
            return t
        samples = np.interp(t, self.stamps, np.arange(len(self.stamps)))
        # outside the recording (a sound may be) the clocks run alike
        return float(samples / self.sfreq + min(t, 0.0) + max(t - self.stamps[-1], 0.0))


def open_signal(path: Path, stream: str | None, channels: Path | None, electrodes: Path | None) -> Signal:
    """The header of a recording. Raises StudyError in a sentence, with the file."""
    table = _channel_table(channels) if channels is not None else None
    if path.name.lower().endswith(_MNE_ENDINGS):
        raw = open_raw(path)
        picks = brain_picks(raw) if table is None else _listed(path, channels, raw.ch_names, table)
        if not picks:
            raise StudyError(
                f"{path} holds {len(raw.ch_names)} channels, none of EEG, MEG or electrodes in a brain"
            )
        names = tuple(raw.ch_names[i] for i in picks)
        positions, placed_by = _positions(names, electrodes, raw.info, picks)
        bad = _bad(names, table) or tuple(name for name in names if name in raw.info["bads"])
        files = (
            sorted(path.iterdir())
            if path.is_dir()
            else [path, *(Path(name) for name in raw.filenames if name)]
        )
        sfreq = float(raw.info["sfreq"])
        return Signal(
            sfreq, names, unit_of(raw, picks), raw.n_times / sfreq, positions, placed_by, bad,
            tuple(p for p in dict.fromkeys(files) if p.is_file()),
        )  # fmt: skip
    recording = _read_whole(path, stream)
    picks = list(range(len(recording.labels)))
    if table is not None:
        picks = _listed(path, channels, recording.labels, table)
    names = tuple(recording.labels[i] for i in picks)
    units = {recording.units[i] for i in picks}
    positions, placed_by = _positions(names, electrodes)
    stamps = None if recording.stamps is None else recording.stamps - recording.stamps[0]
    length_s = recording.duration_s if stamps is None else float(stamps[-1]) + 1 / recording.sfreq
    unit = units.pop() if len(units) == 1 else ""
    return Signal(
        recording.sfreq, names, unit, length_s, positions, placed_by, _bad(names, table), (path,), stamps
    )  # fmt: skip


def read_signal(path: Path, stream: str | None, labels: Sequence[str]) -> np.ndarray:
    """(T, C) float32 of the channels called `labels`, in the unit that the header names."""
    if path.name.lower().endswith(_MNE_ENDINGS):
        raw = open_raw(path)
        return read_picks(path, raw, _places(path, raw.ch_names, labels))
    recording = _read_whole(path, stream)
    return np.asarray(recording.data, np.float32)[:, _places(path, recording.labels, labels)]


def _read_whole(path: Path, stream: str | None) -> Recording:
    try:
        recording = read(path, stream)
    except RecordingError as error:
        hint = error.hint
        if "streams" in error.message:
            hint = f"name one in the column stream of recordings.tsv; {hint}"
        raise StudyError(error.message, hint=hint) from error
    if len(recording.segments) > 1:
        raise StudyError(
            f"{path} has {len(recording.segments) - 1} gaps, {len(recording.segments)} pieces of signal",
            hint=_GAP_HINT,
        )
    return recording


def _places(path: Path, names: Sequence[str], labels: Sequence[str]) -> list[int]:
    places = {name: i for i, name in enumerate(names)}
    for label in labels:
        if label not in places:
            raise StudyError(f"{path} has no channel {label!r}", hint="has the file changed?")
    return [places[label] for label in labels]


# ── tables beside the recording ─────────────────────────────────────────────────────────────────────────────


def read_table(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a .tsv, 'n/a' as ''. Raises StudyError: no such file, no such column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = reader.fieldnames or ()
            rows = [
                {key: (value or "").strip().replace("n/a", "") for key, value in row.items() if key}
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"cannot read {path}: {error}", hint="a .tsv is UTF-8 text") from error
    for column in needed:
        if column not in columns:
            raise StudyError(f"{path} has no column {column!r}", hint=f"its columns: {', '.join(columns)}")
    return rows


def _channel_table(path: Path) -> Mapping[str, dict[str, str]]:
    return {row["name"]: row for row in read_table(path, ("name", "type"))}


def _listed(
    path: Path, table_path: Any, names: Sequence[str], table: Mapping[str, dict[str, str]]
) -> list[int]:
    """Places of the channels that the table calls a brain's, in the order of the recording."""
    for name, row in table.items():
        if row["type"].upper() in BRAIN_TYPES and name not in names:
            raise StudyError(
                f"{table_path} names the {row['type']} channel {name!r}, {path.name} has none of that name",
                hint=closest(name, names),
            )
    return [i for i, name in enumerate(names) if table.get(name, {}).get("type", "").upper() in BRAIN_TYPES]


def _bad(names: Sequence[str], table: Mapping[str, dict[str, str]] | None) -> tuple[str, ...]:
    rows = table or {}
    return tuple(name for name in names if rows.get(name, {}).get("status", "").lower() == "bad")


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────


def _positions(
    names: tuple[str, ...], electrodes: Path | None, info: Any = None, picks: Sequence[int] = ()
) -> tuple[Positions, str]:
    """Where the channels are, and what says so."""
    if electrodes is not None:
        return _from_table(names, electrodes), electrodes.name
    own = _from_file(names, info, picks) if info is not None else {}
    if own:
        return _completed(names, own), "the recording's own montage"
    for montage, needed in _STANDARD.items():
        by_name = _from_names(names, montage)
        if len(by_name) >= max(needed, _PLACED_SHARE * len(names)):
            return _completed(names, by_name), f"the names, as in {montage}"
    return (), "nothing"


def _from_file(names: Sequence[str], info: Any, picks: Sequence[int]) -> dict[str, tuple[float, float]]:
    """Of the channels that the file places. (Asked for others too, MNE would place none, and say so.)"""
    import mne

    there = [i for i in picks if np.isfinite(loc := info["chs"][i]["loc"][:3]).all() and loc.any()]
    if not there:
        return {}
    positions = positions_from_info(mne.pick_info(info, there))
    return {info["ch_names"][i]: place for i, place in zip(there, positions, strict=True)}


def _from_names(names: Sequence[str], montage: str) -> dict[str, tuple[float, float]]:
    """Of the channels whose name is one of the montage's, in whatever case."""
    import mne

    built_in = next((name for name in _ALSO_CALLED.get(montage, ()) if name in _montages(mne)), montage)
    known = {name.lower(): name for name in mne.channels.make_standard_montage(built_in).ch_names}
    mine = {name: known[name.lower()] for name in names if name.lower() in known}
    if not mine:
        return {}
    return dict(zip(mine, positions_from_montage(list(mine.values()), built_in), strict=True))


def _montages(mne: Any) -> list[str]:
    return list(mne.channels.get_builtin_montages())


def _completed(names: Sequence[str], known: Mapping[str, tuple[float, float]]) -> Positions:
    return tuple(known.get(name, UNKNOWN_POSITION) for name in names)


def _from_table(names: tuple[str, ...], path: Path) -> Positions:
    """x and y of an electrodes table, seen from above."""
    places: dict[str, np.ndarray] = {}
    for row in read_table(path, ("name", "x", "y")):
        try:
            xy = np.array([float(row["x"]), float(row["y"])])
        except ValueError:  # not known
            continue
        if np.isfinite(xy).all():
            places[row["name"].rsplit("-", 1)[0]] = xy
    if not any(name.rsplit("-", 1)[0] in places for name in names):
        raise StudyError(
            f"{path} places none of the {len(names)} channels, the first of which is {names[0]!r}",
            hint=f"it names {', '.join(list(places)[:3]) or 'nothing with x and y'} …",
        )
    return normalised(names, places)
