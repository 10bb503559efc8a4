"""What a run did, counted as it goes."""

from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Report:
    """Counts of one run over a site. `failed` pages are kept as they were and tried again.

    `pages` were listed, `due` of them have to be taken in. `stored` pages are new or changed ones,
    `moved` only stand elsewhere; `chunks` belong to stored pages, `embedded` are those of them
    that were sent to the embedding model, in about `tokens` tokens. `requests` went to Confluence.
    `problems` are sentences, `error` is why the run ended early; with either it did not succeed.
    `warnings` tell of permissions that could not be read, or not yet, which closes pages and loses
    none.
    """

    site_url: str
    spaces: int = 0
    pages: int = 0
    due: int = 0
    stored: int = 0
    moved: int = 0
    hidden: int = 0
    purged: int = 0
    failed: int = 0
    unreadable: int = 0
    comments: int = 0
    attachments: int = 0
    chunks: int = 0
    embedded: int = 0
    tokens: int = 0
    requests: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the index now equals the site, pages that failed aside."""
        return not self.problems and self.error is None

    def to_json(self) -> dict[str, object]:
        """The counts as plain JSON."""
        return {**asdict(self), "succeeded": self.succeeded}

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"{self.pages} pages in {self.spaces} spaces: {self.stored} stored, "
            f"{self.moved} moved, {self.hidden} hidden, {self.failed} failed; "
            f"{self.chunks} chunks written, {self.embedded} embedded; "
            f"{self.requests} requests, {self.seconds:.1f} s"
        )
