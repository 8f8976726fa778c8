"""Play random conversations under virtual time, and print how many a second that makes.

`tools/scenarios.py [COUNT]` plays the seeds from 0; `--seed SEED` plays one and prints its story. A seed that fails is
shrunk, and kept in `tests/core/testing/corpus/`, where a test plays it for ever: say there what it was about.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
from multiprocessing import Pool
from pathlib import Path
from time import process_time
from typing import Any

from wsproto_core.testing import (
    DatagramScript,
    Script,
    datagram_script,
    load_script,
    run_script,
    save_script,
    shrink,
    stream_script,
)

CORPUS = Path(__file__).resolve().parents[1] / "tests/core/testing/corpus"


def main() -> int:
    options = parse()
    if options.renew:
        return renew(options.corpus)
    if options.file is not None:
        script = load_script(json.loads(options.file.read_text(encoding="utf-8"))["script"])
        return tell(script)
    if options.seed is not None:
        return tell(make(options, options.seed))
    return play_all(options)


def play_all(options: argparse.Namespace) -> int:
    """Play the seeds from 0, each job its share of them, and tell how fast that was."""
    shares = [(options, range(job, options.count, options.jobs)) for job in range(options.jobs)]
    if options.jobs == 1:
        results = [play(*shares[0])]
    else:
        with Pool(options.jobs) as pool:
            results = pool.starmap(play, shares, chunksize=1)
    failed = [seed for seed, _ in results if seed is not None]
    if failed:
        return keep(options, min(failed))
    many, seconds = options.count * options.connections, max(seconds for _, seconds in results)
    where = "one core" if options.jobs == 1 else f"each of {options.jobs} cores"
    print(f"{many} conversations in {seconds:.2f} s of {where}: {many / seconds:.0f} a second")
    return 0


def play(options: argparse.Namespace, seeds: range) -> tuple[int | None, float]:
    """The first of ``seeds`` that fails, if any does, and the seconds of a core that they took."""
    warm_up(options)
    began = process_time()
    failed = next((seed for seed in seeds if failure(make(options, seed)) is not None), None)
    return failed, process_time() - began


def warm_up(options: argparse.Namespace) -> None:
    """Let others than those that count pay for imports and caches."""
    for seed in range(50):
        with contextlib.suppress(AssertionError):
            run_script(make(options, seed))
    gc.collect()
    gc.freeze()  # what there is by now is not looked through again and again


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play random conversations under virtual time.")
    parser.add_argument("count", type=int, nargs="?", default=1000, metavar="COUNT", help="how many (default: 1000)")
    parser.add_argument("--datagrams", action="store_true", help="clients of a datagram server, not WebSocket")
    parser.add_argument("--connections", type=int, default=1, metavar="N", help="so many at the same time (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="on so many cores (default: 1)")
    parser.add_argument("--seed", type=int, metavar="SEED", help="play this one only, and print what happens")
    parser.add_argument("--file", type=Path, metavar="FILE", help="play one of the corpus, and print what happens")
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="FOLDER", help="where to keep a failure")
    parser.add_argument("--renew", action="store_true", help="write down what the stories of the corpus are now")
    return parser.parse_args()


def make(options: argparse.Namespace, seed: int) -> Script | DatagramScript:
    """What follows from ``seed``."""
    if options.datagrams:
        return datagram_script(seed, clients=options.connections)
    return stream_script(seed, connections=options.connections)


def tell(script: Script | DatagramScript) -> int:
    """Play one and print its story and its fingerprint."""
    scenario = run_script(script)
    print(scenario)
    print(scenario.digest)
    return 0


def keep(options: argparse.Namespace, seed: int) -> int:
    """Shrink a seed that failed, and keep what is left of it."""
    script = make(options, seed)
    error = failure(script)
    print(f"seed {seed} fails: {error}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
    script = shrink(script, lambda smaller: failure(smaller) is not None)
    data: dict[str, Any] = {"about": str(failure(script)), "story": [], "script": save_script(script)}
    options.corpus.mkdir(parents=True, exist_ok=True)
    path = options.corpus / f"{data['script']['kind']}-{seed}.json"
    write(path, data)
    print(f"what is left of it is in {path}", file=sys.stderr)
    return 1


def renew(corpus: Path) -> int:
    """Play what was kept, and write down how it ends now: for `git diff` to show."""
    for path in sorted(corpus.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        data["story"] = str(run_script(load_script(data["script"]))).splitlines()
        write(path, data)
    return 0


def write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def failure(script: Script | DatagramScript) -> AssertionError | None:
    """What is wrong when ``script`` is played."""
    try:
        run_script(script)
    except AssertionError as error:
        return error
    return None


if __name__ == "__main__":
    sys.exit(main())
