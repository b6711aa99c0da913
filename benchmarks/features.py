"""Everything that is measured of the cached features, as tables: for the terminal and for docs/benchmarks.md.

`python -m benchmarks.features [PART ...] [--data DIR] [--out docs/benchmarks.md]`. Each part stands between marks of
its own in the document, so that it can be measured again alone. `embedded` takes hours and runs only when named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.datasets import find_datasets
from benchmarks.report_parts import Program, write_parts
from benchmarks.tables import Section, section_of


@dataclass(frozen=True)
class Options:
    """The command line, as the parts need it."""

    data: Path
    seeds: int
    images: int
    """Of the generated folder."""
    budget_s: float
    """For each extractor and size."""


def speed(options: Options) -> list[Section]:
    """Images a second of each extractor and size, and peak memory."""
    from benchmarks import features_speed

    rates = {
        "extractor": "extractor", "size_px": "longest side, px", "runtime": "runtime", "plain_per_s": "plain, images/s",
        "per_s": "Fewclick, images/s", "ratio": "ratio", "smallest_cosine": "smallest cosine", "rounds": "rounds",
        "gflop_per_s": "GFLOP/s",
    }  # fmt: skip
    memory = {
        "extractor": "extractor", "size_px": "longest side, px", "plain_mb": "plain, MB", "runtime_mb": "Fewclick, MB",
    }  # fmt: skip
    return [
        section_of(
            "Images a second; plain is transformers in float32 (sdpa, batch 1), or the embedded network on all cores",
            features_speed.speed_rows(budget_s=options.budget_s),
            rates,
        ),
        section_of("Highest resident memory of a process with one image", features_speed.memory_rows(), memory),
    ]


def forms(options: Options) -> list[Section]:
    """Compact forms of the stored features."""
    from benchmarks.features_forms import form_rows, form_section

    with tempfile.TemporaryDirectory() as folder:
        return [form_section(form_rows(options.data, Path(folder), options.seeds))]


def storage(options: Options) -> list[Section]:
    """Files and shards."""
    from benchmarks.features_storage import storage_rows, storage_section

    return [storage_section(storage_rows(options.images))]


def start(options: Options) -> list[Section]:
    """From a folder to the first live prediction, and clicks while the features of the rest are made."""
    from benchmarks.features_start import make_folder, measure

    with tempfile.TemporaryDirectory(prefix="fewclick-start-") as name:
        make_folder(Path(name) / "images", options.images)
        times, clicks = measure(Path(name) / "images", Path(name))
    first = {
        "images": "images", "url_s": "page answers, s", "ready_s": "first image ready, s",
        "prediction_s": "first live prediction, s", "pending": "images without features by then",
    }  # fmt: skip
    latency = {"during": "meanwhile", "clicks": "clicks", "p50_ms": "p50 ms", "p95_ms": "p95 ms"}
    return [
        section_of("`fewclick up --config FILE` on a folder of new JPEGs, 640 x 480", [times], first),
        section_of("Click to prediction through HTTP on that session", clicks, latency),
    ]


def cluster(options: Options) -> list[Section]:
    """Ray beside the local engine, and what ten million images would cost."""
    del options
    from benchmarks.cluster_costs import plan_section, plans
    from benchmarks.features_cluster import engine_rows, engine_section, host_rates

    rates = host_rates(200)
    columns = {
        "register_per_s": "registered, files/s of one core",
        "decode_per_s": "hashed and decoded, files/s of one core",
        "record_per_s": "claimed and recorded, rows/s",
    }
    small, large, side_px = 10, 60, 512
    computed = plans(10_000_000, side_px, rates.decode_per_s, rates.record_per_s)
    return [
        section_of("What one core and the driver do (measured)", [rates], columns),
        engine_section(engine_rows(small, large, 256), small, large),
        plan_section(computed, side_px),
    ]


def embedded(options: Options) -> list[Section]:
    """Recipes of the embedded extractor."""
    from benchmarks.features_embedded import tables

    return tables(list(find_datasets(options.data)), range(options.seeds), 36)


PARTS: dict[str, Callable[[Options], list[Section]]] = {
    "speed": speed, "forms": forms, "storage": storage, "start": start, "cluster": cluster, "embedded": embedded,
}  # fmt: skip
ONLY_WHEN_NAMED = ("embedded",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts one after the other; each is printed, and written, as soon as it is done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all but embedded")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/NAME and cls/NAME")
    parser.add_argument("--seeds", type=int, default=10, help="of the simulated annotator")
    parser.add_argument("--images", type=int, default=10_000, help="in the generated folder, and in the storages")
    parser.add_argument("--budget", type=float, default=30, help="seconds for each extractor and size")
    parser.add_argument("--out", type=Path, help="Markdown document to write the tables to, between their marks")
    parsed = parser.parse_args(arguments)
    unknown = [part for part in parsed.parts if part not in PARTS]
    if unknown:
        parser.error(f"found part {unknown[0]}, expected some of {', '.join(PARTS)}")
    options = Options(parsed.data, parsed.seeds, parsed.images, parsed.budget)
    chosen = parsed.parts or [name for name in PARTS if name not in ONLY_WHEN_NAMED]
    write_parts(Program("features"), [(name, partial(PARTS[name], options)) for name in chosen], parsed.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
