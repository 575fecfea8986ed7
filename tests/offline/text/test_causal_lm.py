"""Scores of a causal model against its own logits, one token at a time, on a tiny model with random
weights.
"""

import pickle
import shutil

import pytest

from offline.text.causal_lm import CausalLM
from rtdecode.errors import ConfigError, StudyError
from rtdecode.text.rescore import Candidate, Rescorer

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

WORDS = ["<unk>", "<s>", "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
TEXTS = ["the cat sat", "a dog", "the cat sat on the mat", "ran", "the cat sat"]


def save(folder, kind="words", bos=True, longest=24):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    if kind == "words":
        table = {word: i for i, word in enumerate(WORDS)}
        tokenizer = Tokenizer(models.WordLevel(table, unk_token="<unk>"))  # noqa: S106
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    else:  # as GPT-2's: a space belongs to the token after it
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocab = {letter: i for i, letter in enumerate(["<s>", *alphabet])} | {
            "Ġt": 257,
            "he": 258,
            "Ġthe": 259,
        }
        tokenizer = Tokenizer(models.BPE(vocab, [("Ġ", "t"), ("h", "e"), ("Ġt", "he")]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    special = {"bos_token": "<s>"} if bos else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_positions=longest, n_embd=16, n_layer=2, n_head=2,
        bos_token_id=1, eos_token_id=1, initializer_range=0.5,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("lm") / "tiny")


def by_hand(lm, ids, first):
    """Sum of log p of ids[first:], each from its own forward pass over what stands before it."""
    with torch.inference_mode():
        return sum(
            float(lm._model(torch.tensor([ids[:i]])).logits[0, -1].log_softmax(0)[ids[i]])
            for i in range(first, len(ids))
        )


def test_a_text_is_the_sum_of_its_tokens_after_the_first_mark(folder):
    lm = CausalLM.from_folder(folder)
    expected = [by_hand(lm, [1, *(WORDS.index(word) for word in text.split())], 1) for text in TEXTS]
    assert lm.score(TEXTS) == pytest.approx(expected, abs=1e-4)
    assert len({round(x, 3) for x in expected}) == 4


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_batches_do_not_matter_and_equal_texts_are_scored_once(folder, batch):
    lm, rows = CausalLM.from_folder(folder, batch=batch), []
    honest = lm._model.forward
    lm._model.forward = lambda **given: rows.append(len(given["input_ids"])) or honest(**given)
    assert lm.score(TEXTS) == pytest.approx(
        [CausalLM.from_folder(folder).score([t])[0] for t in TEXTS], abs=1e-4
    )
    assert sum(rows) == 4 and max(rows) <= batch
    assert lm.score([]) == []
    assert lm.score(["", "ran"])[0] == 0.0


def test_a_context_conditions_and_does_not_count(folder):
    plain, after = CausalLM.from_folder(folder), CausalLM.from_folder(folder, context="the dog ran")
    whole, context = plain.score(["the dog ran a cat sat", "the dog ran"])
    assert after.score(["a cat sat"])[0] == pytest.approx(whole - context, abs=1e-4)
    assert after.score(["a cat sat"])[0] != pytest.approx(plain.score(["a cat sat"])[0], abs=1e-3)
    after.context = "the dog ran\n"
    assert after.score(["a cat sat"])[0] == pytest.approx(whole - context, abs=1e-4)


@pytest.mark.parametrize("context", ["i see", "i see ", "i  see\n"])
def test_a_space_that_belongs_to_the_next_token_is_the_texts(tmp_path, context):
    lm = CausalLM.from_folder(save(tmp_path / "bytes", "bytes", longest=64), context=context)
    joined = context if context[-1].isspace() else context + " "
    ids = lm._tokenizer(joined + "the hen", add_special_tokens=False)["input_ids"]
    stop = len(lm._tokenizer(context.rstrip(), add_special_tokens=False)["input_ids"])
    assert lm.score(["the hen"])[0] == pytest.approx(by_hand(lm, [0, *ids], 1 + stop), abs=1e-3)


def test_without_a_first_mark_the_first_token_does_not_count(tmp_path):
    lm = CausalLM.from_folder(save(tmp_path / "none", bos=False))
    assert lm.bos is None
    ids = [WORDS.index(word) for word in ["the", "cat", "sat"]]
    assert lm.score(["the cat sat", "ran"]) == pytest.approx([by_hand(lm, ids, 1), 0.0], abs=1e-4)


def test_a_long_context_loses_its_start_and_a_long_text_is_refused(tmp_path):
    lm = CausalLM.from_folder(save(tmp_path / "short", longest=6), context="the cat sat on a mat")
    short = CausalLM.from_folder(tmp_path / "short", context="on a mat")
    assert lm.score(["dog ran"]) == pytest.approx(short.score(["dog ran"]), abs=1e-4)
    with pytest.raises(ConfigError, match="a text has 6 tokens, the model reads 5 at most"):
        lm.score(["the cat sat on a mat"])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was read')",))


def test_weights_in_a_pickle_are_not_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").unlink()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StudyError, match=r"no \.safetensors, it has pytorch_model\.bin"):
        CausalLM(str(tmp_path / "old"))


def test_a_checkpoint_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(StudyError, match="there is no checkpoint folder"):
        CausalLM(str(tmp_path / "nowhere"))
    shutil.copytree(folder, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StudyError, match="is no causal language model"):
        CausalLM(str(tmp_path / "cut"))
    (tmp_path / "cut" / "config.json").write_text('{"model_type": "wav2vec2"}')
    with pytest.raises(StudyError, match="is no causal language model"):
        CausalLM(str(tmp_path / "cut"))
    with pytest.raises(ConfigError, match="cannot use the device 'abacus'"):
        CausalLM(str(folder), device="abacus")
    with pytest.raises(ConfigError, match="batch is 0"):
        CausalLM(str(folder), batch=0)


def test_it_is_a_scorer(folder):
    lm = CausalLM.from_folder(folder)
    texts = ["the cat sat", "a dog", "ran"]
    scores = lm.score(texts)
    with Rescorer(lm.score) as rescorer:
        found = rescorer.rescored([Candidate(text, 0.0, 0.0, 1) for text in texts], 30.0)
    assert not found.problem and found.index == scores.index(max(scores))
