"""The bank of held-out speech, and whether what is found in it is what was heard."""

import dataclasses

import numpy as np
import pytest
import torch

from models import ContrastiveNet, DeepMelConfig
from offline.contrastive.checkpoint import load_checkpoint
from offline.contrastive.live_bank import held_out, phrases
from offline.contrastive.live_contract import stream_of
from offline.contrastive.live_scores import found_in
from offline.contrastive.windows import Heard
from offline.study import Event
from rtdecode.engines.session import Frames
from tests.offline.contrastive.exported import heard_again


class _Oracle:
    """A session that has heard the bank: the estimate of a sample is the speech `delay` before it."""

    def __init__(self, bank, stretches, frames, hop, delay, lead):
        self.starts = []
        at = 0
        for stretch in stretches:
            speech = bank.features[at + frames : at + frames + stretch.high - stretch.low]
            begin = max(0, stretch.low - lead)
            x = np.zeros((stretch.high - begin + delay, speech.shape[1]), np.float32)
            x[stretch.low - begin + delay :] = speech
            self.starts.append(x)
            at += frames + stretch.high - stretch.low
        self.hop, self.current = hop, -1

    def reset(self):
        self.current, self.at = self.current + 1, 0

    def run(self, x):
        estimate = self.starts[self.current][self.at : self.at + self.hop]
        self.at += self.hop
        return Frames(estimate, None)


def test_an_estimate_that_is_the_speech_itself_finds_every_candidate(streaming, lab):
    """Bank, delay and truth share one clock: a frame too early or late and neighbours are mixed up."""
    run, bundle = streaming
    own = [r for r in lab.prepared.recordings if r.subject == "sub-02"]
    bank, stretches = held_out(own, "test", load_checkpoint(run), lab.features)
    np.testing.assert_array_equal(bank.timeline, bundle.bank.timeline)
    frames, delay = bundle.spec.retrieval.frames, bundle.spec.retrieval.delay
    oracle = _Oracle(bank, stretches, frames, bundle.spec.model.hop, delay, 2 * frames)
    found = list(found_in(bundle.spec, oracle, bank, stretches))
    assert len(found) >= 10
    for scores, truth in found:
        assert np.argmax(scores) == truth and scores[truth] == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_learned_speech_features_are_those_of_the_runs_own_model(lab, streaming):
    ready = load_checkpoint(streaming[0])
    shape = ready.net.config
    deep = ContrastiveNet(
        dataclasses.replace(
            shape, speech=DeepMelConfig(n_in=6, n_out=5, hidden=8, depth=2), n_features=5, linear_taps=0
        )
    ).eval()
    own = [r for r in lab.prepared.recordings if r.subject == "sub-02"]
    plain, (first, *_) = held_out(own, "test", ready, lab.features)
    bank, _ = held_out(own, "test", dataclasses.replace(ready, net=deep), lab.features)
    assert bank.candidates == plain.candidates and bank.features.shape == (len(plain.features), 5)
    part = ready.config.n_frames + first.high - first.low
    expected = deep.targets(torch.from_numpy(plain.features[:part])[None])[0]
    np.testing.assert_allclose(bank.features[:part], expected, atol=1e-5)


def test_phrases_are_cut_at_words_or_where_there_are_none_in_sounds():
    words = [Event(1 + 0.5 * i, 0.4, "word", f"w{i}", "a", 0.5 * i, f"s{i // 4}", i % 4) for i in range(8)]
    sound = Event(1.0, 6.0, "sound", "a", "a", 0.0)
    found = list(phrases([sound, *words], Heard([sound]), 0.0, 10.0))
    assert [p.text for p in found] == ["w0 w1 w2", "w3", "w4 w5 w6", "w7"]
    assert [(p.start, p.into) for p in found] == [(1.0, 0.0), (2.5, 1.5), (3.0, 2.0), (4.5, 3.5)]
    assert found[0].stop == 2.5 and found[1].stop == pytest.approx(2.9)
    pieces = list(phrases([sound], Heard([sound]), 2.0, 10.0))
    assert len(pieces) == 4 and pieces[0].into == 1.0 and pieces[-1].stop == 7.0


def test_recordings_with_scales_of_their_own_share_one_live_and_what_is_heard_twice_is_one_candidate(
    lab, windowed, tmp_path
):
    ready, prepared = load_checkpoint(windowed[0]), heard_again(lab, tmp_path / "prepared")
    once = [r for r in prepared.recordings if r.name == "sub-01_story"]
    both = [r for r in prepared.recordings if r.subject == "sub-01"]
    own = ready.scalings["sub-01_story"]
    again = dataclasses.replace(own, scale=5 * own.scale)
    ready = dataclasses.replace(ready, scalings={**ready.scalings, "sub-01_again": again})
    stream = stream_of(ready, prepared, both, "sub-01")
    assert "2 recordings" in stream.how
    np.testing.assert_allclose(stream.preprocess.scale, own.scale, rtol=0.2)  # the signal is the same
    assert stream_of(ready, prepared, once, "sub-01").preprocess.scale == tuple(map(float, own.scale))
    bank, stretches = held_out(both, "test", ready, lab.features)
    assert bank.candidates == held_out(once, "test", ready, lab.features)[0].candidates
    half = len(stretches) // 2
    assert [s.heard for s in stretches[:half]] == [s.heard for s in stretches[half:]]
