"""Write docs/openapi.json, from which the TypeScript client is generated; `--check` fails when it is stale."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from backend.main import create_app
from backend.settings import Settings
from db.session_dir import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "openapi.json"


def render() -> str:
    """The document, as it is committed. Its version is that of the interface, whatever is installed."""
    document = create_app(Settings()).openapi()
    document["info"]["version"] = "1"
    return json.dumps(document, indent=2) + "\n"


def main(arguments: list[str] | None = None, document: Path = DOCUMENT) -> int:
    """0 when the file is (now) up to date, 1 when `--check` finds it stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args(arguments).check
    wanted = render()
    if check:
        if document.is_file() and document.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"docs/{document.name} is stale: run `python -m backend.openapi`", file=sys.stderr)
        return 1
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
