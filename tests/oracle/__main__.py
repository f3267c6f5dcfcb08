"""`python -m tests.oracle`: run programs, and show where the linter and they disagree."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from .fix_report import fix_batches, smallest_broken
from .modes import MODES, SESSIONS, Mode
from .report import Tally, batch, explain, smallest
from .shrink import without_prelude

CHUNK = 50


def main() -> int:
    rules = sorted({rule for mode in MODES.values() for rule in mode.rules})
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--programs", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--async", action="store_true", dest="is_async", help="programs with AsyncSession")
    parser.add_argument("--harms", choices=MODES, default=SESSIONS.name, help="what the programs are written for")
    parser.add_argument("--rule", action="append", choices=rules, help="compare this rule only; may be repeated")
    parser.add_argument("--fixes", action="store_true", help="fix what is reported, and run the result")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, metavar="N", help="examples of each kind of disagreement")
    options = parser.parse_args()
    if options.fixes:
        return _fix(options)
    mode = MODES[options.harms]
    options.is_async = options.is_async or mode.flavors == (True,)
    tally = _run(options, mode)
    for kind, text in smallest(tally, options.show):
        print(f"--- {kind}\n{without_prelude(text)}\n{explain(text, kind)}\n", flush=True)
    print(tally)
    return 1 if tally.found else 0


def _fix(options: argparse.Namespace) -> int:
    tally = fix_batches(options.seed, options.programs, is_async=options.is_async, jobs=options.jobs)
    for text in smallest_broken(tally, options.show):
        print(f"{text}\n", flush=True)
    print(tally)
    return 1 if tally.broken else 0


def _run(options: argparse.Namespace, mode: Mode) -> Tally:
    work = partial(batch, options.seed, is_async=options.is_async, mode=mode, rules=options.rule)
    chunks = [range(i, min(i + CHUNK, options.programs)) for i in range(0, options.programs, CHUNK)]
    start, tally = time.monotonic(), Tally()
    if options.jobs == 1:
        for chunk in chunks:
            tally.add(work(chunk))
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
            jobs = [pool.submit(work, chunk) for chunk in chunks]
            for job in jobs:
                tally.add(job.result())
    tally.seconds = time.monotonic() - start
    return tally


if __name__ == "__main__":
    sys.exit(main())
