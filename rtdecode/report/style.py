"""The look of a session report, light and dark. Text keeps a contrast of 4.5 with its ground in both."""

LIGHT = {
    "--paper": "#ffffff", "--ink": "#1a1d21", "--faint": "#d5d9de", "--soft": "#f3f5f7", "--alarm": "#a4161a",
    "--s1": "#1b5e9e", "--s2": "#b3470b", "--s3": "#2e7d32", "--s4": "#7b2d8b", "--s5": "#6b6300",
    "--s6": "#00707a", "--c0": "#f7c9bd", "--c1": "#fbe3bf", "--c2": "#eef0d5", "--c3": "#ffffff",
}  # fmt: skip
DARK = {
    "--paper": "#14171a", "--ink": "#e8eaed", "--faint": "#3a4048", "--soft": "#1d2126", "--alarm": "#ff8a80",
    "--s1": "#7db8f0", "--s2": "#f0a070", "--s3": "#8fd694", "--s4": "#d79be0", "--s5": "#d6d060",
    "--s6": "#6fd3dc", "--c0": "#6b2b1e", "--c1": "#5a4312", "--c2": "#33391c", "--c3": "#14171a",
}  # fmt: skip


def _variables(values: dict[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in values.items())


STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "header,nav,main,footer{max-width:62rem;margin:0 auto;padding:.25rem 1.25rem}"
    "header{padding-top:1.25rem}footer{padding-bottom:3rem;border-top:1px solid var(--faint)}"
    "a{color:var(--s1)}nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.25rem 0}h2{font-size:1.25rem;margin-top:2.5rem}"
    "h3{font-size:1.05rem}p,figcaption,.says{max-width:46rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}"
    "dd{margin:0;overflow-wrap:anywhere}"
    ".wide{overflow-x:auto}.wide:focus-visible,summary:focus-visible,a:focus-visible"
    "{outline:2px solid var(--s1)}"
    "table{border-collapse:collapse;font-size:.875rem;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600;padding:.25rem 0}"
    "th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--faint);white-space:nowrap}"
    "th[scope=row],.left{text-align:left}th[scope=row]{font-weight:400}"
    "thead th{background:var(--soft);vertical-align:bottom}"
    "td.long{white-space:normal;text-align:left;overflow-wrap:anywhere;min-width:16rem}"
    "figure{margin:.5rem 0}svg{width:100%;max-width:56rem;height:auto;display:block}"
    "details{margin:.25rem 0 1rem}summary{cursor:pointer}"
    ".read{font-size:1.1rem;line-height:2;max-width:46rem}.read p{margin:.25rem 0}"
    ".read .at{font-size:.8rem;margin-right:.6rem;font-variant-numeric:tabular-nums}"
    ".w{padding:.1rem .15rem;border-radius:.2rem}.w small{font-size:.75rem;margin-left:.1rem}"
    ".c0{background:var(--c0);border-bottom:3px double}.c1{background:var(--c1);border-bottom:2px dashed}"
    ".c2{background:var(--c2);border-bottom:1px dotted}.c3{background:var(--c3)}"
    ".alarm{border:2px solid var(--alarm);padding:0 1rem;margin:1rem 0}"
    ".alarm h2{color:var(--alarm);margin-top:1rem}"
    "@media(max-width:40rem){dl{grid-template-columns:1fr}dt{font-weight:600}}"
    "@media print{.wide{overflow:visible}nav{display:none}}"
)
