"""Speed, recall and size of search, on generated indexes of several sizes.

    uv run --group dev python -m benchmarks.search [10000 100000 1000000] [--dimension 384]
        [--keep FOLDER]
                                       [--plot FILE.png] [--json FILE] [--questions 50]

The machine's own speed is taken out by ratios to the floor, which is what the bare look-ups of both
legs take in the same run. Times are of the client. Indexes that are kept are not made again.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.search_calls import measure_calls, measure_rates, serving
from benchmarks.search_cells import cells_of, measure_cells
from benchmarks.search_floor import floor_of, measure_kinds
from benchmarks.search_memory import disk, memory
from benchmarks.search_naive import measure_naive
from benchmarks.search_report import Run, show
from benchmarks.search_scene import kept

SIZES = (10_000, 100_000, 1_000_000)
QUESTIONS, CALLS, SUPPLY = 50, 200, 2_000
MOST_FOR_NAIVE = 100_000  # chunks


async def _main(options: argparse.Namespace) -> None:
    runs: list[Run] = []
    for chunks in options.sizes:
        runs.append(await _run(chunks, options))
        show(runs[-1])
        if options.json:
            options.json.write_text(json.dumps([run.to_json() for run in runs], indent=1))
    if options.plot:
        from benchmarks.search_picture import draw  # whose library not everybody has

        draw(runs, options.plot)


async def _run(chunks: int, options: argparse.Namespace) -> Run:
    with kept(options.keep, chunks, options.dimension) as place:
        scene = await place.scene(chunks, options.dimension)
        crawler = scene.people[0]
        questions = [scene.question(crawler.shown, 10_000 + seed) for seed in range(SUPPLY)]
        async with place.readers() as reader:
            floor = await floor_of(reader, scene)
            cells = await measure_cells(reader, scene, cells_of(scene), options.questions)
            async with serving(place.home, crawler, questions) as server:
                calls = await measure_calls(
                    reader, scene, floor, server, questions[-4 * options.calls :]
                )
                rates = await measure_rates(reader, scene, server, questions)
                used = await memory(reader, server.pid)
            naive = {}
            if chunks <= MOST_FOR_NAIVE:
                naive = await measure_naive(place, reader, scene, questions[:QUESTIONS])
            return Run(
                chunks=chunks,
                dimension=options.dimension,
                at=datetime.now(UTC),
                load=os.getloadavg()[1],
                kinds=await measure_kinds(reader, scene, floor, questions[: 2 * options.calls]),
                cells=cells,
                calls=calls,
                rates=rates,
                naive=naive,
                disk=await disk(reader),
                memory=used,
            )


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of chunks")
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument(
        "--questions", type=int, default=QUESTIONS, help="for each asker and filter"
    )
    parser.add_argument(
        "--calls", type=int, default=CALLS, help="one after another; a multiple of 10"
    )
    parser.add_argument(
        "--keep", type=Path, help="folder of indexes, made where they are not there"
    )
    parser.add_argument("--plot", type=Path, help="picture of the 95th percentiles, by size")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    asyncio.run(_main(_options()))
