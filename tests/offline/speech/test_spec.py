"""SpeechSpec refuses what does not exist, in words."""

import pytest

from offline.speech import LAYER_PRESETS, SpeechSpec, parse_layers
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError


def test_defaults_are_the_published_ones():
    spec = SpeechSpec()
    assert spec.layers == (14, 15, 16, 17, 18) and spec.context == "block" and spec.bands == 120
    assert spec.checkpoint == "facebook/wav2vec2-large-xlsr-53"
    assert spec.silence == 0 and SpeechSpec(kind="mel").silence == -5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "wav2vec"}, "did you mean wav2vec2"),
        ({"context": "windows"}, "did you mean window"),
        ({"layers": ()}, "at least one"),
        ({"layers": (3, 3)}, "different"),
        ({"checkpoint": ""}, "checkpoint"),
        ({"bands": 0}, "bands"),
        ({"frame_rate": 0.0}, "frame rate"),
    ],
)
def test_refusals(values, said):
    with pytest.raises(ConfigError, match=said):
        SpeechSpec(**values)


def test_json_round_trip_and_closest_kind():
    spec = SpeechSpec(kind="mel", bands=40, layers=(1, 2))
    assert from_json(SpeechSpec, to_json(spec), "run.json") == spec
    with pytest.raises(ConfigError, match="envelope"):
        from_json(SpeechSpec, {"kind": "envelop"}, "run.json")


def test_layers_from_words():
    assert parse_layers("14-18") == LAYER_PRESETS["14-18"]
    assert parse_layers("last4") == (-4, -3, -2, -1)
    assert parse_layers("21-24") == (21, 22, 23, 24)
    assert parse_layers("2, 5,-1") == (2, 5, -1)
    for bad in ("last", "18-14", "", "1,,2"):
        with pytest.raises(ConfigError, match="last4"):
            parse_layers(bad)
