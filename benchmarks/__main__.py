"""``python -m benchmarks``: measure, print the table, keep it in ``benchmarks/results.md``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.cases import CASES, ON_REQUEST
from benchmarks.measure import ContenderFailedError
from benchmarks.report import Row, markdown, write
from benchmarks.sets import SETS


def main() -> int:
    """Run the chosen cases. Exit code 1 when a target is missed, 3 when a contender fails."""
    options = _options()
    scratch = Path(tempfile.mkdtemp(prefix="envlock-bench-"))
    bench = Bench(
        scratch=scratch,
        repeat=options.repeat,
        sizes=tuple(options.size or SETS),
        say=lambda text: print(f"… {text}", file=sys.stderr, flush=True),
    )
    rows: list[Row] = []
    try:
        for name in options.only or [n for n in CASES if n not in ON_REQUEST]:
            for row in CASES[name](bench):
                rows.append(row)
                print("  " + "  ".join(row.cells()), file=sys.stderr, flush=True)
    except ContenderFailedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    page = markdown(rows, repeat=options.repeat)
    print(page)
    if options.output is not None:
        write(options.output, page)
    return 0 if all(row.passed for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each contender")
    parser.add_argument("--size", type=int, action="append", choices=list(SETS))
    parser.add_argument("--only", action="append", choices=list(CASES), help="just these cases")
    parser.add_argument(
        "--output",
        type=Path,
        help="where to keep the table (default: benchmarks/results.md when everything ran)",
    )
    options = parser.parse_args()
    if options.repeat < 3:
        parser.error("--repeat: a median needs at least 3 runs")
    if options.output is None and not options.only and not options.size:
        options.output = Path(__file__).with_name("results.md")
    return options


if __name__ == "__main__":
    sys.exit(main())
