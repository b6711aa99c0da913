"""Which kind of source `image_dir` names."""

from __future__ import annotations

from initialization.config import SessionConfig
from initialization.csv_source import open_csv
from initialization.glob_pattern import split_pattern
from initialization.list_source import ListSource
from initialization.scan import FolderSource
from initialization.sources import Source
from initialization.zip_source import ZipSource


def choose_source(config: SessionConfig) -> Source:
    """A folder, a pattern in one, a .zip, or a list.

    Raises:
        SourceError: a .csv cannot be read.
    """
    where = config.image_dir
    if where.is_dir():
        return FolderSource(where, config.formats, config.labels_dir)
    if not where.exists() and (pattern := split_pattern(where)) is not None:
        return FolderSource(pattern[0], config.formats, config.labels_dir, pattern[1])
    match where.suffix.lower():
        case ".zip":
            return ZipSource(where, config.formats)
        case ".csv":
            return open_csv(where)
        case _:
            return ListSource(where)
