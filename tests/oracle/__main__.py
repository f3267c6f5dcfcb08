"""`python -m tests.oracle`: run programs, and show where the linter and they disagree."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from .fix_report import fix_batches, smallest_broken
from .programs import ASYNC_PRELUDE, PRELUDE
from .report import Tally, batch, explain, smallest
from .verdict import COMPARED

CHUNK = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--programs", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--async", action="store_true", dest="is_async", help="programs with AsyncSession")
    parser.add_argument("--rule", action="append", choices=COMPARED, help="compare this rule only; may be repeated")
    parser.add_argument("--fixes", action="store_true", help="fix what is reported, and run the result")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, metavar="N", help="examples of each kind of disagreement")
    options = parser.parse_args()
    if options.fixes:
        return _fix(options)
    tally = _run(options)
    prelude = (ASYNC_PRELUDE if options.is_async else PRELUDE).strip()
    for kind, text in smallest(tally, options.show):
        print(f"--- {kind}\n{text.removeprefix(prelude).strip()}\n{explain(text, kind)}\n", flush=True)
    print(tally)
    return 1 if tally.found else 0


def _fix(options: argparse.Namespace) -> int:
    tally = fix_batches(options.seed, options.programs, is_async=options.is_async, jobs=options.jobs)
    for text in smallest_broken(tally, options.show):
        print(f"{text}\n", flush=True)
    print(tally)
    return 1 if tally.broken else 0


def _run(options: argparse.Namespace) -> Tally:
    rules = options.rule or COMPARED
    chunks = [range(i, min(i + CHUNK, options.programs)) for i in range(0, options.programs, CHUNK)]
    start, tally = time.monotonic(), Tally()
    if options.jobs == 1:
        for chunk in chunks:
            tally.add(batch(options.seed, chunk, is_async=options.is_async, rules=rules))
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
            jobs = [pool.submit(batch, options.seed, c, is_async=options.is_async, rules=rules) for c in chunks]
            for job in jobs:
                tally.add(job.result())
    tally.seconds = time.monotonic() - start
    return tally


if __name__ == "__main__":
    sys.exit(main())
