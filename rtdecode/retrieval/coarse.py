"""A first choice in 8 bits, the last word in float32.

Bank and query are rounded to whole numbers, their products summed exactly in int32 by ONNX Runtime, and the
best `rerank` candidates of that are scored again from the features themselves. The scores given out are
exact; whether the ten best are the ten best depends on how close candidates lie: `agreement` counts it, on
held-out queries, and whoever switches this on should keep its answer.

The bank has 7 bits, so that no processor's 16-bit intermediate sums overflow. It is a second copy, of
K x native x F bytes: a quarter of K segments in float32, but more than one stream that they share.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from rtdecode.retrieval.graph import integer_product
from rtdecode.retrieval.ranking import top_order
from rtdecode.retrieval.segments import Segments

RERANK = 50
_BANK, _QUERY, _ZERO = 63, 127, 128  # largest values; what stands for 0 in the query's bytes
_CLIP = 6.0  # rms: a few outliers shall not cost all other values their precision
_TILE = 128 << 20  # bytes of bank in one graph
_INT32 = 2**31 - 1


@dataclass(frozen=True)
class Agreement:
    """How often 8 bits and float32 named the same `top` in the same order.

    worst  the deepest place in the coarse order that an exact one of the `top` had; -1 without queries
    """

    queries: int
    identical: int
    top: int
    rerank: int
    worst: int

    @property
    def share(self) -> float:
        return self.identical / max(1, self.queries)

    def __str__(self) -> str:
        return (
            f"top-{self.top} identical for {self.identical} of {self.queries} held-out queries "
            f"({self.share:.1%}); {self.rerank} scored again, the deepest needed was number {self.worst + 1}"
        )


class Coarse:
    """Top candidates of `segments`. threads: of ONNX Runtime."""

    def __init__(self, segments: Segments, rerank: int = RERANK, threads: int = 1):
        self.segments, self.rerank = segments, min(rerank, len(segments))
        native = segments.interpolation.native
        self._depth = native * segments.width
        if self._depth * _BANK * _QUERY > _INT32:
            raise ValueError(f"{self._depth} values a candidate: their 8-bit products do not fit 32 bits")
        stream = segments.slices.features
        self._scale = _scales(stream)
        small = np.empty(stream.shape, np.int8)
        step = max(1, _TILE // (4 * segments.width))
        for at in range(0, len(stream), step):
            small[at : at + step] = np.clip(np.rint(stream[at : at + step] / self._scale), -_BANK, _BANK)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        windows = np.lib.stride_tricks.sliding_window_view(small.reshape(-1), self._depth)
        self._sessions = []
        tile = max(1, _TILE // self._depth)
        for at in range(0, len(segments), tile):
            rows = windows[segments.firsts[at : at + tile] * segments.width]
            graph = integer_product(np.ascontiguousarray(rows.T), _ZERO)
            session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            session._model_bytes = None  # else it keeps the bank a second time, in case of a restart
            self._sessions.append(session)

    @property
    def nbytes(self) -> int:
        """Memory of the 8-bit bank."""
        return len(self.segments) * self._depth

    def coarse(self, query: np.ndarray) -> np.ndarray:
        """(K,) float32 scores from 8 bits of `Segments.query`."""
        scaled = (query * self._scale).ravel()
        unit = max(float(np.abs(scaled).max()), 1e-30) / _QUERY
        whole = (np.rint(scaled / unit) + _ZERO).astype(np.uint8)[None]
        sums = [session.run(None, {"query": whole})[0][0] for session in self._sessions]
        return self.segments.finished(np.concatenate(sums) * np.float32(unit))

    def top(self, estimate: np.ndarray, top: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """(N, F) -> the `top` best candidates of those scored again, best first, and their exact scores."""
        query = self.segments.query(estimate)
        among = np.sort(top_order(self.coarse(query), self.rerank))
        scores = self.segments.some(query, among)
        order = top_order(scores, top)
        return among[order], scores[order]


def agreement(coarse: Coarse, estimates: Iterable[np.ndarray], top: int = 10) -> Agreement:
    """Compare with exact scores on (N, F) estimates, which should be held out."""
    queries = identical = 0
    worst = -1
    for estimate in estimates:
        exact = top_order(coarse.segments.scores(estimate), top)
        found, _ = coarse.top(estimate, top)
        rough = coarse.coarse(coarse.segments.query(estimate))
        places = np.empty(len(rough), np.int64)
        places[np.argsort(-rough, kind="stable")] = np.arange(len(rough))
        worst = max(worst, int(places[exact].max()))
        identical += bool(np.array_equal(exact, found))
        queries += 1
    return Agreement(queries, identical, top, coarse.rerank, worst)


def _scales(stream: np.ndarray) -> np.ndarray:
    """(F,) float32: one step of the 8-bit bank, feature by feature."""
    most, squares = np.zeros(stream.shape[1]), np.zeros(stream.shape[1])
    step = max(1, _TILE // (8 * stream.shape[1]))
    for at in range(0, len(stream), step):
        x = stream[at : at + step].astype(np.float64)
        most = np.maximum(most, np.abs(x).max(axis=0))
        squares += (x * x).sum(axis=0)
    largest = np.minimum(most, _CLIP * np.sqrt(squares / len(stream)))
    return (np.maximum(largest, 1e-30) / _BANK).astype(np.float32)
