"""Run by another Python: pyctcdecode over whole utterances. Stands alone; imports nothing of this package.

pyctcdecode 0.5 wants numpy < 2, so it lives in an environment of its own. In on standard input: the length of
a JSON header (4 bytes, little end first), the header, then float32 log-probabilities, one utterance after the
other. Out on standard output: one JSON object, {"utterances": [[hypothesis, ...], ...]} or {"error": "..."}.
Runs nothing it is told and unpickles nothing.

Header: labels (the blank is ""), frames (of each utterance), beam, prune, floor, n; with a language model
also model (path), unigrams or null, alpha, beta, unknown, boundaries.
"""

import importlib
import json
import os
import struct
import sys

HEADER_BYTES = 64 << 20  # a list of 1e6 words is 10 MB
VALUES = 64 << 20  # float32 of all utterances: 256 MB


def read(stream):
    """(header, bytes of the values); ValueError for what is too long or cut off."""
    (length,) = struct.unpack("<I", exactly(stream, 4))
    if length > HEADER_BYTES:
        raise ValueError(f"the header has {length} bytes, {HEADER_BYTES} at most")
    header = json.loads(exactly(stream, length))
    values = sum(header["frames"]) * len(header["labels"])
    if min(header["frames"], default=0) < 0 or values > VALUES:
        raise ValueError(f"there are {values} log-probabilities, {VALUES} at most")
    data = exactly(stream, 4 * values)
    if stream.read(1):
        raise ValueError(f"more than the {len(data)} bytes that were announced")
    return header, data


def exactly(stream, n):
    data = stream.read(n)
    if len(data) != n:
        raise ValueError(f"the input ends after {len(data)} of {n} bytes")
    return data


def decoder(header):
    """The library's decoder, its parts made one by one: its own builder renames symbols and loses words."""
    pyctcdecode = importlib.import_module("pyctcdecode.decoder")
    alphabet = importlib.import_module("pyctcdecode.alphabet").Alphabet(header["labels"], False)
    model = None
    if header.get("model") is not None:
        kenlm = importlib.import_module("kenlm")
        model = importlib.import_module("pyctcdecode.language_model").LanguageModel(
            kenlm.Model(header["model"]),
            header["unigrams"],
            alpha=header["alpha"],
            beta=header["beta"],
            unk_score_offset=header["unknown"],
            score_boundary=header["boundaries"],
        )
    return pyctcdecode.BeamSearchDecoderCTC(alphabet, model)


def decoded(header, data):
    """A list of hypotheses for each utterance, best first."""
    numpy = importlib.import_module("numpy")
    search, width = decoder(header), len(header["labels"])
    rows = numpy.frombuffer(data, "<f4").reshape(-1, width)
    found, start = [], 0
    for frames in header["frames"]:
        beams = []
        if frames:  # the library cannot take none
            beams = search.decode_beams(
                rows[start : start + frames],
                beam_width=header["beam"],
                beam_prune_logp=header["prune"],
                token_min_logp=header["floor"],
                prune_history=header["n"] == 1,
            )
        start += frames
        found.append(
            [
                {
                    "text": text,
                    "words": [[word, int(first), int(stop)] for word, (first, stop) in times],
                    "acoustic": float(acoustic),
                    "score": float(score),
                }
                for text, _, times, acoustic, score in beams[: header["n"]]
            ]
        )
    return found


def main():
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        answer = {"utterances": decoded(*read(sys.stdin.buffer))}
    except ImportError as missing:
        answer = {"error": f"{missing.name or missing} is not installed there"}
    except Exception as problem:  # whatever happened is said to the one who asked
        answer = {"error": f"{type(problem).__name__}: {problem}"}
    with os.fdopen(out, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
