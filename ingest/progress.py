"""Shows how a run goes on: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ingest.pipeline import Progress
from ingest.report import Report

logger = logging.getLogger(__name__)

LOG_EVERY = 10.0  # seconds


@contextmanager
def shown_progress() -> Generator[Progress]:
    """What a run reports to: a bar on standard error where that is a terminal, else the log."""
    if sys.stderr.isatty():
        bar: tqdm[NoReturn] = tqdm(unit=" pages", dynamic_ncols=True)
        with logging_redirect_tqdm(), bar:
            yield lambda report: _draw(bar, report)
    else:
        log = _Log()
        yield log
        log.close()


def _draw(bar: "tqdm[NoReturn]", report: Report) -> None:
    if not report.due:
        bar.set_description_str(f"looking at {report.pages} pages", refresh=True)
        return
    bar.total = report.due
    bar.n = min(report.stored + report.failed, report.due)
    bar.set_description_str("taking in ", refresh=False)
    bar.set_postfix_str(
        f"chunks={report.chunks} embedded={report.embedded} failed={report.failed} "
        f"requests={report.requests}"
    )


class _Log:
    """Logs the counts, not more often than every few seconds, and the last ones."""

    def __init__(self) -> None:
        self._logged_at = float("-inf")
        self._waiting: Report | None = None

    def __call__(self, report: Report) -> None:
        self._waiting = report
        if time.monotonic() - self._logged_at >= LOG_EVERY:
            self.close()

    def close(self) -> None:
        """Logs what was not logged yet."""
        report, self._waiting = self._waiting, None
        if report is None:
            return
        self._logged_at = time.monotonic()
        logger.info(
            "pages=%d due=%d stored=%d chunks=%d embedded=%d failed=%d requests=%d",
            report.pages,
            report.due,
            report.stored,
            report.chunks,
            report.embedded,
            report.failed,
            report.requests,
        )
