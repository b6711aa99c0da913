"""Make a labelling session from a YAML file.

Run from the repository root as `python initialization/init_session.py --config FILE`, or from this folder as
`PYTHONPATH=.. python init_session.py --config FILE`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, only this folder is on the path; the packages lie one above.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from initialization.command import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
