"""A page as a real browser sees it: headless Chromium, its document dumped, and axe's findings in it.

axe is taken from RTDECODE_AXE (a path to axe.min.js), from the package axe-core-python, or fetched with npm
once and kept in the cache of pytest.
"""

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tarfile
from html import unescape
from pathlib import Path
from typing import Any

import pytest

AXE = "axe-core@4"
LIGHT, DARK = 1, 0  # Chromium's numbers for preferredColorScheme
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_RUN = """
addEventListener('load', async () => {
  let said;
  try {
    const found = await axe.run(document, {resultTypes: ['violations']});
    said = {dark: matchMedia('(prefers-color-scheme: dark)').matches, passes: found.passes.length,
            violations: found.violations.map(v => ({id: v.id, impact: v.impact,
              nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)}))};
  } catch (problem) { said = {error: String(problem)}; }
  const out = document.createElement('pre');
  out.id = 'axe-found';
  out.textContent = JSON.stringify(said);
  document.body.append(out);
});
"""


@functools.cache
def chromium() -> str:
    """The browser's path; skips where there is none."""
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(_CHROMIUM)} is installed")
    return found


def dump_dom(page: Path, profile: Path, scheme: int = LIGHT, *options: str) -> str:
    """The document after its scripts ran."""
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
        f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=20000", *options,
        "--dump-dom", page.resolve().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def axe_script(cache: Path) -> str:
    """The text of axe.min.js; skips where it cannot be had."""
    given = os.environ.get("RTDECODE_AXE")
    if given:
        return Path(given).read_text("utf-8")
    bundled = importlib.util.find_spec("axe_core_python")
    if bundled and bundled.submodule_search_locations:
        found = sorted(Path(bundled.submodule_search_locations[0]).rglob("axe.min.js"))
        if found:
            return found[0].read_text("utf-8")
    kept = cache / "axe.min.js"
    if not kept.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no axe: set RTDECODE_AXE to an axe.min.js, or install npm")
        packed = subprocess.run(
            [npm, "pack", AXE, "--silent"], cwd=cache, capture_output=True, text=True, timeout=60, check=False
        )
        name = packed.stdout.strip().splitlines()[-1] if packed.stdout.strip() else ""
        if packed.returncode or not (cache / name).is_file():
            pytest.skip(f"no axe: npm could not fetch {AXE}")
        with tarfile.open(cache / name) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            kept.write_bytes(member.read())
    return kept.read_text("utf-8")


def axe(page: Path, script: str, profile: Path, scheme: int) -> dict[str, Any]:
    """axe's findings in a file: {dark, passes, violations: [{id, impact, nodes}]}. The policy that forbids
    scripts is taken out of a copy of the page."""
    html = page.read_text("utf-8")
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    html = html.replace("<details>", "<details open>")  # what is folded away is read as well
    probed = page.with_name(f"{page.stem}-axe.html")
    probed.write_text(html.replace("</head>", f"<script>{script}</script><script>{_RUN}</script></head>"))
    dom = dump_dom(probed, profile, scheme)
    found = re.search(r'<pre id="axe-found">(.*?)</pre>', dom, re.DOTALL)
    assert found, "axe gave no answer"
    said: dict[str, Any] = json.loads(unescape(found[1]))
    assert "error" not in said, said
    return said
