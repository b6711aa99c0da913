"""What a process starts with is collected no more."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
import {module}
from models.startup_objects import spare_startup_objects
before = len(gc.get_objects())
spare_startup_objects()
spare_startup_objects()
print(before, gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_spare_startup_objects__nothing_of_the_start_is_walked_over_again() -> None:
    program = PROGRAM.format(module="sqlalchemy.orm")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    before, frozen, left = (int(word) for word in ran.stdout.split())
    assert frozen > 0.5 * before
    assert left < 0.01 * before
