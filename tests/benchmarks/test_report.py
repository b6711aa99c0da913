from pathlib import Path

from benchmarks.datasets import Dataset
from benchmarks.report import SetResult, sections, verdict
from benchmarks.runs import Score, SeedResult
from benchmarks.tables import markdown


def result_of(*finals: float) -> SetResult:
    seeds = tuple(
        SeedResult(
            seed,
            held_out=20,
            scores=[Score(32, final, 0.4)],
            prediction_ms=[500.0] * 5 + [20.0] * 15,
            mask_ms=[30.0] * 20,
            open_ms=[5.0],
            all_foreground=0.1,
            majority_share=0.9,
        )
        for seed, final in enumerate(finals)
    )
    dataset = Dataset("dsb2018_nuclei", "segmentation", Path("images"), ("foreground", "background"))
    return SetResult(dataset, "toy at 512 px", 3.0, seeds)


def test_verdict__both_directions() -> None:
    assert verdict(0.7, 0.6) == "reached"
    assert verdict(0.5, 0.6) == "short by 0.100"
    assert verdict(50, 60, at_most=True) == "reached"
    assert verdict(70, 60, at_most=True) == "10 ms over"
    assert verdict(0.5, None) == "no target"


def test_warm__leaves_out_the_first_clicks_of_the_first_seed_only() -> None:
    assert len(result_of(0.6, 0.7).warm("prediction_ms")) == 35


def test_sections__name_every_number() -> None:
    text = markdown(sections([result_of(0.6, 0.8)]), [("seeds", "0, 1")])
    assert "| dsb2018_nuclei | IoU | 32 | 0.700 ± 0.100 | 0.400 ± 0.000 | 0.100 | 0.900 | 20 |" in text
    assert "| dsb2018_nuclei | 0.700 | 0.60 | reached |" in text
    assert "- seeds: 0, 1" in text
