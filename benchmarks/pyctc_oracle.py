"""What pyctcdecode 0.5 says of given log-probabilities, as JSON.

It pins numpy < 2, so it runs where it is installed:

    python -m venv oracle && oracle/bin/pip install pyctcdecode kenlm 'numpy<2'
    oracle/bin/python benchmarks/pyctc_oracle.py libri_logits.json MODEL.arpa ... > pyctc_oracle.json

Every case has its parameters beside its answer; tests/rtdecode/text/data holds what it wrote.
Reads no code of the project.
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
from pyctcdecode import build_ctcdecoder  # type: ignore[import-not-found]

LETTERS = [" ", *"abcdefghijklmnopqrstuvwxyz", "'", ""]  # the utterance's columns; "" is the blank
BEAMS = (25, 100)


def answer(decoder, logits: np.ndarray, beam: int) -> dict:
    text, _, _, logit, total = decoder.decode_beams(logits, beam_width=beam)[0]
    return {"text": text, "logit": round(logit, 6), "total": round(total, 6)}


def main(libri: str, *models: str) -> None:
    logging.disable(logging.WARNING)
    logits = np.array(json.loads(Path(libri).read_text()), dtype=np.float32)
    cases = []
    for model in ("", *models):
        for alpha, beta in ((0.5, 1.5), (1.0, 0.0), (2.0, 0.5)) if model else ((0.0, 0.0),):
            decoder = build_ctcdecoder(LETTERS, model or None, alpha=alpha, beta=beta)
            for beam in BEAMS:
                cases.append({"model": Path(model).name, "alpha": alpha, "beta": beta, "beam": beam})
                cases[-1] |= answer(decoder, logits, beam)
    noisy = []
    for model in ("", *models):
        decoder = build_ctcdecoder(LETTERS, model or None, alpha=0.5, beta=1.5)
        for seed in range(6):  # the same utterance under noise: many more beams come near each other
            rng = np.random.RandomState(seed)
            noise = (2 * rng.standard_normal(logits.shape)).astype(np.float32)
            noisy.append(
                {"model": Path(model).name, "seed": seed, "beam": 100} | answer(decoder, logits + noise, 100)
            )
    json.dump({"pyctcdecode": "0.5.0", "cases": cases, "noisy": noisy}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
