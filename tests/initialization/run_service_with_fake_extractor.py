"""The extraction service as a process of its own, to be killed: arguments are delay in seconds and session folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from initialization.extraction_service import ExtractionService
from initialization.service_settings import ServiceSettings
from tests.initialization.fakes import FakeExtractor

if __name__ == "__main__":
    delay_s = float(sys.argv[1])
    print("started", flush=True)
    settings = ServiceSettings(retry_interval_s=0.05)
    ExtractionService(Path(sys.argv[2]), settings, lambda settings: FakeExtractor(settings.resize, delay_s)).run()
