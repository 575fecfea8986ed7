"""What `offline report` does: files of scores and a table of runs become a report. Never prints."""

from collections.abc import Sequence
from pathlib import Path

from offline.contrastive.baselines import blind_baselines
from offline.contrastive.curves import Curve, candidate_curve
from offline.contrastive.scores import load_scores
from offline.report.content import Content, Evaluated, NotRun, evaluated, read_learning
from offline.report.write import write_report
from rtdecode.errors import ConfigError


def report_files(
    out: str | Path,
    scores: Sequence[str | Path] = (),
    runs: str | Path | None = None,
    *,
    title: str = "Decoding speech from the brain",
    not_run: Sequence[NotRun] = (),
) -> tuple[Path, Path]:
    """Write `out`.html and .csv.

    scores   files that `offline evaluate --scores` wrote: a result each, named by what they say of themselves
    runs     CSV of trained models (`content.LearningRow`), for the learning curve
    Raises ConfigError when there is nothing to report, StudyError for a file that cannot be read.
    """
    if not scores and runs is None:
        raise ConfigError("nothing to report", hint="give --scores FILE … or --runs TABLE")
    results: list[Evaluated] = []
    curves: list[Curve] = []
    for path in scores:
        found = load_scores(path)
        about = found.about
        study, model = str(about.get("study", Path(path).stem)), str(about.get("model", Path(path).stem))
        window_s = float(about.get("window_s", 3.0))
        results.append(
            evaluated(found, study=study, model=model, blind=blind_baselines(found), window_s=window_s)
        )
        line = candidate_curve(found)
        curves.append(Curve(line.title, line.x_label, line.points, f"{study}, {model}", line.log_x))
    learning = read_learning(runs) if runs is not None else ()
    return write_report(
        out, Content(title, tuple(results), tuple(curves), learning=learning, not_run=tuple(not_run))
    )
