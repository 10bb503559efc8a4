"""What a run under load came to: errors, times, recovery, and what the server holds on to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.load_calls import TOOLS, Call
from benchmarks.load_chaos import Disturbance
from benchmarks.load_check import NO_PAGE
from benchmarks.load_machines import IngestRun

BEFORE, GAP, AFTER = "before", "gap", "after"
PHASES = (BEFORE, GAP, AFTER)
NORMAL, WINDOW_S = 1.5, 2.0  # times the p95 of before, over so many seconds
MEBIBYTE = 1 << 20
SHOWN = 12  # sentences in the table


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at a moment: memory, descriptors, threads, processor; connections by program."""

    at: float
    pid: int
    rss: int
    descriptors: int
    threads: int
    busy_s: float
    connections: Counter[str]

    def to_json(self, began: float) -> dict[str, object]:
        """With its time since the run began."""
        return {
            "at": round(self.at - began, 1),
            "rss_mib": round(self.rss / MEBIBYTE, 1),
            "descriptors": self.descriptors,
            "threads": self.threads,
            "busy_s": self.busy_s,
            "connections": dict(self.connections),
        }


@dataclass(slots=True)
class Run:
    """All that was seen; times are those of the machine's monotonic clock, it `began` at one."""

    clients: int
    began: float
    ended: float = 0.0
    warm_s: float = 0.0
    calls: list[Call] = field(default_factory=list[Call])
    samples: list[Sample] = field(default_factory=list[Sample])
    disturbances: list[Disturbance] = field(default_factory=list[Disturbance])
    ingests: Sequence[IngestRun] = ()
    wrong: Sequence[str] = ()
    checked: int = 0
    found: int = 0
    changes: int = 0
    clients_busy_s: float = 0.0
    stopped_in_s: float | None = None
    traces: int = 0

    def phase(self, call: Call) -> str:
        """Of a call: before anything went wrong, while it did, or after."""
        if any(call.began <= one.over and call.ended >= one.began for one in self.disturbances):
            return GAP
        first = min((one.began for one in self.disturbances), default=float("inf"))
        return BEFORE if call.began < first else AFTER

    def to_json(self) -> dict[str, object]:
        """All figures."""
        return {
            "clients": self.clients,
            "seconds": round(self.ended - self.began, 1),
            "calls": len(self.calls),
            "a_second": round(len(self.calls) / (self.ended - self.began), 1),
            "outcomes": {phase: dict(self.outcomes(phase)) for phase in PHASES},
            "errors": {phase: dict(self.errors(phase)) for phase in PHASES},
            "checked": self.checked,
            "planted_words": self.found,
            "wrong": list(self.wrong),
            "latency_ms": self.latencies(),
            "disturbances": [self.recovery(one) for one in self.disturbances],
            "server": self.server(),
            "connections": self.connections(),
            "ingest": self.ingest(),
            "changes": self.changes,
            "clients_busy_s": round(self.clients_busy_s, 1),
            "server_stopped_in_s": self.stopped_in_s,
            "traces_in_log": self.traces,
            "samples": [one.to_json(self.began) for one in self.samples],
        }

    def _of(self, phase: str) -> list[Call]:
        return [call for call in self.calls if self.phase(call) == phase]

    def outcomes(self, phase: str) -> Counter[str]:
        """How many calls were answered, refused, or failed."""
        return Counter("ok" if _is_answered(call) else call.outcome for call in self._of(phase))

    def errors(self, phase: str) -> Counter[str]:
        """What was said where there was no answer, and how often."""
        return Counter(
            call.said[:160] for call in self._of(phase) if not _is_answered(call) and call.said
        )

    def latencies(self) -> dict[str, dict[str, dict[str, float]]]:
        """Milliseconds of answered calls, by tool and phase."""
        return {
            tool: {
                phase: _percentiles(
                    [call for call in self._of(phase) if call.tool == tool and _is_answered(call)]
                )
                for phase in PHASES
            }
            for tool in TOOLS
        }

    def recovery(self, one: Disturbance) -> dict[str, object]:
        """Seconds from its end to the first answer, and to times as before."""
        later = sorted(
            (call for call in self.calls if call.ended >= one.over), key=lambda call: call.ended
        )
        first = next((call.ended for call in later if _is_answered(call)), None)
        during = [call for call in self.calls if call.began <= one.over and call.ended >= one.began]
        return {
            "name": one.name,
            "note": one.note,
            "at": round(one.began - self.began, 1),
            "lasted": round(one.over - one.began, 1),
            "calls": len(during),
            "answered": sum(map(_is_answered, during)),
            "errors": dict(Counter(call.said[:160] for call in during if not _is_answered(call))),
            "first_answer_s": None if first is None else round(first - one.over, 2),
            "normal_s": self._normal_after(one.over, later),
        }

    def _normal_after(self, over: float, later: Sequence[Call]) -> float | None:
        usual = _percentiles([call for call in self._of(BEFORE) if _is_answered(call)])
        start = over
        while start < self.ended and usual:
            calls = [call for call in later if start <= call.began < start + WINDOW_S]
            is_well = calls and all(map(_is_answered, calls))
            if is_well and _percentiles(calls)["p95"] <= NORMAL * usual["p95"]:
                return round(start - over, 1)
            start += WINDOW_S / 4
        return None

    def server(self) -> dict[str, object]:
        """Of its last process: what it holds after warming up and at the end, and the slope."""
        last = [one for one in self.samples if one.pid == self.samples[-1].pid]
        warm = [one for one in last if one.at >= last[0].at + self.warm_s] or last
        hours = np.array([one.at for one in warm]) / 3600
        memory = np.array([one.rss for one in warm]) / MEBIBYTE
        slope = float(np.polyfit(hours, memory, 1)[0]) if len(warm) > 2 else 0.0
        return {
            "rss_mib_first": round(last[0].rss / MEBIBYTE, 1),
            "rss_mib_warm": round(float(memory[0]), 1),
            "rss_mib_last": round(float(memory[-1]), 1),
            "rss_mib_an_hour": round(slope, 1),
            "descriptors_warm": warm[0].descriptors,
            "descriptors_most": max(one.descriptors for one in last),
            "descriptors_last": warm[-1].descriptors,
            "threads_warm": warm[0].threads,
            "threads_last": warm[-1].threads,
            "cores": round((last[-1].busy_s - last[0].busy_s) / (last[-1].at - last[0].at), 2),
        }

    def connections(self) -> dict[str, dict[str, int]]:
        """Of each program to Postgres."""
        names = sorted({name for one in self.samples for name in one.connections})
        return {
            name: {
                "most": max(one.connections[name] for one in self.samples),
                "last": self.samples[-1].connections[name],
            }
            for name in names
        }

    def ingest(self) -> dict[str, object]:
        """How often it ran, and how it failed."""
        failed = [run for run in self.ingests if not run.is_whole]
        return {
            "runs": len(self.ingests),
            "stored": sum(run.stored for run in self.ingests),
            "failed": [
                {
                    "at": round(run.began - self.began, 1),
                    "code": run.code,
                    "pages": run.failed,
                    "said": run.said,
                }
                for run in failed
            ],
        }


def _is_answered(call: Call) -> bool:
    """That there is no such page, for somebody, is an answer too."""
    return call.outcome == "ok" or call.said.startswith(NO_PAGE)


def _percentiles(calls: Sequence[Call]) -> dict[str, float]:
    if not calls:
        return {}
    taken = [(call.ended - call.began) * 1000 for call in calls]
    told = {f"p{at}": round(float(np.percentile(taken, at)), 1) for at in (50, 95, 99)}
    return {"calls": len(calls), **told}


def show(run: Run) -> None:
    """Prints the figures as tables."""
    seconds = run.ended - run.began
    print(
        f"\n{run.clients} clients, {seconds:.0f} s, {len(run.calls) / seconds:.1f} calls a second"
    )
    heads = ("ok", "refused", "error", "p50 ms", "p95", "p99")
    print(f"{'answers':17} {'':7}" + " ".join(f"{head:>8}" for head in heads))
    for phase in PHASES:
        outcomes = run.outcomes(phase)
        counts = (outcomes[name] for name in ("ok", "refused", "error"))
        print(f"{'all':17} {phase:7}" + " ".join(f"{count:8}" for count in counts))
    for tool, of_tool in run.latencies().items():
        for phase, times in of_tool.items():
            if times:
                told = " ".join(f"{times[name]:8.1f}" for name in ("p50", "p95", "p99"))
                print(f"{tool:17} {phase:7}{times['calls']:8.0f} {'':17} {told}")
    for phase in PHASES:
        for said, count in run.errors(phase).most_common(SHOWN):
            print(f"  {phase}: {count} x {said}")
    _show_rest(run)


def _show_rest(run: Run) -> None:
    for one in run.disturbances:
        print(", ".join(f"{name} {value}" for name, value in run.recovery(one).items()))
    for title, figures in (("server", run.server()), ("ingest", run.ingest())):
        print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    for name, counts in run.connections().items():
        print(
            f"connections of {name or '(no name)'}: {counts['most']} at most, {counts['last']} last"
        )
    print(
        f"{run.changes} changes of the wiki, {run.checked} answers checked, {run.found} planted "
        f"words looked for, WRONG: {len(run.wrong)}; tracebacks in the log: {run.traces}; clients "
        f"kept a core busy for {run.clients_busy_s:.0f} s; SIGTERM took {run.stopped_in_s} s"
    )
    for sentence in run.wrong[:SHOWN]:
        print(f"  WRONG {sentence}")
