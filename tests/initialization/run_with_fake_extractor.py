"""The command as a process of its own, to be killed: arguments are delay in seconds, then those of init_session.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from initialization.init_session import main
from tests.initialization.fakes import FakeExtractor

if __name__ == "__main__":
    delay_s = float(sys.argv[1])
    sys.exit(main(sys.argv[2:], load_extractor=lambda settings: FakeExtractor(settings.resize, delay_s)))
