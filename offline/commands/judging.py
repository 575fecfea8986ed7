"""`offline evaluate | report | calibrate`: how good it is, beside chance; and a listener who is new."""

import argparse
from pathlib import Path
from typing import Any

from offline.commands.common import say, simulated, study_options
from rtdecode.errors import ConfigError
from rtdecode.options import positive


def add(commands: Any) -> None:
    """The parsers; each names its function."""
    evaluate = commands.add_parser(
        "evaluate",
        help="score a bundle, or a run of the recipes of windows or of text, beside chance and controls",
    )
    study_options(evaluate, "directory of the study; of the prepared study for a run of windows")
    what = evaluate.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path)
    what.add_argument("--run", dest="source", type=Path, help="what `offline train` wrote")
    evaluate.add_argument("--texts", action="store_true", help="also print what was heard and what was read")
    evaluate.add_argument("--split", default="test", help="of a run: test (default) or valid")
    evaluate.add_argument("--subject", action="append", default=[], help="of a run: only these")
    evaluate.add_argument("--report", type=Path, metavar="HTML", help="of a run: also a page, and its CSV")
    evaluate.add_argument("--scores", type=Path, metavar="NPZ", help="of a run: keep every score")
    evaluate.add_argument("--no-curves", action="store_true", help="of a run: leave out the curves")
    text = evaluate.add_argument_group("a run of text: greedy, beam, beam + language model side by side")
    text.add_argument("--lexicon", default="", help="pronunciations; of characters, its words")
    text.add_argument("--lm", default="", help="ARPA file, or train: estimated from the training sentences")
    text.add_argument("--beam", type=int, help="prefixes kept (default: as chosen by --tune, else 100)")
    text.add_argument("--tune", action="store_true", help="first choose the weights on validation trials")
    text.add_argument("--day", action="append", default=[], help="only these days; may be given often")
    text.add_argument("--new-day", default="", help="how a day that was not trained on starts: last or mean")
    text.add_argument(
        "--adapt-minutes", type=positive, default=0.0, help="then let it learn from its first minutes"
    )
    text.add_argument("--flashlight", action="store_true", help="also by flashlight-text")
    text.add_argument(
        "--pyctcdecode", default="", metavar="PYTHON", help="also by pyctcdecode, which that Python has"
    )
    text.add_argument("--llm", default="", help="a causal language model that orders the best sentences anew")
    text.add_argument("--context", default="", help="what was said before, for --llm")
    text.add_argument("--deadline", type=positive, default=5.0, help="seconds --llm may take (default 5)")
    evaluate.set_defaults(run=run_evaluate)

    report = commands.add_parser(
        "report",
        help="one page of scores and learning curves, beside the published figures",
    )
    report.add_argument("--out", type=Path, required=True, help="the page; its CSV comes beside")
    report.add_argument("--scores", type=Path, action="append", default=[], help="of `evaluate --scores`")
    report.add_argument("--runs", type=Path, help="CSV of trained models, for the learning curve")
    report.add_argument("--title", default="Decoding speech from the brain")
    report.set_defaults(run=run_report)

    calibrate = commands.add_parser(
        "calibrate",
        help="add a new listener to a trained run, from minutes of known stimulus",
    )
    calibrate.add_argument("--run", dest="source", type=Path, required=True, help="what was trained")
    calibrate.add_argument("--data", type=Path, required=True, help="study, or prepared study, of the sounds")
    calibrate.add_argument("--subject", required=True, help="the new listener's id")
    calibrate.add_argument("--out", type=Path, required=True, help="the new run")
    calibrate.add_argument("--minutes", type=positive, default=5.0, help="how much to use (default 5)")
    calibrate.add_argument("--recording", type=Path, help="file or session log (default: the study's own)")
    calibrate.add_argument("--events", type=Path, help="what was heard in it (default: its markers)")
    calibrate.add_argument("--bundle", type=Path, help="also export the listener's bundle there")
    calibrate.set_defaults(run=run_calibrate)


def run_evaluate(options: argparse.Namespace) -> int:
    if options.source:
        return _evaluate_run(options)
    from rtdecode.bundle import load_bundle

    if options.study == "cocktail":
        from offline.cocktail_evaluate import evaluate_held_out

        print(evaluate_held_out(options.bundle, options.data).line())
        return 0
    from offline.evaluate import evaluate

    report = evaluate(load_bundle(options.bundle), simulated(options.data))
    print("\n".join(report.lines()))
    if options.texts:
        for name, heard, read in report.texts:
            print(f"{name}\n  heard  {heard}\n  read   {read}")
    return 0


def _prepared(data: Path, run: Path) -> tuple[Any, Any]:
    """The prepared study, and the features that a run was trained on."""
    from offline.contrastive.checkpoint import load_checkpoint
    from offline.prepare.features import features_folder
    from offline.prepare.store import FeatureStore, open_prepared

    prepared = open_prepared(data)
    return prepared, FeatureStore(features_folder(data, load_checkpoint(run).config.speech))


def _evaluate_run(options: argparse.Namespace) -> int:
    """By the recipe that the run says it is of."""
    from offline.loop.checkpointing import read_run

    by_recipe = {"windows": _evaluate_windows, "text": _evaluate_text}
    return by_recipe.get(read_run(options.source).get("recipe", "crops"), _evaluate_unseen)(options)


def _evaluate_text(options: argparse.Namespace) -> int:
    from offline.intracortical.store import open_trials
    from offline.text.evaluate import Asked, evaluate_run

    asked = Asked(
        split=options.split,
        days=tuple(options.day),
        lexicon=options.lexicon,
        lm=options.lm,
        beam=options.beam,
        tune=options.tune,
        new_day=options.new_day,
        minutes=options.adapt_minutes,
        flashlight=options.flashlight,
        pyctcdecode=options.pyctcdecode,
        llm=options.llm,
        context=options.context,
        deadline_s=options.deadline,
    )
    print("\n".join(evaluate_run(options.source, open_trials(options.data), asked, say).lines()))
    return 0


def _evaluate_windows(options: argparse.Namespace) -> int:
    from offline.contrastive.evaluate import evaluate_run

    prepared, features = _prepared(options.data, options.source)
    found = evaluate_run(
        options.source,
        prepared,
        features,
        options.split,
        options.subject or None,
        curves=not options.no_curves,
    )
    print("\n".join(found.lines()))
    if options.scores:
        found.scores.save(options.scores)
        say(f"wrote {options.scores}")
    if options.report:
        from offline.report.content import Content, NotRun, evaluated
        from offline.report.write import write_report

        one = evaluated(found.scores, study=prepared.name, model=options.source.name, blind=found.blind)
        missing = (
            NotRun("an untrained model", "evaluate a run of one update for it"),
            NotRun("ridge", "`offline train --model ridge`, of the recipe for continuous recordings"),
        )
        content = Content(f"{options.source.name} on {prepared.name}", (one,), found.curves, not_run=missing)
        for path in write_report(options.report, content):
            say(f"wrote {path}")
    return 0


def _evaluate_unseen(options: argparse.Namespace) -> int:
    """A run of continuous recordings, on a listener it was not trained on."""
    from offline.calibration.gain import unseen_scores
    from offline.contrastive.metrics import summarise

    if len(options.subject) != 1:
        raise ConfigError(
            "a run of continuous recordings is evaluated as a bundle, or on one unseen listener",
            hint="export it and give --bundle, or name the listener with --subject",
        )
    study = simulated(options.data)
    scores = unseen_scores(options.source, study, study.select(options.split, options.subject[0]))
    found = summarise(scores).top(10)
    print(
        f"{options.subject[0]}, unseen and not calibrated: top-10 {found.value:.1%} (chance "
        f"{found.chance:.1%}; n = {found.n} of {found.of})"
    )
    return 0


def run_report(options: argparse.Namespace) -> int:
    from offline.report.command import report_files

    for path in report_files(options.out, options.scores, options.runs, title=options.title):
        say(f"wrote {path}")
    return 0


def run_calibrate(options: argparse.Namespace) -> int:
    from offline.calibration.command import calibrate_run
    from offline.calibration.result import CalibrationSettings

    outcome = calibrate_run(
        options.source,
        options.data,
        options.subject,
        options.out,
        load=simulated,
        settings=CalibrationSettings(minutes=options.minutes),
        recording=options.recording,
        events=options.events,
        bundle=options.bundle,
        progress=say,
    )
    print("\n".join(outcome.lines()))
    return 0
