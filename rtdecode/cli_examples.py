"""Examples of every command of `rtdecode`, shown at the end of its --help. A test parses each."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "live": (
        "rtdecode live --stream EEG --bundle recordings/demo",
        "rtdecode live --stream EEG --bundle BUNDLE --record LOG --outlets decoded",
        "rtdecode live --stream EEG --bundle BUNDLE --headless --duration 60",
        "rtdecode live --stream Features --bundle BUNDLE --rescore MODEL --rescore-deadline 1.0",
    ),
    "replay": (
        "rtdecode replay recording.edf --stream EEG",
        "rtdecode replay LOG --stream EEG --speed 4 --loop",
        "rtdecode replay recording.edf --bundle BUNDLE --at 60 --speed 2",
    ),
    "streams": ("rtdecode streams", "rtdecode streams --bundle BUNDLE --assume-unit uV"),
    "bundle": ("rtdecode bundle recordings/demo", "rtdecode bundle BUNDLE --json"),
    "record": ("rtdecode record --stream EEG --out LOG --duration 600",),
    "review": (
        "rtdecode review LOG",
        "rtdecode review LOG --redecode",
        "rtdecode review LOG --export bids --out events.tsv",
    ),
    "report": ("rtdecode report LOG --out session.html",),
    "bridge": ("rtdecode bridge fieldtrip --unit fT --to-lsl MEG",),
    "doctor": ("rtdecode doctor", "rtdecode doctor --json"),
    "bench": ("rtdecode bench --quick", "rtdecode bench --grid 64x1000,306x1000 --json"),
    "engines": ("rtdecode engines BUNDLE", "rtdecode engines BUNDLE --only onnx,openvino --seconds 10"),
    "demo": ("rtdecode demo", "rtdecode demo --headless --duration 10"),
    "calibrate": (
        "rtdecode calibrate LOG --events heard.tsv --run RUN --data STUDY --subject sub-09 --out RUN9",
    ),
    "check": (
        "rtdecode check --stream EEG --bundle BUNDLE --markers story-markers --out check-today",
        "rtdecode check --stream EEG --bundle BUNDLE --headless --skip blink --out LOG",
    ),
    "watch": ("rtdecode watch", "rtdecode watch --web", "rtdecode watch --log LOG"),
    "completion": (
        'eval "$(rtdecode completion bash)"',
        'eval "$(rtdecode completion zsh)"',
        "rtdecode completion fish | source",
    ),
}
