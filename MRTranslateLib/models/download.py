"""Fetch one file from a URL that the user named; nothing else in the library opens a connection."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.files import reason, shown

SCHEMES = ("https", "http", "file")
MAX_DOWNLOAD_BYTES = 512 << 20
TIMEOUT_SECONDS = 30.0
"""Longest silence of the other side."""
CHUNK_BYTES = 1 << 20


def is_url(source: str | Path) -> bool:
    """Whether ``source`` is a URL rather than a path (``C:\\models.zip`` is a path).

    Example:
        >>> is_url("https://example.org/model.zip"), is_url("model.zip"), is_url("C:/model.zip")
        (True, False, False)
    """
    return "://" in str(source) or str(source).lower().startswith("file:")


def fetch(url: str, path: Path) -> None:
    """Download ``url`` into the new file ``path``.

    The caller checks what came, by its checksum; a half-fetched file is the caller's to remove.

    Raises:
        MRTranslateError: If the scheme is unknown, the server refuses or stays silent, or the file is too large.
        OSError: If ``path`` cannot be written.
    """
    if url.partition(":")[0].lower() not in SCHEMES:
        raise MRTranslateError(f"cannot fetch {shown(url)}: only {', '.join(SCHEMES)} addresses are known")
    try:
        response = urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise MRTranslateError(f"cannot fetch {shown(url)}: {_why(error)}") from error
    num_bytes = 0
    with response, path.open("xb") as file:
        while chunk := _read(response, url):
            num_bytes += len(chunk)
            if num_bytes > MAX_DOWNLOAD_BYTES:
                raise MRTranslateError(f"{shown(url)} is larger than {MAX_DOWNLOAD_BYTES >> 20} MiB: no model is")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise MRTranslateError(f"the download of {shown(url)} broke off: {_why(error)}") from error


def _why(error: Exception) -> str:
    """The cause in words, also where urllib wraps the system's error in its own."""
    inner = getattr(error, "reason", error)
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return reason(inner) if isinstance(inner, OSError) else str(inner)
