"""What Prometheus reads of a process in one go."""

import socket
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True, slots=True)
class Numbers:
    """One scrape."""

    text: str

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one series of ours; raises KeyError where there is none."""
        return self.series()[f"confluence_mcp_{name}", tuple(sorted(labels.items()))]

    def series(self) -> Series:
        """Every series by name and labels."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
