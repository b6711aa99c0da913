"""Texts that were written for the log of this machine, made fit for a client."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"""(['"])(?:[A-Za-z]:)?[\\/][^'"\n]*[\\/]([^'"\\/\n]+)\1""")
_BARE = re.compile(r"""(?<![\w.:/\\])(?:[A-Za-z]:)?[\\/](?!api/)(?:[^\s'"\\/:]+[\\/])+([^\s'"\\/:]*)""")


def without_folders(text: str) -> str:
    """`text` with the name of the file in place of each absolute path: what a client need not know stays here."""
    return _BARE.sub(r"\1", _QUOTED.sub(r"\1\2\1", text))
