"""Everything that is measured of learning, as tables: for the terminal and for docs/benchmarks.md.

`python -m benchmarks.learning [PART ...] [--data DIR] [--seeds N] [--out docs/benchmarks.md]`, or `make bench`. Each
part stands between marks of its own in the document, so that it can be measured again alone.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report_parts import Program, write_parts
from benchmarks.tables import Section

PARTS = {
    "latency": "benchmarks.learning_latency",
    "quality": "benchmarks.learning_quality",
    "refinement": "benchmarks.learning_refinement",
    "robustness": "benchmarks.learning_robustness",
    "runs": "benchmarks.learning_runs",
    "figures": "benchmarks.learning_figures",
    "finetune": "benchmarks.learning_finetune",
}
"""Module of each part, in the order of the document; its `tables` takes those of the options that it names."""
ONLY_WHEN_NAMED = ("finetune",)
"""It tells most where there is a GPU."""


def measure(module_name: str, options: dict[str, Any]) -> list[Section]:
    """The tables of a part. The module is imported only now: some of the peers take seconds.

    Args:
        options: What the command line says, by the name of the parameter of `tables`. One that is None was left out,
            and the part's own default holds.

    Raises:
        TypeError: the part asks for something else.
    """
    tables = import_module(module_name).tables
    parameters = inspect.signature(tables).parameters
    given = {name: value for name, value in options.items() if name in parameters and value is not None}
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
        and name not in given
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    if missing:
        known = ", ".join(options)
        raise TypeError(
            f"{module_name}.tables asks for {missing[0]}, which this program does not have (it has {known})"
        )
    sections: list[Section] = tables(**given)
    return sections


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts one after the other; each is printed, and written, as soon as it is done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all but finetune")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/NAME and cls/NAME")
    parser.add_argument("--seeds", type=int, help="of the simulated annotator; left out: each part's own number")
    parser.add_argument("--sets", action="append", metavar="NAME", help="only this set; several times, if you like")
    parser.add_argument("--cache", type=Path, help="folder that keeps features between runs; left out: nowhere")
    parser.add_argument("--out", type=Path, help="Markdown document to write the tables to, between their marks")
    parsed = parser.parse_args(arguments)
    unknown = [part for part in parsed.parts if part not in PARTS]
    if unknown:
        parser.error(f"found part {unknown[0]}, expected some of {', '.join(PARTS)}")
    options = {"data": parsed.data, "seeds": parsed.seeds, "sets": parsed.sets, "cache": parsed.cache}
    said = [] if parsed.seeds is None else ["--seeds", str(parsed.seeds)]
    said += [word for name in parsed.sets or () for word in ("--sets", name)]
    chosen = parsed.parts or [name for name in PARTS if name not in ONLY_WHEN_NAMED]
    parts = [(name, partial(measure, PARTS[name], options)) for name in chosen]
    write_parts(Program("learning", tuple(said)), parts, parsed.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
