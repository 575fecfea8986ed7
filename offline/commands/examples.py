"""Examples of every command of `offline`, shown at the end of its --help. A test parses each."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "simulate": (
        "offline simulate studies/planted --subjects 2 --minutes 10",
        "offline simulate studies/days --layout willett2023 --days 2",
    ),
    "cut": (
        "offline cut EEG.xdf --seconds 90 --out demo.xdf",
        "offline cut prepared/t12 --split test --day t12.2022.08.25 --out trials.xdf",
    ),
    "fetch": ("offline fetch gwilliams2022 --data studies/gwilliams2022 --only '*sub-01*'",),
    "prepare": (
        "offline prepare --study brennan2019 --data studies/alice --out prepared/alice --config reference",
    ),
    "convert-checkpoint": ("offline convert-checkpoint facebook/wav2vec2-large-xlsr-53 --out checkpoint",),
    "train": (
        "offline train --data STUDY --config demo --out RUN                       # streams live",
        "offline train --data PREPARED --config reference --out RUN               # as published",
        "offline train --data PREPARED --config text-transformer --out RUN        # brain to text",
        "offline train --study cocktail --data DIR --model ridge --hold-out 3 --out BUNDLE",
        "torchrun --nproc-per-node 2 -m offline train --data PREPARED --config reference --out RUN",
    ),
    "sweep": ("offline sweep learning-rates.toml --dry-run",),
    "export": (
        "offline export --run RUN --data STUDY --out BUNDLE",
        "offline export --run RUN --data PREPARED --lexicon words.txt --lm train --out BUNDLE",
    ),
    "evaluate": (
        "offline evaluate --bundle BUNDLE --data STUDY",
        "offline evaluate --run RUN --data PREPARED --report RUN/report.html",
        "offline evaluate --run RUN --data PREPARED --lexicon words.txt --lm words.arpa --tune",
    ),
    "report": ("offline report --out report.html --scores a.npz --runs runs.csv",),
    "calibrate": ("offline calibrate --run RUN --data STUDY --subject sub-09 --minutes 5 --out RUN9",),
    "completion": (
        'eval "$(offline completion bash)"',
        'eval "$(offline completion zsh)"',
        "offline completion fish | source",
    ),
}
