"""Speech features of the contrastive recipe: one array per sound, in the sound's own time.

`SpeechSpec` says which; `compute` makes them; `nearest_rows` and `place_nearest` put them at the model's
rate; `SpeechScaler` scales them. Knows no study, recording or split: their owner says where to cut a sound.
"""

from offline.speech.checkpoint import convert_checkpoint
from offline.speech.compute import compute, load_model
from offline.speech.place import nearest_rows, place_nearest
from offline.speech.scale import SpeechScaler
from offline.speech.spec import LAYER_PRESETS, SpeechSpec, parse_layers
from offline.speech.wav2vec2 import Wav2Vec2

__all__ = [
    "LAYER_PRESETS",
    "SpeechScaler",
    "SpeechSpec",
    "Wav2Vec2",
    "compute",
    "convert_checkpoint",
    "load_model",
    "nearest_rows",
    "parse_layers",
    "place_nearest",
]
