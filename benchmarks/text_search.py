"""What the beam search costs beside flashlight-text (C++) and pyctcdecode (Python): ratios of one run.

    python benchmarks/text_search.py [--data FOLDER] [--pyctcdecode PYTHON] [--memory-frames 100000]

Lexicon: 100 000 words of CMUdict, a 3-gram model of cue sentences, and made-up CTC log-probabilities of
sentences that were not in it, 12.5 frames and about 6 phonemes a second, one greedy phoneme in six wrong.
Characters: random and peaky log-probabilities without a model; pyctcdecode pins numpy < 2, so it runs under
its own interpreter. Times are processor time, the best of several rounds that take turns. Exit code 1: more
than twice flashlight at beam 25, slower than pyctcdecode, or memory that grows.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.text.arpa import write_arpa
from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.commit import CommitSpec, Committer
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import LN10, NGram
from rtdecode.text.symbols import CHARACTERS, PHONEMES

WORDS, TESTED, ROUNDS, ALPHA = 100_000, 60, 5, 2.0
FRAME_S = 0.08
MOST_FLASHLIGHT, MOST_PYCTC, MOST_GROWTH_MB = 2.0, 1.0, 2.0
Sentence = tuple[list[str], tuple[int, ...], np.ndarray]

OTHER = """
import json, logging, sys, time
import numpy as np
logging.disable(logging.WARNING)
from pyctcdecode import build_ctcdecoder
path, beam, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
decoder, lp = build_ctcdecoder(["", " ", "'", *"abcdefghijklmnopqrstuvwxyz"]), np.load(path)
best = 1e9
for _ in range(rounds):
    start = time.process_time()
    found = [decoder.decode_beams(x, beam_width=beam)[0] for x in lp]
    best = min(best, time.process_time() - start)
print(json.dumps([best / lp[..., 0].size, [[beam[0], beam[-1]] for beam in found]]))
"""


def posterior(
    labels: list[int], width: int, rng: np.random.Generator, gain: float, sharp: float
) -> np.ndarray:
    """(T, V) float32: each label one frame, then a geometric number of blanks; noise on the logits."""
    said = [0, 0]
    for label in labels:
        said += [0] * (label == said[-1]) + [label] + [0] * int(rng.poisson(1.0))
    logits = rng.standard_normal((len(said) + 2, width))
    logits[:, 0] += 1.0
    logits[range(len(said)), said] += gain
    logits[len(said) :, 0] += gain
    logits *= sharp
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def cmudict(path: Path) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for line in path.read_text().splitlines():
        word, *phones = line.split(" #")[0].split()
        ids = PHONEMES.encode([phone.rstrip("012") for phone in phones])
        found.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(ids)
    return found


def task(data: Path) -> tuple[dict[str, list[tuple[int, ...]]], NGram, list[Sentence]]:
    said = cmudict(data / "text-and-lm" / "cmudict.dict")
    lines = (data / "t12-sentences" / "sentences.txt").read_text().lower().replace("-", " ").splitlines()
    texts = [re.sub(r"[^a-z' ]", "", line).split() for line in lines]
    known = [text for text in texts if text and all(word in said for word in text)]
    needed = {word for text in known for word in text}
    rng = np.random.default_rng(0)
    rest = sorted(set(said) - needed)
    chosen = needed | {rest[i] for i in rng.permutation(len(rest))[: WORDS - len(needed)]}
    tested, trained = known[-TESTED:], known[:-TESTED]
    sentences = []
    for text in tested:
        ids: list[int] = []
        for word in text:
            ids += [*said[word][rng.integers(len(said[word]))], PHONEMES.separator]
        sentences.append((text, tuple(ids), posterior(ids, len(PHONEMES), rng, 3.35, 2.5)))
    return {word: said[word] for word in sorted(chosen)}, estimate(trained, 3), sentences


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing of a C++ library on the screen."""
    with open(os.devnull, "w") as null:
        kept = [os.dup(1), os.dup(2)]
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            for target, old in enumerate(kept, 1):
                os.dup2(old, target)
                os.close(old)


def flashlight(
    said: dict, lm: NGram, beam: int, tokens: int, folder: Path
) -> Callable[[np.ndarray], list[str]]:
    from flashlight.lib.text.decoder import (
        CriterionType,
        LexiconDecoder,
        LexiconDecoderOptions,
        SmearingMode,
        Trie,
    )
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    write_arpa(lm, folder / "lm.arpa")
    words, separator = list(said), PHONEMES.separator
    with quiet():
        names = Dictionary()
        for word in [*words, "<unk>"]:
            names.add_entry(word)
        model, trie = KenLM(str(folder / "lm.arpa"), names), Trie(len(PHONEMES), separator)
        start = model.start(False)
        for i, word in enumerate(words):
            score = model.score(start, i)[1]
            for ids in said[word]:
                trie.insert([*ids, separator], i, score)
        trie.smear(SmearingMode.MAX)
        options = LexiconDecoderOptions(
            beam, tokens, 25.0, ALPHA * LN10, 0.0, -1e9, 0.0, True, CriterionType.CTC
        )
        decoder = LexiconDecoder(options, trie, model, separator, 0, len(words), [], False)

    def decode(lp: np.ndarray) -> list[str]:
        decoder.decode_begin()
        decoder.decode_step(lp.ctypes.data, *lp.shape)
        decoder.decode_end()
        return [words[i] for i in decoder.get_best_hypothesis(0).words if 0 <= i < len(words)]

    return decode


def ours(search: BeamSearch) -> Callable[[np.ndarray], list[str]]:
    def decode(lp: np.ndarray) -> list[str]:
        search.reset()
        search.push(lp)
        return [word.text for word in search.finish(1)[0].words]

    return decode


def hops(search: BeamSearch) -> Callable[[np.ndarray], list[str]]:
    committer = Committer(search, CommitSpec(), FRAME_S)

    def decode(lp: np.ndarray) -> list[str]:
        committer.reset()
        for i in range(len(lp)):
            committer.push(lp[i : i + 1])
        return committer.finish().text.split()

    return decode


def measure(
    decoders: dict[str, Callable[[np.ndarray], list[str]]], sentences: list[Sentence]
) -> dict[str, float]:
    """µs per frame of each, best of ROUNDS that take turns; prints them with their word errors."""
    frames, words = sum(len(lp) for *_, lp in sentences), sum(len(text) for text, *_ in sentences)
    best, errors = dict.fromkeys(decoders, 1e9), {}
    for _ in range(ROUNDS):
        for name, decode in decoders.items():
            start = time.process_time()
            found = [decode(lp) for *_, lp in sentences]
            best[name] = min(best[name], (time.process_time() - start) / frames * 1e6)
            pairs = zip(found, sentences, strict=True)
            errors[name] = sum(Levenshtein.distance(hyp, text) for hyp, (text, *_) in pairs)
    for name, time_us in best.items():
        print(f"  {name:34} {time_us:7.1f} us/frame   WER {errors[name] / words:.3f}")
    return best


def greedy_errors(sentences: list[Sentence]) -> float:
    wrong = 0
    for _, ids, lp in sentences:
        path = lp.argmax(axis=1)
        wrong += Levenshtein.distance(
            [s for s, b in zip(path, [0, *path], strict=False) if s not in (0, b)], ids
        )
    return wrong / sum(len(ids) for _, ids, _ in sentences)


def lexicon_part(data: Path, memory_frames: int) -> bool:
    said, lm, sentences = task(data)
    lexicon = Lexicon(PHONEMES, ((word, ids) for word, all_ids in said.items() for ids in all_ids))
    frames = sum(len(lp) for *_, lp in sentences)
    errors = greedy_errors(sentences)
    print(f"lexicon: {len(lexicon)} words, {lm.counts()} n-grams, {frames} frames, greedy PER {errors:.3f}")
    decoders, good = {}, True
    spec = SearchSpec(beam=25, alpha=ALPHA)
    decoders["ours, beam 25"] = ours(BeamSearch(PHONEMES, spec, lm, lexicon))
    narrow = SearchSpec(beam=25, alpha=ALPHA, token_nats=8, prune_nats=12)
    decoders["ours, beam 25, 8 and 12 nats"] = ours(BeamSearch(PHONEMES, narrow, lm, lexicon))
    decoders["ours, beam 25, commits, 1-frame hops"] = hops(BeamSearch(PHONEMES, spec, lm, lexicon))
    decoders["ours, beam 100"] = ours(BeamSearch(PHONEMES, SearchSpec(beam=100, alpha=ALPHA), lm, lexicon))
    with tempfile.TemporaryDirectory() as folder:
        try:
            for beam, tokens in ((25, len(PHONEMES)), (25, 10), (100, len(PHONEMES))):
                name = f"flashlight, beam {beam}, {tokens} symbols"
                decoders[name] = flashlight(said, lm, beam, tokens, Path(folder))
        except ImportError:
            print("  flashlight-text is not installed: no comparison")
        best = measure(decoders, sentences)
    if (full := f"flashlight, beam 25, {len(PHONEMES)} symbols") in best:
        ratio = best["ours, beam 25"] / best[full]
        print(f"  ours / flashlight, beam 25: {ratio:.2f} (at most {MOST_FLASHLIGHT})")
        narrow_ratio = best["ours, beam 25, 8 and 12 nats"] / best["flashlight, beam 25, 10 symbols"]
        print(f"  the narrow ones: {narrow_ratio:.2f}")
        good = ratio <= MOST_FLASHLIGHT
    return memory_part(BeamSearch(PHONEMES, spec, lm, lexicon), sentences, memory_frames) and good


def memory_part(search: BeamSearch, sentences: list[Sentence], frames: int) -> bool:
    """One endless utterance: resident memory and time per frame must not grow."""
    committer, lp = Committer(search, CommitSpec(), FRAME_S), np.concatenate([lp for *_, lp in sentences])
    marks, start = [], time.process_time()
    while committer.search.frame < frames:
        committer.push(lp)
        now = time.process_time()
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        marks.append((rss, (now - start) / len(lp) * 1e6))
        start = now
    first, last = marks[len(marks) // 5], marks[-1]
    grown = last[0] - first[0]
    print(
        f"memory over {committer.search.frame} frames: {first[0]:.1f} -> {last[0]:.1f} MB, "
        f"{first[1]:.0f} -> {last[1]:.0f} us/frame; {committer.stats.committed} words said"
    )
    return grown <= MOST_GROWTH_MB


def characters_part(python: str) -> bool:
    good, rng = True, np.random.default_rng(1)
    text = "the quick brown fox jumps over a lazy dog while nobody looks "
    flat = rng.standard_normal((8, 100, 29))
    flat -= np.log(np.exp(flat).sum(axis=2, keepdims=True))
    peaky = [posterior(list(CHARACTERS.encode(text)), 29, rng, 3.5, 2.5)[:100] for _ in range(8)]
    for name, lp in (("flat", flat.astype(np.float32)), ("peaky", np.stack(peaky))):
        for beam in (25, 100):
            spec = SearchSpec(beam=beam, alpha=0, prune_nats=10, token_nats=1e9, token_floor=-5)
            search, best = BeamSearch(CHARACTERS, spec), 1e9
            with tempfile.TemporaryDirectory() as folder:
                np.save(Path(folder) / "lp.npy", lp)
                command = [python, "-c", OTHER, str(Path(folder) / "lp.npy"), str(beam), "2"]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs, answers = json.loads(said)
            for _ in range(2):
                start = time.process_time()
                found = []
                for x in lp:
                    search.reset()
                    search.push(x)
                    found.append(search.finish(1)[0])
                best = min(best, (time.process_time() - start) / lp[..., 0].size)
            same = sum(path.text == text for path, (text, _) in zip(found, answers, strict=True))
            likelier = sum(path.score > score - 1e-4 for path, (_, score) in zip(found, answers, strict=True))
            print(
                f"  {name:5} beam {beam:3}: ours {best * 1e6:6.1f}, pyctcdecode {theirs * 1e6:6.1f} us, "
                f"ratio {best / theirs:.2f} (at most {MOST_PYCTC}); of {len(answers)} texts {same} equal, "
                f"{likelier} at least as likely"
            )
            good &= best <= theirs * MOST_PYCTC
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    default = os.environ.get("RTDECODE_TEST_DATA", beside)
    parser.add_argument("--data", type=Path, default=Path(default), help="with text-and-lm and t12-sentences")
    parser.add_argument("--pyctcdecode", metavar="PYTHON", help="an interpreter that has pyctcdecode 0.5")
    parser.add_argument("--memory-frames", type=int, default=100_000)
    arguments = parser.parse_args()
    good = lexicon_part(arguments.data, arguments.memory_frames)
    if arguments.pyctcdecode:
        print("characters, no model, the other's pruning:")
        good &= characters_part(arguments.pyctcdecode)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
