"""``SampleData``: keeps what modules register; downloads nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SampleDataSource:
    """One entry of the Sample Data module."""

    def __init__(self, **description: Any) -> None:
        self.description = description
        self.sampleName: str | None = description.get("sampleName")
        self.customDownloader: Callable[[Any], Any] | None = description.get("customDownloader")


class SampleDataLogic:
    """Registers and loads sample data."""

    registered: dict[str, list[SampleDataSource]] = {}  # noqa: RUF012

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **description: Any) -> None:
        """Keep an entry; the keywords are those of Slicer's SampleData module."""
        SampleDataLogic.registered.setdefault(category, []).append(SampleDataSource(**description))

    @staticmethod
    def sourceForSampleName(name: str) -> SampleDataSource | None:
        """The entry with this name, or None."""
        sources = [source for group in SampleDataLogic.registered.values() for source in group]
        return next((source for source in sources if source.sampleName == name), None)

    def downloadSamples(self, name: str) -> list[Any]:
        """Load an entry that makes its data itself (``customDownloader``).

        Raises:
            RuntimeError: If there is no such entry, or it would need the network.
        """
        source = self.sourceForSampleName(name)
        if source is None or source.customDownloader is None:
            raise RuntimeError(f"the host downloads nothing: {name}")
        loaded = source.customDownloader(source)
        return list(loaded) if isinstance(loaded, (list, tuple)) else [loaded]

    def downloadSample(self, name: str) -> Any:
        """The first node of an entry."""
        return self.downloadSamples(name)[0]
