"""The candidate bank of held-out speech: what a listener may have heard, as features on one timeline.

The timeline is that of the held-out recordings themselves, silences included, one after another, as a known
programme would run; candidates are phrases of it, cut at word onsets. Knows nothing of brain signals or
models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from offline.config import Config
from offline.data import Source, Stimuli, place
from offline.study import Event, Study, StudyRecording
from rtdecode.errors import StudyError
from rtdecode.retrieve import Bank, Candidate
from rtdecode.types import to_samples

PHRASE_S = 1.3  # about three words: long enough to read, short enough for a hundred in a few minutes


@dataclass(frozen=True)
class Placed:
    """A recording on the bank's timeline: its time 0 is frame `first`."""

    recording: StudyRecording
    first: int


def layout(recordings: Sequence[StudyRecording], config: Config) -> tuple[tuple[Placed, ...], int]:
    """Where each recording lies on the timeline, and the timeline's length in frames.

    Each is preceded by a window of silence, so that even the first phrase ends a full window.
    """
    placed, now = [], 0
    for recording in recordings:
        now += config.window_frames
        placed.append(Placed(recording, now))
        end = max(event.start + event.duration for event in recording.of_kind("sentence"))
        now += to_samples(end, config.frame_rate) + 1
    return tuple(placed), now


def make_bank(study: Study, recordings: Sequence[StudyRecording], source: Source, config: Config) -> Bank:
    """Bank of everything heard in `recordings`.

    StudyError when a stimulus occurs twice: its phrases would be ambiguous.
    """
    placed, total = layout(recordings, config)
    stimuli = Stimuli(study, config)
    features = source.speech.silence(total)
    candidates: list[Candidate] = []
    seen: set[str] = set()
    for item, after in zip(placed, [*(p.first for p in placed[1:]), total], strict=True):
        raw, _ = place(item.recording, after - item.first, stimuli, config.frame_rate)
        features[item.first : after] = source.speech.apply(raw)
        words = list(item.recording.of_kind("word"))
        for sentence in item.recording.of_kind("sentence"):
            if sentence.stimulus in seen:
                raise StudyError(
                    f"stimulus {sentence.stimulus} is heard twice in the recordings of the bank",
                    hint="make the bank of one subject's recordings",
                )
            seen.add(sentence.stimulus)
            own = [w for w in words if sentence.start <= w.start < sentence.start + sentence.duration]
            candidates += _phrases(sentence, own, item.first, config.frame_rate)
    return Bank(features, tuple(candidates))


def _phrases(sentence: Event, words: Sequence[Event], origin: int, frame_rate: float) -> list[Candidate]:
    """The sentence cut, at word onsets, into about equal phrases."""
    count = min(max(1, round(sentence.duration / PHRASE_S)), max(1, len(words)))
    end = sentence.start + sentence.duration
    cuts = [sentence.start]
    for k in range(1, count):
        ideal = sentence.start + k * sentence.duration / count
        later = [w.start for w in words if w.start > cuts[-1]]
        if later:
            cuts.append(min(later, key=lambda start: abs(start - ideal)))
    out = []
    for number, (start, stop) in enumerate(zip(cuts, [*cuts[1:], end], strict=True), start=1):
        # words starting within a rounding error of the cut belong after it
        text = " ".join(w.text for w in words if start - 1e-6 <= w.start < stop - 1e-6) or sentence.text
        first = origin + to_samples(start, frame_rate)
        frames = max(1, origin + to_samples(stop, frame_rate) - first)
        out.append(
            Candidate(
                f"{sentence.stimulus}-{number:02d}",
                text,
                sentence.stimulus,
                first,
                frames,
                round(start - sentence.start + sentence.offset, 6),
                round(stop - start, 6),
            )
        )
    return out
