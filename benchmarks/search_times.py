"""Times of one kind of request, and what is told of them."""

from dataclasses import dataclass, field

import numpy as np

Summary = dict[str, float]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds that a client waited, and those that the server had a core for itself."""

    ms: list[float] = field(default_factory=list[float])
    cpu_ms: list[float] = field(default_factory=list[float])

    def add(self, ms: float, cpu_ms: float) -> None:
        """One more request; no core time where nothing tells it."""
        self.ms.append(ms)
        if cpu_ms:
            self.cpu_ms.append(cpu_ms)

    def summary(self) -> Summary:
        """Percentiles by name; none of what was not measured."""
        told = {"p": self.ms, "cpu_p": self.cpu_ms}
        return {
            f"{name}{at}": round(float(np.percentile(times, at)), 3)
            for name, times in told.items()
            if times
            for at in (50, 95, 99)
        }
