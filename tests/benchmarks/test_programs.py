"""Each benchmark runs, once and very shortly, and writes what it has measured. How fast anything was is not asked."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shares

from tests.surface.tree import ROOT

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator is compiled on the spot")

SHORT = ["--rounds", "1", "--seconds", "0.02"]
SERVERS = ["TCP asyncio", "C asyncio", "listener asyncio", "coroutine asyncio", "sockets", "trio", "anyio"]
PEERS = ["websockets asyncio", "websockets sync", "aiohttp asyncio"]


def measured(program: str, folder: Path, *options: str) -> dict[str, Any]:
    """Run a benchmark; return its report."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{program}.py"), "--output", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((folder / f"{program}.json").read_text(encoding="utf-8"))
    assert report["failures"] == [], done.stderr
    assert report["benchmark"] == program
    assert {"platform", "processor", "congestion_control", "python", "versions"} <= report["machine"].keys()
    with (folder / f"{program}.csv").open(encoding="utf-8", newline="") as file:
        assert [row["case"] for row in csv.DictReader(file)] == [item["case"] for item in report["figures"]]
    assert all(value > 0 for item in report["figures"] for value in item["values"])
    return report


def chosen(cases: list[str], subjects: list[str]) -> list[str]:
    return [*(f"--case={case}" for case in cases), *(f"--subject={subject}" for subject in subjects)]


def pairs(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["case"], item["subject"]) for item in report["figures"]]


def test_echo_of_every_server(tmp_path: Path) -> None:
    case = "64 B, 1x1"
    report = measured("echo", tmp_path, *SHORT, *chosen([case], [*SERVERS, *PEERS]))
    assert pairs(report) == [(case, subject) for subject in [*SERVERS, *PEERS]]


def test_echo_of_every_kind(tmp_path: Path) -> None:
    cases = ["64 B, 100x16, two cores", "64 KiB, 1x64"]
    report = measured("echo", tmp_path, *SHORT, "--rounds", "2", *chosen(cases, ["C asyncio", "listener asyncio"]))
    assert [len(item["values"]) for item in report["figures"]] == [2] * 4


def test_engine(tmp_path: Path) -> None:
    cases = ["receive 64 B masked", "receive 1 KiB JSON deflated", "send 64 KiB client"]
    subjects = ["zlib", "limit", "pure", "aiohttp", "websockets"]
    report = measured("engine", tmp_path, "--rounds", "1", *chosen(cases, subjects))
    assert ("receive 1 KiB JSON deflated", "zlib") in pairs(report)
    assert ("receive 64 B masked", "limit") in pairs(report)
    assert ("receive 64 B masked", "zlib") not in pairs(report)  # it has nothing to inflate
    assert len(pairs(report)) == 3 * 3 + 1 + 2


def test_the_life_of_a_connection(tmp_path: Path) -> None:
    subjects = ["limit", "compiled", "picows", "aiohttp", "websockets", "wsproto"]
    report = measured("engine", tmp_path, "--rounds", "1", *chosen(["open and close"], subjects))
    assert [subject for _, subject in pairs(report)] == ["compiled", "picows", "websockets", "wsproto"]


def test_connections(tmp_path: Path) -> None:
    subjects = ["bare asyncio", "listener asyncio", "coroutine asyncio", "websockets asyncio", "workers"]
    report = measured("connections", tmp_path, *SHORT, *chosen([], subjects))
    alone, together = "one process", "two workers, by the clock"
    assert pairs(report) == [*((alone, subject) for subject in subjects[:-1]), (together, "workers")]


def test_memory(tmp_path: Path) -> None:
    subjects = ["TCP asyncio", "listener asyncio", "coroutine asyncio", "websockets asyncio"]
    report = measured("memory", tmp_path, "--rounds", "1", "--connections", "200", *chosen([], subjects))
    assert len(pairs(report)) == 1 + 3 * 3  # a bare transport has no permessage-deflate


def test_broadcast(tmp_path: Path) -> None:
    subjects = ["bare asyncio", "listener asyncio", "coroutine asyncio", "aiohttp asyncio", "websockets asyncio"]
    report = measured("broadcast", tmp_path, *SHORT, "--clients", "20", *chosen([], subjects))
    assert [subject for _, subject in pairs(report)] == subjects


def test_growth(tmp_path: Path) -> None:
    cases = ["100 connections", "1 000 frames a read", "a KiB of 1 MiB"]
    report = measured("growth", tmp_path, *SHORT, *chosen(cases, ["TCP asyncio", "listener asyncio"]))
    assert len(pairs(report)) == 6


@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf: apt install linux-perf")
def test_shares(tmp_path: Path) -> None:
    report = measured("shares", tmp_path, "--seconds", "0.2", "--case", "handshakes")
    assert {("kernel", "handshakes: listener asyncio"), ("interpreter", "handshakes: bare asyncio")} <= {*pairs(report)}


@pytest.mark.parametrize(
    ("sample", "part"),
    [
        ("ffffffff813a2313 finish_task_switch.isra.0 ([kernel.kallsyms])", "kernel"),
        ("7fc66aafde8f _PyEval_EvalFrameDefault (/usr/lib/libpython3.11.so.1.0)", "interpreter"),
        ("7fc66aafde8f _PyEval_EvalFrameDefault (/usr/bin/python3.11)", "interpreter"),
        ("7fc66aafde8f visit_decref (/usr/bin/python3.11)", "garbage collector"),
        ("7fc66aafde8f func_traverse (/usr/lib/libpython3.13.so.1.0)", "garbage collector"),
        (
            "7fc66aafde8f task_step (/usr/lib/python3.11/lib-dynload/_asyncio.cpython-311-x86_64-linux-gnu.so)",
            "interpreter",
        ),
        ("7fc66988dab2 f(int, char) (/venv/lib/python3.11/site-packages/uvloop/loop.cpython-311.so)", "extensions"),
        ("7fc66aafde8f [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)", "C library"),
        ("7fc66aafde8f inflate_fast (/usr/lib/x86_64-linux-gnu/libz.so.1.2.13)", "zlib"),
    ],
)
def test_whose_a_sample_is(sample: str, part: str) -> None:
    assert shares.part_of(sample) == part


def test_simulator(tmp_path: Path) -> None:
    report = measured("simulator", tmp_path, "--rounds", "1", "--count", "3")
    kinds = ("WebSocket", "datagrams", "WebSocket, two cores", "datagrams, two cores")
    assert pairs(report) == [(case, twin) for case in kinds for twin in ("compiled", "pure")]


@pytest.mark.parametrize("path", ["receive", "send", "send masked", "echo"])
def test_the_hot_paths_run(path: str) -> None:
    program = ROOT / "benchmarks" / "hot_paths.py"
    done = subprocess.run([sys.executable, program, path, "1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
