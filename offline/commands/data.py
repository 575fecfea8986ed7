"""`offline simulate | cut | fetch | prepare`: where data come from, and what is made of them."""

import argparse
from pathlib import Path
from typing import Any

from offline.commands.common import STUDIES, WorkBar, job_options, say, slurm_options, study_options
from offline.studies import TRIALS
from rtdecode.errors import ConfigError
from rtdecode.options import positive


def add(commands: Any) -> None:
    """The parsers; each names its function."""
    simulate = commands.add_parser("simulate", help="write a study with a planted brain-speech relation")
    simulate.add_argument("out", type=Path, help="a new directory")
    simulate.add_argument("--subjects", type=int, default=4)
    simulate.add_argument(
        "--minutes", type=positive, default=20.0, help="training minutes a subject (default 20)"
    )
    simulate.add_argument("--valid-minutes", type=positive, default=1.5)
    simulate.add_argument("--test-minutes", type=positive, default=3.0)
    simulate.add_argument(
        "--gain", type=positive, default=1.0, help="response strength, times real EEG (default 1)"
    )
    simulate.add_argument(
        "--recombined", type=int, default=150, help="training sentences made from the words of others"
    )
    simulate.add_argument("--text", type=Path, help="plain-text book to speak (default: the shipped fables)")
    simulate.add_argument("--seed", type=int, default=0)
    trials = simulate.add_argument_group("attempted speech, in the layout of a study of trials")
    trials.add_argument("--layout", help=f"one of: {', '.join(TRIALS)}; the options above are then not used")
    trials.add_argument("--days", type=int, default=4, help="training days (default 4)")
    trials.add_argument("--heldout-days", type=int, default=0, help="days after them, of test trials alone")
    trials.add_argument("--blocks", type=int, default=4, help="training blocks a day (default 4)")
    trials.add_argument("--trials", type=int, default=20, help="sentences a block (default 20)")
    trials.add_argument("--test-trials", type=int, default=20, help="of the test block of a day")
    trials.add_argument("--drift", type=float, default=1.0, help="0: all days alike (default 1)")
    trials.add_argument("--tuning", default="phonemes", help="phonemes (default) or characters")
    trials.add_argument("--lexicon", type=Path, help="pronunciation dictionary (default: letter rules)")
    simulate.set_defaults(run=run_simulate)

    cut = commands.add_parser(
        "cut",
        help="a piece of a recording, or trials of a prepared study, as an XDF file to replay",
    )
    cut.add_argument("recording", type=Path, help="a recording, or the directory of prepared trials")
    cut.add_argument("--seconds", type=positive, help="of a recording: how much from its start")
    cut.add_argument("--select", metavar="NAME", help="which stream of an XDF file, by name or type")
    cut.add_argument("--split", default="test", help="of trials: which (default test)")
    cut.add_argument("--day", action="append", default=[], help="of trials: only this day; may be repeated")
    cut.add_argument("--trials", type=int, default=20, help="of trials: at most so many (default 20)")
    cut.add_argument("--out", type=Path, required=True)
    cut.set_defaults(run=run_cut)

    fetch = commands.add_parser(
        "fetch",
        help="download a public study; run again, it goes on where it stopped",
    )
    public = [name for name in STUDIES if name not in ("simulated", "cocktail", "local")]
    fetch.add_argument("fetched", metavar="STUDY", choices=public, help=f"one of: {', '.join(public)}")
    fetch.add_argument("--data", type=Path, required=True, help="where to put it")
    fetch.add_argument("--only", metavar="PATTERN", action="append", default=[], help="e.g. '*sub-01*'")
    fetch.add_argument("--verify", action="store_true", help="compare checksums of what is there already")
    fetch.set_defaults(run=run_fetch)

    prepare = commands.add_parser(
        "prepare",
        help="recordings and sounds become memory-mapped arrays; what is unchanged is not made again",
    )
    study_options(prepare)
    prepare.add_argument("--out", type=Path, required=True, help="directory of the prepared study")
    prepare.add_argument("--selection", default="", help="which of its lists of subjects, e.g. depositors")
    prepare.add_argument("--only", metavar="PATTERN", action="append", default=[], help="recording names")
    prepare.add_argument(
        "--config",
        default="reference",
        help="configuration to prepare for: its rate and its speech features (default reference)",
    )
    prepare.add_argument("--set", dest="settings", metavar="A.B=C", action="append", default=[])
    prepare.add_argument("--highpass-hz", type=float, default=0.0, help="0 (default): none")
    prepare.add_argument("--lowpass-hz", type=float, default=0.0, help="0 (default): none")
    prepare.add_argument("--filter", default="reference", help="reference (zero phase) or causal (as live)")
    prepare.add_argument(
        "--split-rule",
        default="reference",
        help="reference (as published; short sentences may repeat across splits) or sentence (never)",
    )
    prepare.add_argument("--keep-leaks", action="store_true", help="keep training blocks heard in the test")
    prepare.add_argument("--min-block-s", type=float, default=6.0)
    prepare.add_argument("--no-features", action="store_true", help="recordings only")
    prepare.add_argument("--device", default="cpu", help="of the speech model: cpu or cuda")
    prepare.add_argument("--recording", metavar="NAME", help=argparse.SUPPRESS)  # one job's share
    prepare.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="so many recordings at once, each a job"
    )
    trials = prepare.add_argument_group("studies of trials", f"{', '.join(TRIALS)}: features of 20 ms bins")
    trials.add_argument("--normalise", default="", help="block, causal or none (default: as the study asks)")
    trials.add_argument("--split", default="official", help="official, dev (a validation block) or hpi")
    trials.add_argument("--lexicon", type=Path, help="pronunciations, for studies that ship no phonemes")
    trials.add_argument("--unknown-words", default="refuse", help="refuse (default), or drop their trials")
    trials.add_argument("--area", default="", help="of willett2023: 6v (default), 44 or both")
    job_options(prepare)
    prepare.set_defaults(run=run_prepare)

    convert = commands.add_parser(
        "convert-checkpoint", help="a Wav2Vec2 whose weights are a pickle becomes one of safetensors"
    )
    convert.add_argument("checkpoint", help="Hugging Face id, or a folder")
    convert.add_argument("--revision", default="", help="branch, tag or commit of an id")
    convert.add_argument("--out", type=Path, required=True, help="a new folder, for speech.checkpoint")
    convert.set_defaults(run=run_convert)


def run_simulate(options: argparse.Namespace) -> int:
    if options.layout:
        return simulate_trials(options)
    from offline.simulate.build import simulate

    out = simulate(
        options.out,
        subjects=options.subjects,
        minutes_train=options.minutes,
        minutes_valid=options.valid_minutes,
        minutes_test=options.test_minutes,
        gain=options.gain,
        recombined=options.recombined,
        text=options.text,
        seed=options.seed,
    )
    say(f"wrote {out}: {options.subjects} simulated listeners at {options.gain:g} x real EEG")
    return 0


def simulate_trials(options: argparse.Namespace) -> int:
    from offline.intracortical.simulate import Simulation, simulate_trials

    simulation = Simulation(
        days=options.days,
        heldout_days=options.heldout_days,
        blocks=options.blocks,
        trials=options.trials,
        test=options.test_trials,
        drift=options.drift,
        tuning=options.tuning,
        seed=options.seed,
    )
    out = simulate_trials(options.out, options.layout, simulation, text=options.text, lexicon=options.lexicon)
    say(
        f"wrote {out}: {options.days + options.heldout_days} simulated days in the layout of {options.layout}"
    )
    return 0


def run_cut(options: argparse.Namespace) -> int:
    from offline.intracortical.store import is_trials

    if is_trials(options.recording):
        return _cut_trials(options)
    if options.seconds is None:
        raise ConfigError(
            f"how much of {options.recording} is not said", hint="give --seconds, for example --seconds 90"
        )
    from offline.cut import cut

    say(f"wrote {cut(options.recording, options.seconds, options.out, options.select)}")
    return 0


def _cut_trials(options: argparse.Namespace) -> int:
    from offline.intracortical.store import open_trials
    from offline.intracortical.xdf import write_xdf

    study = open_trials(options.recording)
    trials = study.of(options.split, tuple(options.day))[: max(1, options.trials)]
    say(f"wrote {write_xdf(study, trials, options.out)}: {len(trials)} trials")
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    from offline.fetch.run import fetch
    from offline.studies import module_of

    source = module_of(options.fetched).SOURCE
    with WorkBar() as bar:
        report = fetch(source, options.data, progress=bar, only=options.only, verify=options.verify)
    say(f"{len(report.fetched)} files fetched, {len(report.present)} were there, {report.moved / 1e6:.1f} MB")
    for sentence in report.todo:
        say(f"by hand: {sentence}")
    say(f"licence: {source.licence}; doi {source.doi}")
    return 2 if report.todo else 0


def run_convert(options: argparse.Namespace) -> int:
    from offline.speech import convert_checkpoint

    say(f"wrote {convert_checkpoint(options.checkpoint, options.out, options.revision)}")
    return 0


def prepare_trials(options: argparse.Namespace) -> int:
    from offline.intracortical.prepare import TrialSettings, prepare_trials
    from offline.studies import load_trials

    lexicon = str(options.lexicon) if options.lexicon else ""
    settings = TrialSettings(options.normalise, options.split, lexicon, options.unknown_words)
    study = load_trials(options.study, options.data, options.area)
    with WorkBar() as bar:
        done = prepare_trials(study, options.out, settings, only=options.only, progress=bar)
    say(f"{len(done.done)} days prepared, {len(done.unchanged)} unchanged: {options.out}")
    kept = ", ".join(f"{count} {split}" for split, count in done.trials.items())
    say(f"trials: {kept}" + (f"; {done.dropped} dropped: words not in {lexicon}" if done.dropped else ""))
    return 0


def run_prepare(options: argparse.Namespace) -> int:
    if options.study in TRIALS:
        return prepare_trials(options)
    from offline.contrastive.config import load_contrastive_config
    from offline.overrides import override
    from offline.prepare.features import prepare_features
    from offline.prepare.run import begin, prepare_recording, prepare_study
    from offline.prepare.settings import PrepareSettings
    from offline.studies import load_study

    config = override(load_contrastive_config(options.config), options.settings)
    settings = PrepareSettings(
        sfreq=config.signal.sfreq,
        highpass_hz=options.highpass_hz,
        lowpass_hz=options.lowpass_hz,
        filter=options.filter,
        split_rule=options.split_rule,
        min_block_s=options.min_block_s,
        drop_leaks=not options.keep_leaks,
    )
    if options.recording:
        prepare_recording(
            options.study, options.data, options.recording, options.out, settings, selection=options.selection
        )
        return 0
    study = load_study(options.study, options.data, options.selection)
    with WorkBar() as bar:
        if options.jobs > 0:
            from offline.jobs.prepare import prepare_with_jobs

            done = prepare_with_jobs(
                options.study,
                options.data,
                options.out,
                settings,
                begin(study, options.out, settings, only=options.only),
                selection=options.selection,
                where=options.where,
                parallel=options.jobs,
                slurm=slurm_options(options),
                progress=say,
            )
        else:
            done = prepare_study(study, options.out, settings, only=options.only, progress=bar)
        say(f"{len(done.done)} recordings prepared, {len(done.unchanged)} unchanged: {options.out}")
        if not options.no_features and config.speech.context != "window":
            folder = prepare_features(study, options.out, config.speech, device=options.device, progress=bar)
            say(f"features: {folder}")
    return 0
