"""The published recipe is the default; presets, files and single settings are read strictly."""

import pytest

from offline.contrastive.config import ContrastiveConfig, load_contrastive_config, recipe_of
from offline.overrides import override
from rtdecode.errors import ConfigError


def test_the_defaults_are_the_published_recipe():
    config = ContrastiveConfig()
    assert (config.n_window, config.n_offset, config.n_frames) == (361, 18, 343)
    assert (config.signal.sfreq, config.signal.baseline_s, config.signal.clamp) == (120.0, (-0.5, 0.0), 20.0)
    assert (config.window.step_s, config.window.offset_s) == (0.5, 0.15)
    assert config.speech.layers == (14, 15, 16, 17, 18) and config.speech.context == "block"
    model, loop = config.model, config.loop
    assert (model.n_virtual, model.hidden, model.depth, model.fourier_dim) == (270, 320, 10, 2048)
    assert (config.loss.norm, config.loss.symmetric, config.loss.temperature) == ("candidates", False, "none")
    assert (loop.optimizer, loop.lr, loop.weight_decay, loop.clip_norm) == ("adam", 3e-4, 0.0, 0.0)
    assert (loop.updates_per_epoch, loop.max_epochs, loop.patience, loop.seed) == (1200, 200, 10, 2036)
    assert config.batch.size == 256


def test_presets_are_read_and_reference_says_what_the_defaults_say():
    assert load_contrastive_config("reference") == ContrastiveConfig()
    mel = load_contrastive_config("reference-melspec")
    assert (mel.speech.kind, mel.speech.bands) == ("mel", 120) and mel.model == ContrastiveConfig().model
    assert load_contrastive_config("deepmel").model.deep_mel
    small = load_contrastive_config("windows-small")
    assert small.n_frames == 172 and small.model.subject_dropout > 0


def test_recipes_are_told_apart():
    assert recipe_of("reference") == "windows" and recipe_of("demo") == "crops"
    with pytest.raises(ConfigError, match="did you mean reference"):
        load_contrastive_config("refrence")


def test_a_file_with_an_unknown_key_or_another_recipe_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[model]\nhiden = 3\n")
    with pytest.raises(ConfigError, match=r"unknown key 'hiden'.*hidden"):
        load_contrastive_config(path)
    path.write_text('recipe = "crops"\nname = "x"\n')
    with pytest.raises(ConfigError, match="the recipe 'crops', expected 'windows'"):
        load_contrastive_config(path)
    path.write_text('recipe = "window"\n')
    with pytest.raises(ConfigError, match="did you mean windows"):
        recipe_of(path)
    path.write_text("= 3")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_contrastive_config(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["window.offset_s=3"], "offset_s must be 0 to less than the window's 3 s, got 3"),
        (["signal.baseline_s=-1,0"], "baseline_s must be two times inside the window"),
        (["model.hidden=0"], "needs model.linear_taps"),
        (["model.deep_mel=true"], "deep mel learns from mel or logmel frames, speech.kind is 'wav2vec2'"),
        (["model.linear_start=ridge"], "needs model.linear_taps"),
        (["batch.size=1"], "batch.size"),
        (["window.tmin=3"], "has no samples"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        override(ContrastiveConfig(), settings)


def test_settings_are_typed_and_the_last_one_counts():
    config = override(
        ContrastiveConfig(),
        [
            "loop.lr=1e-4",
            "loop.lr = 2e-4",
            "model.causal=True",
            "subjects=sub-01, sub-02",
            "speech.layers=[-4,-3,-2,-1]",
            "window.offset_s=0",
            "name=mine",
            "loss.kind=siglip",
            "batch.size=64",
        ],
    )
    assert config.loop.lr == 2e-4 and config.model.causal is True
    assert config.subjects == ("sub-01", "sub-02") and config.speech.layers == (-4, -3, -2, -1)
    assert config.window.offset_s == 0.0 and config.n_frames == 361
    assert (config.name, config.loss.kind, config.batch.size) == ("mine", "siglip", 64)
    assert override(config, []) == config


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("lr=1", "no setting 'lr' .did you mean loop.lr"),
        ("model.hiden=1", "no setting 'model.hiden' .did you mean model.hidden"),
        ("loop=1", "it is a group: set loop.updates_per_epoch"),
        ("model.causal=1", "model.causal is '1' .true or false"),
        ("batch.size=2.5", "batch.size should be a whole number, got '2.5'"),
        ("loop.lr=fast", "loop.lr should be a number, got 'fast'"),
        ("loss.kind=clp", "'clp' .did you mean clip"),
        ("loop.lr", "'loop.lr' sets nothing"),
    ],
)
def test_a_setting_that_does_not_fit_says_so(setting, said):
    with pytest.raises(ConfigError, match=said):
        override(ContrastiveConfig(), [setting])
