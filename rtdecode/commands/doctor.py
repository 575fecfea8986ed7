"""`rtdecode doctor`: what this machine has, what is missing and how to get it."""

import json

from rtdecode.config import to_json
from rtdecode.doctor import Finding, examine


def run_doctor(*, seconds: float = 2.0, as_json: bool = False) -> int:
    """Print each finding as it is made; 1 when something failed, else 0. seconds: of the loopback test."""
    findings: list[Finding] = []
    for finding in examine(seconds):
        findings.append(finding)
        if not as_json:
            print(line(finding), flush=True)
    if as_json:
        print(json.dumps([to_json(finding) for finding in findings], ensure_ascii=False))
    failed = sum(finding.level == "fail" for finding in findings)
    if not as_json:
        warned = sum(finding.level == "warn" for finding in findings)
        print(f"{failed} failed, {warned} to look at" if failed or warned else "all is well")
    return int(failed > 0)


def line(finding: Finding) -> str:
    """One finding as one line, its remedy after an arrow."""
    remedy = f"  → {finding.remedy}" if finding.remedy else ""
    level = "–" if finding.level == "absent" else finding.level
    return f"{level:<4}  {finding.what:<18} {finding.said}{remedy}"
