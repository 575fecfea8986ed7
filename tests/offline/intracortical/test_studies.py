"""The two public studies: trees written by hand in their layouts, and trees that are not they."""

import builtins
import shutil

import h5py
import numpy as np
import pytest

from offline.intracortical.days import T12, T15, day_index, read_blocks
from offline.studies import card2024, load_study, load_trials, willett2023
from rtdecode.errors import ConfigError, MissingExtra, StudyError
from tests.offline.intracortical import files


def test_days_of_willett2023():
    assert len(T12) == 24 and list(T12) == sorted(T12) and len(willett2023.T12_SILENT & set(T12)) == 4
    assert (day_index("t12.2022.04.28", T12), day_index("t12.2022.08.25", T12)) == (0, 23)
    with pytest.raises(StudyError, match=r"none of the 24 days .*t12\.2022\.04\.28"):
        day_index("t12.2022.04.29", T12)


def test_a_mat_tree(tmp_path):
    study = load_trials("willett2023", files.t12(tmp_path))
    assert [(day.name, day.index) for day in study.days] == [("t12.2022.04.28", 0), ("t12.2022.05.17", 2)]
    day = study.days[1]
    survey, read = study.survey(day), list(study.read(day))
    assert [trial.name for trial in survey] == [trial.name for trial, _ in read]
    assert [(t.split, t.block, t.number, t.text) for t in survey] == [
        ("train", 3, 0, "The ox goes."), ("train", 3, 1, "The ox"), ("train", 4, 2, "Home!"),
        ("train", 5, 3, "Goes home"), ("test", 6, 0, "The ox's home--well"),
        ("holdout", 1, 0, ""), ("holdout", 2, 1, ""),
    ]  # fmt: skip
    assert len({trial.name for trial in survey}) == 7
    x = read[1][1]
    seed = sum(map(ord, "train")) + 1
    assert x.shape == (23, 256) and x.dtype == np.float32
    assert np.array_equal(x[:, :128], files.features(23, 256, seed)[:, :128])
    assert np.array_equal(x[:, 128:], files.features(23, 256, 2000 + seed)[:, :128])
    assert study.labels[0] == "tx1-1" and study.labels[128] == "spikePow-1" and len(study.labels) == 256


def test_area_and_crossings(tmp_path):
    files.t12(tmp_path)
    other = load_trials("willett2023", tmp_path, area="44")
    x = next(other.read(other.days[0]))[1]
    assert np.array_equal(x[:, :128], files.features(20, 256, sum(map(ord, "train")))[:, 128:])
    assert other.labels[0] == "tx1-129"
    tx2 = willett2023.load_trials(tmp_path, willett2023.Choice("both", "tx2"))
    assert next(tx2.read(tx2.days[0]))[1].shape == (20, 512)
    with pytest.raises(ConfigError, match=r"no area '6V'.*6v"):
        load_trials("willett2023", tmp_path, area="6V")


def test_a_day_of_one_trial_and_one_bin(tmp_path):
    """MATLAB's arrays of one element must not lose their dimensions."""
    path = tmp_path / "train" / "t12.2022.04.28.mat"
    files.mat(path, ["Home"], [1], bins=[1])
    study = load_trials("willett2023", tmp_path)
    trial, x = next(study.read(study.days[0]))
    assert trial.text == "Home" and x.shape == (1, 256)


@pytest.mark.parametrize("field", ["sentenceText", "tx1", "spikePow", "blockIdx"])
def test_a_mat_without_a_field(tmp_path, field):
    files.mat(tmp_path / "train" / "t12.2022.04.28.mat", ["Home"], [1], **{field: None})
    study = load_trials("willett2023", tmp_path)
    with pytest.raises(StudyError, match=rf"no field '{field}' \(found: .*tx2"):
        study.survey(study.days[0])


def test_mat_fields_that_disagree(tmp_path):
    path = tmp_path / "train" / "t12.2022.04.28.mat"
    files.mat(path, ["Home", "Ox"], [1, 1], blockIdx=np.ones((3, 1)))
    study = load_trials("willett2023", tmp_path)
    with pytest.raises(StudyError, match="sentenceText is of 2 trials, blockIdx of 3"):
        study.survey(study.days[0])
    short = np.empty((1, 2), object)
    short[0, 0], short[0, 1] = files.features(20, 256), files.features(22, 256)
    files.mat(path, ["Home", "Ox"], [1, 1], spikePow=short)
    with pytest.raises(StudyError, match="trial 1 has 23 bins of tx1, 22 of spikePow"):
        list(study.read(study.days[0]))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StudyError, match="cannot read"):
        list(study.read(study.days[0]))


def test_not_the_tree(tmp_path):
    with pytest.raises(StudyError, match=r"holds no train/t12\.2022\.04\.28\.mat"):
        load_trials("willett2023", tmp_path)
    (tmp_path / "competitionData.tar.gz").touch()
    with pytest.raises(StudyError, match="not unpacked"):
        load_trials("willett2023", tmp_path)
    with pytest.raises(StudyError, match="holds no t15"):
        load_trials("card2024", tmp_path)
    with pytest.raises(StudyError, match="study of trials"):
        load_study("willett2023", tmp_path)
    with pytest.raises(StudyError, match="study of recordings"):
        load_trials("broderick2019", tmp_path)


def test_an_hdf5_tree(tmp_path):
    study = load_trials("card2024", files.t15(tmp_path, ("t15.2023.08.13",)))
    day = study.days[0]
    assert (day.index, len(study.labels), study.labels[64], study.labels[256]) == (
        1, 512, "tx-a4-1", "spikePow-v6v-1",
    )  # fmt: skip
    read = list(study.read(day))
    assert [trial for trial, _ in read] == list(study.survey(day))
    first, x = read[0]
    assert (first.split, first.block, first.text, first.phonemes) == (
        "train",
        2,
        "The ox",
        ("DH", "AH", "SIL"),
    )
    assert np.array_equal(x, files.features(15, 512, 20).astype(np.float32))
    assert [(t.split, t.text, t.phonemes) for t, _ in read[3:]] == [("test", "", ())] * 2


@pytest.mark.parametrize(
    "field", ["input_features", "seq_class_ids", "transcription", "n_time_steps", "seq_len", "block_num"]
)
def test_an_hdf5_without_a_field(tmp_path, field):
    study = load_trials("card2024", files.t15(tmp_path))
    with h5py.File(study.days[0].files["train"], "r+") as file:
        group = file["trial_0001"]
        del (group if field in group else group.attrs)[field]
    with pytest.raises(StudyError, match=rf"trial_0001 has no (field|attribute) '{field}' \(found: "):
        study.survey(study.days[0])


def test_hdf5_fields_that_disagree(tmp_path):
    study = load_trials("card2024", files.t15(tmp_path))
    path = study.days[0].files["train"]

    def broken(name, value, where="attrs"):
        files.t15(tmp_path / name)
        whole = tmp_path / name / path.relative_to(tmp_path)
        with h5py.File(whole, "r+") as file:
            group = file["trial_0000"]
            if where == "attrs":
                group.attrs[name] = value
            else:
                group[name][: len(value)] = value
        other = load_trials("card2024", tmp_path / name)
        return lambda: list(other.read(other.days[0]))

    with pytest.raises(StudyError, match="n_time_steps 21"):
        broken("n_time_steps", 21)()
    with pytest.raises(StudyError, match="seq_len is 4, seq_class_ids has 3 of 500"):
        broken("seq_len", 4)()
    with pytest.raises(StudyError, match="holds 41, symbols are 0 to 40"):
        broken("seq_class_ids", [41], "data")()
    path.write_bytes(b"no HDF5")
    with pytest.raises(StudyError, match="cannot read"):
        study.survey(study.days[0])


def test_zero_terminated_codes():
    assert card2024.ascii_text(np.array([72, 105, 0, 88, 0])) == "Hi"
    assert card2024.ascii_text(np.zeros(5, int)) == ""
    with pytest.raises(StudyError, match="holds 233"):
        card2024.ascii_text(np.array([233, 0]))


def test_without_h5py(tmp_path, monkeypatch):
    files.t15(tmp_path)
    real = builtins.__import__

    def refusing(name, *args, **kwargs):
        if name == "h5py":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(MissingExtra, match=r"h5py .*rtdecode\[offline\]"):
        load_trials("card2024", tmp_path)


def test_the_real_table_of_blocks(data_dir, tmp_path):
    table = data_dir / "t15-session-table" / "t15_copyTaskData_description.csv"
    blocks = read_blocks(table)
    assert tuple(blocks) == T15 and len(T15) == 45
    assert sum(b.sentences for day in blocks.values() for b in day) == 11162
    assert sum(b.sentences for day in blocks.values() for b in day if b.split == "Train") == 8234
    shutil.copy(table, files.t15(tmp_path))
    study = load_trials("card2024", tmp_path)
    assert study.days[0].facts["implanted_days"] == 25
    assert study.survey(study.days[0])[0].corpus == "50-Word"


def test_a_table_of_blocks_that_is_none(tmp_path):
    table = tmp_path / "blocks.csv"
    table.write_text("Date,Post-implant day,Block number\n")
    with pytest.raises(StudyError, match=r"no column 'Number of sentences' \(found: Date"):
        read_blocks(table)
    table.write_text(
        "Date,Post-implant day,Block number,Number of sentences,Corpus,Split\n2023-08-11,x,2,3,a,b\n"
    )
    with pytest.raises(StudyError, match="line 2"):
        read_blocks(table)
