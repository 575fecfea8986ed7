"""Several streams in one batch: the results of single sessions, and nobody notices the others.

Why it matters: one GPU may serve a whole room only if no listener can spoil another's decoding.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.bundle import Bundle
from rtdecode.engines import Setup, open_session, setup_of
from rtdecode.errors import BundleError, ConfigError

pytest.importorskip("torch", reason="a batch is run by torch")
from rtdecode.engines.batched import Batch, open_batched
from tests.decoders import CHANNELS, HOP, SIZE, decoder, decoder_bundle

STREAM, WINDOW = "stream", "window"
SEATS = 4


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    folder = tmp_path_factory.mktemp("batched")
    return {
        name: decoder_bundle(
            folder / name, decoder(causal=name == STREAM, taps=9, text=name == STREAM), graphs=False
        )
        for name in (STREAM, WINDOW)
    }.__getitem__


@pytest.fixture(scope="module")
def batch(bundles) -> Batch:
    return open_batched(bundles(STREAM), SEATS)


def pieces(name: str, seed: int, count: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if name == WINDOW:
        return [rng.normal(size=(SIZE, CHANNELS)).astype(np.float32) for _ in range(count)]
    return list(rng.normal(size=(count, HOP, CHANNELS)).astype(np.float32))


def near(found, expected) -> None:
    for head in ("estimate", "log_probs"):
        one, other = getattr(found, head), getattr(expected, head)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def same(found, expected) -> None:
    assert found.estimate.tobytes() == expected.estimate.tobytes()
    if found.log_probs is not None:
        assert found.log_probs.tobytes() == expected.log_probs.tobytes()


@pytest.mark.parametrize("name", [STREAM, WINDOW])
def test_a_batch_gives_what_single_sessions_give(bundles, name: str) -> None:
    batch = open_batched(bundles(name), SEATS)
    assert batch.parity is not None and batch.parity <= 1e-4
    seats = [batch.join() for _ in range(SEATS)]
    singles = [open_session(bundles(name), "numpy") for _ in range(SEATS)]
    played = [pieces(name, seed) for seed in range(SEATS)]
    for k in range(8):
        found = batch.run({seat.number: played[i][k] for i, seat in enumerate(seats)})
        for i, seat in enumerate(seats):
            near(found[seat.number], singles[i].run(played[i][k]))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_the_others_do_a_stream_gets_the_same_bits(batch: Batch, data: st.DataObject) -> None:
    seats = [batch.join() for _ in range(SEATS)]
    own, others = seats[0], seats[1:]
    try:
        played = pieces(STREAM, 0, 6)
        own.reset()
        alone = [own.run(x) for x in played]
        own.reset()
        for x, expected in zip(played, alone, strict=True):
            ready = {own.number: x}
            for seat in others:  # present, stalled, started anew, or sending what is no number
                does = data.draw(st.sampled_from(["sends", "stalls", "resets", "nan", "inf"]))
                if does == "resets":
                    seat.reset()
                elif does != "stalls":
                    value = {"nan": np.nan, "inf": np.inf}.get(does, 1.0)
                    ready[seat.number] = np.full((HOP, CHANNELS), value, np.float32)
            same(batch.run(ready)[own.number], expected)
    finally:
        for seat in seats:
            seat.leave()


def test_one_that_stalls_goes_on_where_it_was_and_one_of_nan_after_a_reset(batch: Batch) -> None:
    seat, other = batch.join(), batch.join()
    played = pieces(STREAM, 3)
    seat.reset()
    expected = [seat.run(x) for x in played]
    seat.reset()
    for k, x in enumerate(played):
        same(seat.run(x), expected[k])
        other.run(played[0])  # a run in which the first has nothing new
    other.run(np.full((HOP, CHANNELS), np.nan, np.float32))
    assert np.isnan(other.run(played[0]).estimate).any()  # its state is spoilt, and its alone
    other.reset()
    near(other.run(played[0]), expected[0])
    seat.leave()
    other.leave()


def test_streams_leave_and_join_and_a_state_is_carried(batch: Batch) -> None:
    played = pieces(STREAM, 4)
    first = batch.join()
    expected = [first.run(x) for x in played]
    first.leave()
    again = batch.join()
    for x in played[:3]:
        again.run(x)
    kept = again.state()
    again.rehearse(played[7])  # changes nothing
    others = [batch.join() for _ in range(SEATS - 1)]
    with pytest.raises(ConfigError, match=f"all {SEATS} seats of the batch are taken"):
        batch.join()
    again.leave()
    moved = others[0]
    moved.load_state(kept)
    for x, wanted in zip(played[3:], expected[3:], strict=True):
        near(moved.run(x), wanted)
    fresh = batch.join()  # sits where the one before left: nothing of it may be felt
    near(fresh.run(played[0]), expected[0])
    for seat in (*others, fresh):
        seat.leave()


def test_what_it_cannot_do_is_one_sentence(bundles, tmp_path) -> None:
    with pytest.raises(ConfigError, match="0 seats serves nobody"):
        open_batched(bundles(STREAM), 0)
    with pytest.raises(ConfigError, match="engine batched has no bf16"):
        open_batched(bundles(STREAM), 2, setup=Setup("stream", HOP, "bf16"))
    with pytest.raises(ConfigError, match="computes windows whole"):
        open_batched(bundles(WINDOW), 2, setup=setup_of(bundles(WINDOW), mode="incremental"))
    with pytest.raises(ValueError, match="seat 0 has"):
        open_batched(bundles(STREAM), 2).run({0: np.zeros((HOP + 1, CHANNELS), np.float32)})


def test_a_batch_that_differs_from_the_golden_output_is_refused(bundles, tmp_path) -> None:
    import shutil

    from rtdecode.bundle import load_bundle, seal

    shutil.copytree(bundles(STREAM).path, tmp_path / "wrong")
    golden = dict(bundles(STREAM).golden)
    golden["estimate"] = golden["estimate"] + 0.01
    np.savez(tmp_path / "wrong" / "golden.npz", allow_pickle=False, **golden)
    seal(tmp_path / "wrong", bundles(STREAM).spec)
    with pytest.raises(BundleError, match="engine batched differs from the golden output"):
        open_batched(load_bundle(tmp_path / "wrong"), 2)
