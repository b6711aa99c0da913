"""Entry of the ML service: `python -m ml_service.train`, or `PYTHONPATH=.. python train.py` from inside ml_service/."""

from __future__ import annotations

import os
import sys

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from db.errors import FewclickError
from db.service_log import configure_log
from db.session_dir import resolve_session_dir
from ml_service.settings import ServiceSettings
from models.errors import ModelsError

BAD_INPUT = 2
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Run the service; returns the exit status."""
    try:
        configure_log()
        settings = ServiceSettings()
        for variable in THREAD_VARIABLES:
            os.environ.setdefault(variable, str(settings.threads))
        # BLAS reads these variables once, while NumPy is imported: not before here.
        from ml_service.service import serve

        session_dir = resolve_session_dir()
        serve(session_dir, settings)
    except ValidationError as error:
        problem = error.errors()[0]
        name = "FEWCLICK_ML_" + "_".join(str(part) for part in problem["loc"]).upper()
        return _refuse(f"{name}={problem['input']!r}: {problem['msg']}")
    except (FewclickError, ModelsError) as error:
        return _refuse(str(error))
    except OperationalError as error:
        return _refuse(f"the database of the session cannot be used ({error.orig}): run init_session.py --append")
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
