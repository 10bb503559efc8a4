"""Speed and memory of the conversion, against the usual ways from HTML to text.

    uv run --with markdownify --with markitdown python -m benchmarks.conversion [--samples FOLDER]

Converts generated pages of three sizes, and the bodies in a folder (*.xml, *.html) when one is
given. All ways take the same pages in turn, several times, and the best time of each page counts.
"""

import argparse
import io
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from bs4 import BeautifulSoup

from ingest.storage_format import LinkContext, convert

Way = Callable[[str], object]

OURS, RECIPE = "confluence-mcp", "html.parser get_text"
SIZES = {"2 kB": (2_000, 70), "20 kB": (20_000, 14), "200 kB": (200_000, 2)}
HUGE = 20 << 20
CONTEXT = LinkContext(
    "ENG",
    lambda space_key, title: f"https://wiki.example.org/{space_key}/{title}",
    lambda filename: f"https://wiki.example.org/files/{filename}",
    lambda user_id: "Ann Lee",
)
# One part of a page of each kind that pages are mostly made of; {} is its number.
PARTS = (
    "<h2>Step {} of the release</h2><p>The service <code>orders-{}</code> listens on port 8{}, "
    "and writes to <strong>one</strong> database. Ask <ac:link><ri:user ri:account-id='a-{}'/>"
    "</ac:link> before you change it, and read <ac:link><ri:page ri:content-title='Runbook {}'/>"
    "</ac:link>.</p>",
    "<ul><li><p>Check the queue of worker {}</p></li><li><p>Drain it: <em>no</em> new jobs</p><ul>"
    "<li><p>wait for {} minutes</p></li></ul></li><li><p>Tell <a href='https://chat.example.org/{}'"
    ">the channel</a></p></li></ul>",
    "<table><colgroup><col/><col/><col/></colgroup><tbody><tr><th><p>Host</p></th><th><p>Zone</p>"
    "</th><th><p>State</p></th></tr>"
    + "<tr><td><p>node-{}</p></td><td><p>eu-{}</p></td><td><p>up &ndash; since May</p></td></tr>"
    * 5
    + "</tbody></table>",
    "<ac:structured-macro ac:name='code' ac:schema-version='1'><ac:parameter ac:name='language'>"
    "bash</ac:parameter><ac:plain-text-body><![CDATA[if [ $load -gt {} ] && echo 'x > y'; then\n"
    "\tsystemctl restart orders-{}  # twice\nfi]]></ac:plain-text-body></ac:structured-macro>",
    "<ac:structured-macro ac:name='warning' ac:schema-version='1'><ac:parameter ac:name='title'>"
    "Never skip part {}</ac:parameter><ac:rich-text-body><p>It was skipped in 201{}, and the night "
    "was long for everybody on call.</p></ac:rich-text-body></ac:structured-macro>",
    "<p>A longer paragraph, as people write them when they explain why: the first plan (number {}) "
    "was to move everything at once. That failed, so we moved one customer at a time, which took "
    "longer and woke nobody. What we&rsquo;d do again is the rehearsal; what we would not do again "
    "is the migration on a Friday.</p>",
    "<ac:task-list><ac:task><ac:task-id>{}</ac:task-id><ac:task-status>incomplete</ac:task-status>"
    "<ac:task-body>Renew certificate {} <time datetime='2026-03-01'/></ac:task-body></ac:task>"
    "</ac:task-list><p><ac:image ac:alt='Overview {}'><ri:attachment ri:filename='o.png'/>"
    "</ac:image></p>",
)


def main() -> None:
    """Prints a table of speeds, then one of memory."""
    arguments = _arguments()
    ways = _ways()
    sets = {name: [_page(size, start) for start in range(many)] for name, (size, many) in
            SIZES.items()}  # fmt: skip
    if arguments.samples:
        paths = [path for path in sorted(arguments.samples.iterdir()) if _is_body(path)]
        sets[arguments.samples.name] = [path.read_text(encoding="utf-8") for path in paths]
    print(f"{'pages':22} {'way':22} {'pages/s':>9} {'MiB/s':>7} {'ours is':>8}")
    for name, pages in sets.items():
        _print_speeds(name, pages, _best_times(ways, pages, arguments.rounds))
    if arguments.memory:
        print(f"\n{'one page of 20 MiB':22} {'way':22} {'seconds':>9} {'MiB':>7}")
        for way in ways:
            _print_memory(way)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, help="a folder of bodies to convert as well")
    parser.add_argument("--rounds", type=int, default=5, help="times that each way is measured")
    parser.add_argument("--memory", action="store_true", help="convert a page of 20 MiB as well")
    return parser.parse_args()


def _is_body(path: Path) -> bool:
    return path.suffix in (".xml", ".html")


def _ways() -> dict[str, Way]:
    """Every way that is installed, ours and the usual recipe first."""
    ways: dict[str, Way] = {
        OURS: lambda body: convert(body, CONTEXT).markdown,
        RECIPE: lambda body: BeautifulSoup(body, "html.parser").get_text(),
    }
    for name, load in (("markdownify", _markdownify), ("markitdown", _markitdown)):
        try:
            ways[name] = load()
        except ImportError:
            print(f"{name} is left out: add `--with {name}` to `uv run`", file=sys.stderr)
    return ways


def _markdownify() -> Way:
    return import_module("markdownify").markdownify


def _markitdown() -> Way:
    converter = import_module("markitdown").MarkItDown()
    return lambda body: converter.convert_stream(io.BytesIO(body.encode()), file_extension=".html")


def _page(size: int, start: int) -> str:
    return "".join(_parts(size, start))


def _parts(size: int, start: int) -> Iterator[str]:
    number = start
    while size > 0:
        part = PARTS[number % len(PARTS)].replace("{}", str(number))
        yield part
        size -= len(part)
        number += 1


def _best_times(ways: Mapping[str, Way], pages: Sequence[str], rounds: int) -> dict[str, float]:
    """Processor seconds that each way takes for all pages, of each page the best time."""
    best = dict.fromkeys(ways, 0.0)
    for page in pages:
        times = {name: [_seconds(way, page) for _ in range(rounds)] for name, way in ways.items()}
        for name, taken in times.items():
            best[name] += min(taken)
    return best


def _seconds(way: Way, page: str) -> float:
    started = time.process_time()
    way(page)
    return time.process_time() - started


def _print_speeds(name: str, pages: Sequence[str], seconds: Mapping[str, float]) -> None:
    size = sum(len(page.encode()) for page in pages) / (1 << 20)
    for way, took in seconds.items():
        ratio = took / seconds[OURS]
        print(f"{name:22} {way:22} {len(pages) / took:9.1f} {size / took:7.2f} {ratio:7.1f}x")


def _print_memory(way: str) -> None:
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        seconds, mebibytes = pool.submit(_convert_huge, way).result()
    print(f"{'':22} {way:22} {seconds:9.1f} {mebibytes:7.0f}")


def _convert_huge(way: str) -> tuple[float, float]:
    """Seconds for a page of 20 MiB, and MiB of memory that it takes beyond the page itself."""
    convert_it = _ways()[way]
    page = _page(HUGE, 0)
    before = _peak()
    seconds = _seconds(convert_it, page)
    return seconds, _peak() - before


def _peak() -> float:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
