"""The look of a report, light and dark. Text and lines keep a contrast of 4.5 with the background in both."""

LIGHT = {
    "--paper": "#ffffff", "--ink": "#1a1d21", "--faint": "#d5d9de", "--soft": "#f3f5f7", "--alarm": "#a4161a",
    "--s1": "#1b5e9e", "--s2": "#b3470b", "--s3": "#2e7d32", "--s4": "#7b2d8b", "--s5": "#6b6300",
    "--s6": "#00707a",
}  # fmt: skip
DARK = {
    "--paper": "#14171a", "--ink": "#e8eaed", "--faint": "#3a4048", "--soft": "#1d2126", "--alarm": "#ff8a80",
    "--s1": "#7db8f0", "--s2": "#f0a070", "--s3": "#8fd694", "--s4": "#d79be0", "--s5": "#d6d060",
    "--s6": "#6fd3dc",
}  # fmt: skip


def _variables(values: dict[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in values.items())


STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:70rem;margin:0 auto;padding:1rem 1.25rem 4rem}"
    "h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.25rem;margin-top:2.5rem}h3{font-size:1.05rem}"
    "p,figcaption{max-width:46rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dd{margin:0}"
    ".wide{overflow-x:auto}.wide:focus-visible{outline:2px solid var(--s1)}"
    "table{border-collapse:collapse;font-size:.875rem;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600;padding:.25rem 0}"
    "th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--faint);white-space:nowrap}"
    "th[scope=row]{text-align:left;font-weight:400}thead th{background:var(--soft);vertical-align:bottom}"
    "figure{margin:.5rem 0}svg{width:100%;max-width:46rem;height:auto;display:block}"
    "details{margin:.25rem 0 1rem}summary{cursor:pointer}"
    ".alarm{border:2px solid var(--alarm);padding:0 1rem;margin:1rem 0}"
    ".alarm h2{color:var(--alarm);margin-top:1rem}"
    "@media print{.wide{overflow:visible}}"
)
