"""Play random conversations of two engines under virtual time, and print how many a second run.

`tools/scenarios.py [COUNT]` plays the seeds from 0; `tools/scenarios.py --seed SEED` plays one and prints its story.
"""

from __future__ import annotations

import argparse
import gc
from time import perf_counter

from wsproto_core.testing import run_scenario


def main() -> None:
    parser = argparse.ArgumentParser(description="Play random conversations of two engines.")
    parser.add_argument("count", type=int, nargs="?", default=1000, metavar="COUNT", help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, metavar="SEED", help="play this one only, and print what happens")
    options = parser.parse_args()
    if options.seed is not None:
        print(run_scenario(options.seed))
        return
    play(min(options.count, 50))  # the first ones pay for imports and caches
    gc.collect()
    gc.freeze()  # what there is by now is not looked through again and again
    began = perf_counter()
    play(options.count)
    seconds = perf_counter() - began
    print(f"{options.count} scenarios in {seconds:.2f} s: {options.count / seconds:.0f} a second")


def play(count: int) -> None:
    """Play the seeds below ``count``."""
    for seed in range(count):
        run_scenario(seed)


if __name__ == "__main__":
    main()
