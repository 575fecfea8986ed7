"""What compiled kernels cannot use they refuse, and keep nothing of what they are handed.

Why it matters: C that reads beyond an array does not raise: it ends a session, or decides nonsense.
"""

import array
import copy
import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rtdecode import kernels
from tests.kernels_here import (
    NO_SUCH_ARGUMENT,
    chain_of,
    compiled,
    compiled_only,
    float32,
    kernels_used,
    read_only,
    search_of,
)

__all__ = ["kernels_used"]

HUGE = 2**63 - 1
BAD_CHAINS: dict[str, dict[str, Any]] = {
    "sos of another size": {"sos": np.ones((3, 6))},
    "sos that are no rows": {"sos": np.ones(13)},
    "sos of float32": {"sos": np.ones((2, 6), np.float32)},
    "sos of whole numbers": {"sos": np.ones((2, 6), np.int64)},
    "sos with gaps": {"sos": np.ones((2, 12))[:, ::2]},
    "settled of another size": {"settled": np.zeros((3, 2))},
    "settled with gaps": {"settled": np.zeros((2, 4))[:, ::2]},
    "no taps": {"phases": np.ones((2, 0))},
    "taps that up does not divide": {"phases": np.ones(7)},
    "fewer taps than phases": {"phases": np.ones(1)},
    "phases of float32": {"phases": np.ones((2, 4), np.float32)},
    "up 0": {"up": 0},
    "up below 0": {"up": -2},
    "more up than down": {"up": 4},
    "down 0": {"down": 0},
    "down below 0": {"down": -HUGE - 1},
    "down without end": {"down": HUGE},
    "down beyond C": {"down": 2**64},
    "no channels": {"centre": np.zeros(0), "scale": np.zeros(0)},
    "other scales": {"scale": np.ones(4)},
    "scales of float32": {"scale": np.ones(3, np.float32)},
    "a number for an array": {"centre": 3.0},
    "None for an array": {"scale": None},
    "text for an array": {"scale": "abc"},
    "a list for an array": {"scale": [1.0, 1.0, 1.0]},
    "a clamp that is none": {"clamp": "20"},
    "half a sample": {"down": 3.5},
}
BAD_SEARCHES: dict[str, dict[str, Any]] = {
    "features of another length": {"features": np.ones((11, 2), np.float32)},
    "features of another width": {"features": np.ones((10, 3), np.float32)},
    "features of float64": {"features": np.ones((10, 2))},
    "features of int32": {"features": np.ones((10, 2), np.int32)},
    "features with gaps": {"features": np.ones((20, 2), np.float32)[::2]},
    "features by column": {"features": np.ones((2, 10), np.float32).T},
    "inverse of float64": {"inverse": np.ones(7)},
    "inverse of another size": {"inverse": np.ones(8, np.float32)},
    "inverse with gaps": {"inverse": np.ones(14, np.float32)[::2]},
    "no inverse": {"inverse": np.ones(0, np.float32)},
    "cuts of int32": {"cuts": np.array([0, 3, 2, 7], np.int32)},
    "cuts of float64": {"cuts": np.array([0.0, 5e-324])},
    "half a cut": {"cuts": np.array([0, 3, 2])},
    "a cut beyond the bank": {"cuts": np.array([0, 3, 2, 8])},
    "a cut far beyond": {"cuts": np.array([0, HUGE])},
    "a cut before the bank": {"cuts": np.array([-1, 3])},
    "an empty cut": {"cuts": np.array([3, 3])},
    "a cut reversed": {"cuts": np.array([5, 2])},
    "cuts with gaps": {"cuts": np.array([0, 0, 3, 3])[::2]},
    "no frames": {"frames": 0},
    "frames below 0": {"frames": -4},
    "frames without end": {"frames": HUGE},
    "frames nearly without end": {"frames": 2**58},
    "frames beyond C": {"frames": 2**64},
    "no width": {"width": 0},
    "width without end": {"width": HUGE},
    "width nearly without end": {"width": 2**58},
    "width and frames, together too many": {"width": 2**31, "frames": 2**31},
    "None for an array": {"inverse": None},
}


@compiled_only
@pytest.mark.parametrize("name", BAD_CHAINS)
def test_a_chain_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises((*NO_SUCH_ARGUMENT, OverflowError)):
        chain_of(**BAD_CHAINS[name])


@compiled_only
@pytest.mark.parametrize("name", BAD_SEARCHES)
def test_a_search_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises((*NO_SUCH_ARGUMENT, OverflowError)):
        search_of(**BAD_SEARCHES[name])


BAD_SAMPLES: dict[str, tuple[Any, ...]] = {  # 6 samples become 4
    "too little room": (float32(6, 3), float32(3, 3)),
    "too much room": (float32(6, 3), float32(5, 3)),
    "room for float64": (float32(6, 3), np.zeros((4, 3))),
    "room for whole numbers": (float32(6, 3), np.zeros((4, 3), np.int32)),
    "room that is read-only": (float32(6, 3), read_only(float32(4, 3))),
    "room with gaps": (float32(6, 3), float32(8, 3)[::2]),
    "bytes for room": (float32(6, 3), bytes(48)),
    "other channels": (float32(6, 4), float32(4, 3)),
    "whole numbers": (np.zeros((6, 3), np.int32), float32(4, 3)),
    "long whole numbers": (np.zeros((6, 3), np.int64), float32(4, 3)),
    "half floats": (np.zeros((6, 3), np.float16), float32(4, 3)),
    "complex": (np.zeros((6, 3), np.complex64), float32(4, 3)),
    "samples with gaps": (float32(12, 3)[::2], float32(4, 3)),
    "samples by column": (float32(3, 6).T, float32(4, 3)),
    "bytes": (bytes(72), float32(4, 3)),
    "nothing": (),
    "None": (None, None),
    "one": (float32(6, 3),),
    "three": (float32(6, 3), float32(4, 3), 1),
}
BAD_WINDOWS: dict[str, tuple[Any, ...]] = {
    "another length": (float32(5, 2), np.zeros(2)),
    "another width": (float32(4, 3), np.zeros(2)),
    "float64": (np.zeros((4, 2)), np.zeros(2)),
    "float64, half as many": (np.zeros((2, 2)), np.zeros(2)),
    "whole numbers": (np.zeros((4, 2), np.int32), np.zeros(2)),
    "gaps": (float32(8, 2)[::2], np.zeros(2)),
    "too little room": (float32(4, 2), np.zeros(1)),
    "too much room": (float32(4, 2), np.zeros(3)),
    "room for float32": (float32(4, 2), float32(2)),
    "room for whole numbers": (float32(4, 2), np.zeros(2, np.int64)),
    "room that is read-only": (float32(4, 2), read_only(np.zeros(2))),
    "room with gaps": (float32(4, 2), np.zeros(4)[::2]),
    "nothing": (),
    "None": (None, None),
}
BAD_TOPS: dict[str, tuple[Any, ...]] = {
    "none wanted": (np.zeros(5), 1.0, 0),
    "fewer than none": (np.zeros(5), 1.0, -1),
    "more than there are": (np.zeros(5), 1.0, 6),
    "more than can be had": (np.zeros(100), 1.0, kernels.MOST + 1),
    "without end": (np.zeros(5), 1.0, HUGE),
    "of nothing": (np.zeros(0), 1.0, 1),
    "no number": (np.array([0.0, np.nan, 1.0]), 1.0, 2),
    "no number at the end": (np.array([2.0, 1.0, np.nan]), 1.0, 1),
    "float32": (np.zeros(6, np.float32), 1.0, 2),
    "whole numbers": (np.zeros(6, np.int64), 1.0, 2),
    "gaps": (np.zeros(6)[::2], 1.0, 2),
    "a list": ([0.0, 1.0], 1.0, 1),
    "text": (np.zeros(5), "sharp", 1),
    "two": (np.zeros(5), 1.0),
}
BAD_FIRSTS: dict[str, tuple[Any, ...]] = {  # of two candidates, for a window (4, 2)
    "another length": (float32(5, 2), 1.0, 1),
    "another width": (float32(4, 3), 1.0, 1),
    "float64": (np.zeros((4, 2)), 1.0, 1),
    "gaps": (float32(8, 2)[::2], 1.0, 1),
    "none wanted": (float32(4, 2), 1.0, 0),
    "fewer than none": (float32(4, 2), 1.0, -1),
    "more than there are": (float32(4, 2), 1.0, 3),
    "text": (float32(4, 2), "sharp", 1),
    "nothing": (),
}
NOT_NUMBERS: dict[str, Any] = {
    "whole numbers": np.zeros(3, np.int32),
    "long whole numbers": np.zeros(3, np.int64),
    "half floats": np.zeros(3, np.float16),
    "complex": np.zeros(3, np.complex64),
    "swapped bytes": np.zeros(3, ">f4"),
    "bytes": bytes(12),
    "a list": [0.0],
    "None": None,
}


BAD_LINES: dict[str, tuple[Any, ...]] = {
    "a number that is not there": (b"a \1\3 b", b"[1,2,3]", [b"x"]),
    "a piece that is not there": (b"a \2\1 b", b"[1,2,3]", [b"x"]),
    "no pieces": (b"a \2\0 b", b"[1]", []),
    "half a place": (b"a \1", b"[1]", [b"x"]),
    "numbers without brackets": (b"a", b"", []),
    "half a bracket": (b"a", b"[", []),
    "more pieces than a byte can number": (b"a", b"[]", [b"x"] * 257),
    "text for a piece": (b"a \2\0", b"[1]", ["x"]),
    "text for a form": ("a", b"[1]", []),
    "text for numbers": (b"a", "[1]", []),
    "a tuple of pieces": (b"a", b"[1]", (b"x",)),
    "an array for a form": (np.zeros(3), b"[1]", []),
    "two": (b"a", b"[1]"),
}


@compiled_only
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_line_whose_places_nothing_fills_is_refused(name: str) -> None:
    with pytest.raises(NO_SUCH_ARGUMENT):
        compiled().splice(*BAD_LINES[name])


@compiled_only
def test_numbers_beyond_what_a_byte_can_number_are_left() -> None:
    numbers = ("[" + ",".join(map(str, range(5000))) + "]").encode()
    assert compiled().splice(b"\1\xff of \1\0", numbers, []) == b"255 of 0"


@compiled_only
@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_samples_that_do_not_fit_are_refused_and_change_nothing(name: str) -> None:
    chain, twin, x, y, expected = chain_of(), chain_of(), float32(6, 3) + 1, float32(4, 3), float32(4, 3)
    with pytest.raises(NO_SUCH_ARGUMENT):
        chain.push(*BAD_SAMPLES[name])
    chain.push(x, y)
    twin.push(x, expected)
    assert np.array_equal(y, expected)


@compiled_only
@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        *(pytest.param("scores", bad, id=f"scores: {name}") for name, bad in BAD_WINDOWS.items()),
        *(pytest.param("first", bad, id=f"first: {name}") for name, bad in BAD_FIRSTS.items()),
        *(pytest.param("top", bad, id=f"top: {name}") for name, bad in BAD_TOPS.items()),
        *(pytest.param("finite", (bad,), id=f"finite: {name}") for name, bad in NOT_NUMBERS.items()),
    ],
)
def test_what_does_not_fit_is_refused(call: str, arguments: tuple[Any, ...]) -> None:
    owner = search_of() if call in ("scores", "first") else compiled()
    with pytest.raises(NO_SUCH_ARGUMENT):
        getattr(owner, call)(*arguments)


@compiled_only
@pytest.mark.parametrize("name", ["Chain", "Search"])
def test_nobody_gets_one_that_was_never_filled(name: str) -> None:
    kind = getattr(compiled(), name)
    made = chain_of() if name == "Chain" else search_of()
    for make in (kind, lambda: kind.__new__(kind), lambda: object.__new__(kind), lambda: copy.copy(made)):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(TypeError):
        type("Mine", (kind,), {})


# --- nothing is kept


def tried(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Made and forgotten, or refused."""
    try:
        call(*args, **kwargs)
    except (*NO_SUCH_ARGUMENT, OverflowError):
        pass


@compiled_only
def test_no_array_is_held_longer_than_what_was_made_of_it() -> None:
    chain, search = chain_of(), search_of()
    bads: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        *((chain_of, bad) for bad in BAD_CHAINS.values()),
        *((search_of, bad) for bad in BAD_SEARCHES.values()),
    ]
    fits = [
        ("sos", np.tile([1.0, 0, 0, 1, 0, 0], (2, 1)), chain_of),
        ("settled", np.zeros((2, 2)), chain_of),
        ("phases", np.ones((2, 4)), chain_of),
        ("centre", np.zeros(3), chain_of),
        ("scale", np.ones(3), chain_of),
        ("features", np.ones((10, 2), np.float32), search_of),
        ("inverse", np.ones(7, np.float32), search_of),
        ("cuts", np.array([0, 3, 2, 7]), search_of),
    ]
    calls = [
        *((chain.push, args) for args in BAD_SAMPLES.values()),
        *((search.scores, args) for args in BAD_WINDOWS.values()),
        *((search.first, args) for args in BAD_FIRSTS.values()),
        *((compiled().finite, (given,)) for given in NOT_NUMBERS.values()),
        *((compiled().top, args) for args in BAD_TOPS.values()),
    ]
    objects = [fit for _, fit, _ in fits] + [
        a for _, args in calls for a in args if isinstance(a, np.ndarray)
    ]
    objects += [type(chain), type(search)]  # a type of the heap is held by what is made of it

    def try_all() -> None:
        for name, fit, make in fits:
            tried(make, **{name: fit})
            for bad_make, bad in bads:
                if bad_make is make:
                    tried(make, **{name: fit, **bad})
        for call, args in calls:
            tried(call, *args)

    gc.collect()
    before = [sys.getrefcount(each) for each in objects]
    for _ in range(5):
        try_all()
    gc.collect()
    assert [sys.getrefcount(each) for each in objects] == before


@compiled_only
def test_arrays_are_let_go_whatever_happens() -> None:
    """An array that is lent to somebody cannot grow."""
    scores, room = array.array("d", [1.0, 2.0]), array.array("f", [0.0] * 12)
    window, x = array.array("f", [0.0] * 8), array.array("f", [0.0] * 18)
    chain, search = chain_of(), search_of()
    compiled().top(scores, 1.0, 1)
    tried(compiled().top, scores, 1.0, 3)
    search.scores(window, scores)
    search.first(window, 1.0, 1)
    tried(search.first, window, 1.0, 3)
    tried(search.first, x, 1.0, 1)
    compiled().finite(window)
    tried(search.scores, window, room)
    tried(search.scores, x, scores)
    chain.push(x, room)
    tried(chain.push, x, window)
    tried(chain.push, scores, room)
    for each in (scores, room, window, x):
        each.append(0.0)


@compiled_only
def test_rankings_leave_nothing_behind() -> None:
    scores = np.random.default_rng(0).normal(size=300)

    def blocks() -> int:
        for _ in range(1000):
            compiled().top(scores, 10.0, 10)
            tried(compiled().top, scores, 10.0, 65)
        gc.collect()
        return sys.getallocatedblocks()

    blocks()
    before = blocks()
    assert blocks() - before < 500  # a thousand rankings
