"""What the application is made of: pins, licences, a list of components, known faults, secrets, careless code.

    .venv/bin/python -m bench.security.supply_chain        # what `make audit` runs

Writes `instance/sbom.json` (CycloneDX) and `instance/licences.md`. The database of known faults is asked over the
network: where it cannot be reached nothing is known, and that is what is said.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.security import Promise, table

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "instance"
LOCKS = ("requirements.txt", "requirements/dev.txt", "requirements/bench.txt", "requirements/audit.txt")
SECONDS = 600
AUDIT_SECONDS = 120
NOTHING_KNOWN = "nothing is known"
PRODUCT: tuple[str, ...] = ("app.py", "config.py", "errors.py", "gunicorn.conf.py", "admin", "cli", "drivers", "egress")
PRODUCT += ("gateway", "install", "models", "sentences", "services", "web")
# Statements that are put together are proved by the suites of filters and names, and each has its reason for Ruff.
PUT_TOGETHER = "B608"
# Whoever passes the app on would have to pass on its source under the same licence.
COPYLEFT = re.compile(r"\b(?:AGPL|GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser General", re.IGNORECASE)
#: Lists of hashes, libraries of others, and sentences.
PASSED_LINES = r'MEMBER = "|"data:image/svg|^    "[\w+/=]{40,}"$|parametrize\("code"'
"""Ids of portals, images and codes of errors, which look like secrets."""
PASSED_FILES = r"^(requirements/.*\.txt|requirements\.txt|static/vendor/.*|translations/.*)$"


def run(*command: str, seconds: float = SECONDS) -> str:
    """What a tool of this environment prints; its exit code says what was found, so it is not looked at."""
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [str(tool), *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True, timeout=seconds
    )
    if not done.stdout.strip():
        raise RuntimeError(f"{command[0]}: {done.stderr[-1000:]}")
    return done.stdout


def pins() -> Promise:
    """Every dependency has one version and hashes."""
    loose = []
    for lock in LOCKS:
        for block in re.split(r"\n(?=[A-Za-z])", (ROOT / lock).read_text("utf-8")):
            name = re.match(r"([A-Za-z][\w.\[\]-]*)", block)
            if name and not ("==" in block and "--hash=sha256:" in block):
                loose.append(f"{lock}: {name[1]}")
    return Promise("dependencies have one version and hashes", "0 loose", f"{len(loose)} loose {loose[:5]}", not loose)


def names_of(lock: str) -> list[str]:
    """The packages that a lock pins."""
    return re.findall(r"^([A-Za-z][\w.-]*)(?:\[[^\]]*\])?==", (ROOT / lock).read_text("utf-8"), re.MULTILINE)


def licences() -> Promise:
    """The application's dependencies have known licences that let it be passed on."""
    found: list[dict[str, str]] = json.loads(run("pip-licenses", "--format=json", "--packages", *names_of(LOCKS[0])))
    rows = sorted((row["Name"], row["Version"], row["License"]) for row in found)
    lines = ["| package | version | licence |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    (KEPT / "licences.md").write_text("\n".join(lines) + "\n", "utf-8")
    bad = [f"{name}: {text}" for name, _, text in rows if is_forbidden(text)]
    measured = f"{len(rows)} packages, {len(bad)} others {bad[:5]}"
    return Promise("licences are known and let the app be passed on", "0 others", measured, bool(rows) and not bad)


def is_forbidden(licence: str) -> bool:
    """Whether a licence is unknown, or wants the app's own source under it."""
    return licence.strip().upper() in ("", "UNKNOWN") or bool(COPYLEFT.search(LESSER.sub("", licence)))


def components() -> Promise:
    """A CycloneDX list holds every dependency of the application."""
    listed = run("cyclonedx-py", "requirements", LOCKS[0], "--output-format", "JSON")
    (KEPT / "sbom.json").write_text(listed, "utf-8")
    names = {component["name"].lower() for component in json.loads(listed)["components"]}
    missing = [name for name in names_of(LOCKS[0]) if name.lower() not in names]
    measured = f"{len(names)} listed, {len(missing)} missing"
    return Promise("a CycloneDX list holds every dependency", "0 missing", measured, not missing)


def known_faults() -> Promise:
    """No dependency has a fault that is known and mended; or it is said that nothing is known."""
    promise, target = "no dependency has a known fault", "0 known"
    try:
        told = run(
            "pip-audit", "-r", LOCKS[0], "--disable-pip", "--require-hashes", "--format=json", seconds=AUDIT_SECONDS
        )
        return of_audit(promise, target, json.loads(told)["dependencies"])
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as problem:
        return Promise(promise, target, f"the audit failed, {NOTHING_KNOWN}: {str(problem)[-200:]}", kept=False)


def of_audit(promise: str, target: str, dependencies: list[dict[str, Any]]) -> Promise:
    """What an audit found; packages that it skipped were not looked at."""
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    faults = [f"{each['name']}: {fault['id']}" for each in dependencies for fault in each.get("vulns", ())]
    if skipped and not faults:
        measured = f"{len(faults)} known; the database was not reached for {len(skipped)} of {len(dependencies)}"
        return Promise(promise, target, f"{measured}, {NOTHING_KNOWN} of them {faults}", kept=False)
    measured = f"{len(faults)} known of {len(dependencies)} {faults}"
    return Promise(promise, target, measured, bool(dependencies) and not faults)


def secrets() -> Promise:
    """No file of the repository holds what looks like a secret."""
    options = ("--disable-plugin", "KeywordDetector", "--disable-plugin", "BasicAuthDetector")
    passed_over = ("--exclude-files", PASSED_FILES, "--exclude-lines", PASSED_LINES)
    found = json.loads(run("detect-secrets", "scan", *options, *passed_over))["results"]
    places = [f"{path}:{row['line_number']}" for path, rows in found.items() for row in rows]
    return Promise("no secret stands in the repository", "0 places", f"{len(places)} {places[:5]}", not places)


def careless_code() -> Promise:
    """Bandit finds nothing of medium severity or above in the product."""
    told = run("bandit", "-q", "-r", *PRODUCT, "-ll", "--skip", PUT_TOGETHER, "-f", "json")
    found = [f"{row['filename']}:{row['line_number']} {row['test_id']}" for row in json.loads(told)["results"]]
    return Promise("bandit finds nothing of medium severity", "0 places", f"{len(found)} {found[:5]}", not found)


def measure() -> Iterator[Promise]:
    """All of it."""
    KEPT.mkdir(exist_ok=True)
    for part in (pins, licences, components, known_faults, secrets, careless_code):
        yield part()


def main() -> int:
    """Print the table; 1 if a promise is broken. That nothing could be found out is said, and breaks none."""
    promises = list(measure())
    print(table(promises))
    return 0 if all(promise.kept or NOTHING_KNOWN in promise.measured for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
