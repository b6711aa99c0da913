"""A simulated annotator: labels through the HTTP contract alone and measures what comes back.

For every set with ground truth: a temporary session with the embedded extractor, backend and ML service as processes of
their own, then for every seed clicks where the prediction errs most (segmentation) or true classes (classification).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import baselines, report
from benchmarks.client import Client, PredictionEvents, ProductError
from benchmarks.datasets import PALETTE, Dataset, find_datasets
from benchmarks.product import Product, StartError, init_session, write_config
from benchmarks.runs import Options, SeedResult, Session, run_classification, run_segmentation
from benchmarks.tables import machine, markdown, show, write_between_marks

TABLE_WIDTH = 132
DATA_DIR = Path("../shared/data")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Command line of the robot."""
    parser = argparse.ArgumentParser(prog="robot.py", description="Label as a person would, and measure.")
    parser.add_argument(
        "--data", type=Path, default=DATA_DIR, help="folder with seg/NAME and cls/NAME (default: %(default)s)"
    )
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="only these sets (default: all found)")
    parser.add_argument("--images", type=_positive, default=8, help="segmentation: images to label")
    parser.add_argument("--clicks", type=_positive, default=4, help="segmentation: clicks in each image")
    parser.add_argument("--per-class", type=_positive, default=5, help="classification: images to label of each class")
    parser.add_argument("--held-out", type=_positive, default=20, help="segmentation: most images to score on")
    parser.add_argument("--seeds", type=_positive, default=3, help="number of seeds: 0, 1, ...")
    parser.add_argument("--wait", choices=("poll", "events"), default="poll", help="how to wait for a prediction")
    parser.add_argument("--pause-s", type=float, default=0.0, help="time between clicks")
    parser.add_argument("--out", type=Path, help="Markdown document to write the tables to, between its marks")
    parser.add_argument("--url", help="use the product that runs there, on a session of the one set named by --sets")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 0 when every set was measured, 2 on bad input or a product that does not start."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    args = parse_arguments(command)
    # Wide enough for every table even where the output goes to a file.
    console = Console(highlight=False, width=max(Console().width, TABLE_WIDTH))
    try:
        datasets = choose_datasets(args.data, args.sets)
        if args.url and len(datasets) != 1:
            raise ValueError(f"--url needs one set, found {len(datasets)}: name it with --sets NAME")
        options = Options(
            images=args.images,
            clicks=args.clicks,
            per_class=args.per_class,
            held_out=args.held_out,
            pause_s=args.pause_s,
            use_events=args.wait == "events",
        )
        results = [measure(dataset, options, range(args.seeds), args.url, console) for dataset in datasets]
    except (ValueError, StartError, ProductError) as error:
        print(f"robot: {error}", file=sys.stderr)
        return 2
    measured = report.sections(results)
    facts = describe(command, args.seeds, results)
    show(console, measured)
    for name, value in facts:
        console.print(f"{name}: {value}")
    if args.out:
        write_between_marks(args.out, "robot", markdown(measured, facts))
        console.print(f"written to {args.out}")
    return 0


def choose_datasets(data_dir: Path, names: Sequence[str] | None) -> list[Dataset]:
    """The sets to measure.

    Raises:
        ValueError: the folder holds none, or a name is unknown.
    """
    found = {dataset.name: dataset for dataset in find_datasets(data_dir)}
    if not found:
        raise ValueError(f"{data_dir} holds no seg/NAME/{{images,masks}} or cls/NAME/CLASS folders: nothing to measure")
    unknown = [name for name in names or [] if name not in found]
    if unknown:
        raise ValueError(f"no set {', '.join(unknown)} in {data_dir}; found: {', '.join(found)}")
    return [found[name] for name in names or found]


def measure(
    dataset: Dataset, options: Options, seeds: Sequence[int], url: str | None, console: Console
) -> report.SetResult:
    """All seeds of one set, on a session that lives only as long."""
    with contextlib.ExitStack() as stack:
        init_s = 0.0
        if url is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fewclick-robot-")))
            start = time.perf_counter()
            session_dir = prepare_session(dataset, folder)
            init_s = time.perf_counter() - start
            console.print(f"{dataset.name}: session of {len(dataset.image_names())} images made in {init_s:.1f} s")
            url = stack.enter_context(Product(session_dir, folder / "logs")).url
        client = stack.enter_context(Client(url))
        events = stack.enter_context(PredictionEvents(url)) if options.use_events else None
        session = Session(client, dataset, options, events)
        extractor = client.json("GET", "config")["extractor"]
        results: list[SeedResult] = []
        for seed in seeds:
            session.reset()
            run = run_segmentation if dataset.task == "segmentation" else run_classification
            results.append(run(session, seed, console.print))
        session.reset()
    baselines.forget()
    described = f"{extractor['name']} at {extractor['resize']} px"
    return report.SetResult(dataset, described, init_s, tuple(results))


def prepare_session(dataset: Dataset, folder: Path) -> Path:
    """A new session of the set under `folder`, features included."""
    classes = [(name, PALETTE[index % len(PALETTE)]) for index, name in enumerate(dataset.class_names)]
    session_dir = folder / "session"
    config = write_config(
        folder / "config.yaml",
        task=dataset.task,
        image_dir=dataset.image_dir,
        session_dir=session_dir,
        classes=classes,
    )
    init_session(config)
    return session_dir


def describe(command: Sequence[str], seeds: int, results: Sequence[report.SetResult]) -> list[tuple[str, str]]:
    """How the numbers came to be."""
    extractors = sorted({f"{result.extractor} ({result.dataset.task})" for result in results})
    made = [f"{result.dataset.name} {result.init_s:.0f} s" for result in results if result.init_s]
    return [
        ("command", f"`python benchmarks/robot.py {shlex.join(command)}`"),
        ("machine", machine()),
        ("date", f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"),
        ("seeds", ", ".join(str(seed) for seed in range(seeds))),
        ("extractor", ", ".join(extractors)),
        ("session with all features made in", ", ".join(made) or "(a product that ran already)"),
        ("not counted in latency", f"the first {report.WARM_UP_CLICKS} clicks of each set, after the service started"),
    ]


if __name__ == "__main__":
    sys.exit(main())
