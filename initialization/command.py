"""The command line of init_session.py: arguments in, exit status out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from db.errors import FewclickError
from initialization.cluster_pool import ClusterSettings
from initialization.report import Report, print_error
from initialization.steps import LoadExtractor
from initialization.workflow import Options, initialize
from models.atomic_file import is_disk_full
from models.base import FeatureExtractor
from models.errors import ModelsError
from models.extractor_settings import ExtractorSettings

BAD_INPUT, ENVIRONMENT_FAILED, INTERRUPTED = 2, 1, 130
RESUME_HINT = "What is finished is kept: run the same command again to go on."


def main(
    argv: Sequence[str] | None = None, *, program: str = "init_session.py", load_extractor: LoadExtractor | None = None
) -> int:
    """Initialize a session; 0 on success, 2 on bad input, 1 if disk or database fail, 130 on Ctrl+C.

    Args:
        argv: Without the program's name; by default that of the process.
        program: What the usage shows as the command.
        load_extractor: Instead of `models.registry.load_extractor`, for example another extractor in a test.
    """
    options = _parse(argv, program)
    try:
        initialize(options, Report(), load_extractor or _load_from_registry)
    except (FewclickError, ModelsError) as error:
        print_error(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"stopped. {RESUME_HINT}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print_error(_explain_os_error(error))
        return ENVIRONMENT_FAILED
    except DatabaseError as error:
        print_error(f"the database failed: {' '.join(str(error.orig).split())}. {RESUME_HINT}")
        return ENVIRONMENT_FAILED
    return 0


def _load_from_registry(settings: ExtractorSettings) -> FeatureExtractor:
    # Torch takes a second to import: not before the YAML file is known to be right.
    from models.registry import load_extractor

    return load_extractor(settings)


def _explain_os_error(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if is_disk_full(error):
        return f"no space left on the disk{where}: free some space. {RESUME_HINT}"
    return f"{error.strerror or error}{where}. {RESUME_HINT}"


def _parse(argv: Sequence[str] | None, program: str) -> Options:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Make a labelling session from a YAML file: register images, extract features, import labels. "
        "Interrupted at any moment, the same command goes on where it stopped.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML file, see docs/init.md")
    parser.add_argument("--max-files", type=_positive, metavar="N", help="take only the first N images")
    parser.add_argument("--append", action="store_true", help="add new images to a session that holds annotations")
    parser.add_argument("--yes", action="store_true", help="do not ask before starting")
    parser.add_argument("--move-aside", action="store_true", help="keep the old session under another name, start anew")
    parser.add_argument(
        "--change-extractor",
        action="store_true",
        help="go on with another extractor, weights or resize: annotations stay, features are made anew",
    )
    parser.add_argument(
        "--background", action="store_true", help="only register the images: `fewclick up` makes their features"
    )
    # For `fewclick up --config`, which is what would come next.
    parser.add_argument("--no-next", dest="tells_next", action="store_false", help=argparse.SUPPRESS)
    _add_cluster(parser)
    arguments = parser.parse_args(argv)
    if arguments.append and arguments.move_aside:
        parser.error("--append goes on with the old session, --move-aside starts a new one: choose one of them")
    if arguments.change_extractor and arguments.move_aside:
        parser.error("--change-extractor goes on with the old session, --move-aside starts a new one: choose one")
    return Options(cluster=_cluster(parser, arguments), **vars(arguments))


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=["local", "ray"], default="local", help="ray: many workers, see docs/cluster.md"
    )
    parser.add_argument(
        "--ray-address", metavar="HOST:PORT", help="Ray cluster to join, or auto; by default one of this machine"
    )
    parser.add_argument("--ray-workers", type=_positive, metavar="N", help="by default as many as fit")
    parser.add_argument("--ray-cpus", type=_positive, metavar="N", help="processors of each worker")
    parser.add_argument("--ray-gpus", type=_share, metavar="N", help="GPUs of each worker, such as 1, 0.5 or 0")


def _cluster(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> ClusterSettings | None:
    """Takes what concerns the cluster out of `arguments`; None for the local engine."""
    values = vars(arguments)
    engine = values.pop("engine")
    chosen = {name: values.pop(f"ray_{name}") for name in ("address", "workers", "cpus", "gpus")}
    if engine == "ray":
        if arguments.background:
            parser.error("--engine ray makes all features now, --background leaves them to `fewclick up`: choose one")
        return ClusterSettings(**chosen)
    given = [f"--ray-{name}" for name, value in chosen.items() if value is not None]
    if given:
        parser.error(f"{', '.join(given)}: expected --engine ray with it")
    return None


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 or (value.is_integer() and value <= 64)):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number such as 1, 0.5 or 0")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)
