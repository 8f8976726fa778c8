"""Make sure that the peers of the interop tests are on this machine: Node with its `ws` package, Chromium, and proxies.

What is missing is installed: the programs as Debian packages (root only), `ws` with npm. What cannot be installed is
named with its reason and written to `.peers.json`, which the tests read for their skip messages; with CI=true it is an
error. With everything in place this takes a few milliseconds.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_FOLDER = ROOT / "tests" / "interop" / "node"
REPORT = ROOT / ".peers.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Proxies, and the Debian packages with the programs. None of these listens anywhere before a test has it do so.
PROXIES = {"tinyproxy": "tinyproxy-bin", "microsocks": "microsocks", "haproxy": "haproxy"}
INSTALL_TIMEOUT = 900.0


class Missing(Exception):
    """A peer cannot be had here; the text is the reason."""


def main() -> int:
    """Prepare every peer; return the exit status."""
    preparations: dict[str, Callable[[], None]] = {"ws": prepare_ws, "chromium": prepare_chromium}
    preparations |= {program: functools.partial(prepare_proxy, program) for program in PROXIES}
    reasons = {peer: reason_without(prepare) for peer, prepare in preparations.items()}
    REPORT.write_text(json.dumps(reasons, indent=2) + "\n", encoding="utf-8")
    for peer, reason in reasons.items():
        print(f"prepare: {peer}: {'ready' if reason is None else 'MISSING: ' + reason}")
    if any(reasons.values()) and in_ci():
        print("prepare: CI must run every test, so a missing peer is an error", file=sys.stderr)
        return 1
    return 0


def reason_without(prepare: Callable[[], None]) -> str | None:
    """Run one preparation; return None, or why the peer is missing."""
    try:
        prepare()
    except Missing as missing:
        return str(missing)
    return None


def prepare_ws() -> None:
    """Install the pinned `ws` below tests/interop/node, and Node where there is none."""
    if not (shutil.which("node") and shutil.which("npm")):
        install_debian("nodejs", "npm")
    wanted = json.loads((NODE_FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]["ws"]
    installed = NODE_FOLDER / "node_modules" / "ws" / "package.json"
    if installed.exists() and json.loads(installed.read_text(encoding="utf-8"))["version"] == wanted:
        return
    run("npm", "install", "--ignore-scripts", "--loglevel=error", cwd=NODE_FOLDER)


def prepare_chromium() -> None:
    """Install Debian's Chromium where there is no browser of its family."""
    if not any(map(shutil.which, BROWSERS)):
        install_debian("chromium")


def prepare_proxy(program: str) -> None:
    """Install a proxy where it is missing."""
    if not shutil.which(program):
        install_debian(PROXIES[program])


def install_debian(*packages: str) -> None:
    """Install Debian packages, or raise Missing with the reason why not."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise Missing(f"not installed, and there is no apt-get to install {names} with")
    if os.geteuid() != 0:
        raise Missing(f"not installed, and only root can: apt-get install {names}")
    print(f"prepare: installing {names}", flush=True)
    update_package_lists()
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


@functools.cache
def update_package_lists() -> None:
    """Ask for the package lists, once a run."""
    run("apt-get", "update", "-qq")


def run(*command: str, cwd: Path = ROOT) -> None:
    """Run a command quietly; raise Missing with its last words when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_TIMEOUT,
        )
    except subprocess.CalledProcessError as error:
        last_words = " / ".join(error.output.strip().splitlines()[-3:])
        raise Missing(f"`{' '.join(command)}` failed: {last_words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"`{' '.join(command)}` failed: {error}") from error


def recorded_reason(peer: str) -> str | None:
    """Why a peer is missing, as the last run wrote it down; ``None`` where it said nothing of the kind."""
    reasons: dict[str, str | None] = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    return reasons.get(peer)


def in_ci() -> bool:
    """Whether a missing peer is an error: CI is set, and not to a no."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


if __name__ == "__main__":
    sys.exit(main())
