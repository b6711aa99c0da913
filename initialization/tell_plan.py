"""What init says before it begins: the extractor, the images found, time and disk needed."""

from __future__ import annotations

from initialization.config import SessionConfig
from initialization.errors import SourceError
from initialization.estimate import SAMPLES, Estimate
from initialization.report import Report, counted, format_bytes, format_duration
from initialization.sources import Plan, PlannedImage, Source
from models.base import ExtractorInfo


def tell_extractor(report: Report, info: ExtractorInfo, *, patches: bool) -> None:
    """Which network sees what."""
    sizes_px = [info.resize] if patches else info.options.get("pooled_sizes_px", [info.resize])
    resized = " and ".join(str(size_px) for size_px in sizes_px)
    channels = info.dim if patches else info.pooled_dim
    report.fact("extractor", f"{info.name}, images resized to {resized} px, {channels:,} channels")
    if info.name.startswith("efficientnet"):
        report.note("the embedded extractor is at work; DINOv3 knows more shapes and textures: see docs/extractors.md")


def check_found(source: Source, plan: Plan, config: SessionConfig) -> None:
    """That there are images.

    Raises:
        SourceError: there are none.
    """
    if plan.images:
        return
    others, kinds = _others(plan)
    found = f"; found {counted(others, 'other file')} ({kinds})" if others else "; nothing else either"
    raise SourceError(
        f"image_dir: no images ending in {', '.join(config.formats)} in {source.identity}{found}: "
        "name another folder, or set formats"
    )


def tell_plan(report: Report, source: Source, plan: Plan, images: tuple[PlannedImage, ...]) -> None:
    """The images that were found, and what was left out."""
    others, kinds = _others(plan)
    text = f"{len(images):,} in {source.identity}"
    if len(images) < len(plan.images):
        text += f" (the first of {len(plan.images):,})"
    report.fact("images", text)
    if others:
        report.note(f"{counted(others, 'file')} of other kinds left out: {kinds}")
    report.listing("refused", [f"{refusal.path}: {refusal.reason}" for refusal in plan.refusals])


def _others(plan: Plan) -> tuple[int, str]:
    """How many files are no images, and of which kinds."""
    kinds = (f"{count} .{suffix or '(none)'}" for suffix, count in plan.other_suffixes.most_common(4))
    return sum(plan.other_suffixes.values()), ", ".join(kinds)


def tell_estimate(report: Report, estimate: Estimate, info: ExtractorInfo) -> None:
    """Time and disk."""
    if not estimate.measured:
        if estimate.images > SAMPLES:  # else all were tried, and the summary says what is wrong with each
            report.note(f"no estimate: the {SAMPLES} images tried cannot be read; the summary will say why")
        return
    each = f"{estimate.grid[0]} x {estimate.grid[1]} cells of {info.dim}" if estimate.grid else "a vector for each"
    report.fact(
        "estimate",
        f"about {format_duration(estimate.seconds)} and {format_bytes(estimate.disk_bytes)} for "
        f"{counted(estimate.images, 'image')} ({each})"
        + (f"; {format_bytes(estimate.free_bytes)} free" if estimate.free_bytes is not None else ""),
    )
