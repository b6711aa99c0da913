"""`fewclick features --verify`: is the extractor at hand the network that it should be?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import typer

from db.database import DATABASE_FILE_NAME, URL_VARIABLE, Database
from db.errors import InvalidInputError
from db.queries.session_info import get_session_info
from models.base import FeatureExtractor
from models.extractor_settings import ExtractorSettings
from models.published import GOLDEN_IMAGE
from models.registry import BUILT_IN_NAMES, EMBEDDED, load_extractor

PASSED, FAILED = 0, 1


def verify(session_dir: Path, weights: Path | None, image: Path | None, extractor: str | None) -> int:
    """Check published values or, for an extractor that `extractor` names, the contract; returns the exit status.

    Raises:
        InvalidInputError, ModelsError: what is needed is missing or is something else.
    """
    if extractor is not None and (extractor not in BUILT_IN_NAMES or extractor == EMBEDDED):
        return _verify_contract(load_extractor(ExtractorSettings(weights_path=weights, extractor=extractor)))
    settings = ExtractorSettings(weights_path=weights or _weights_of(session_dir), extractor=extractor)
    if settings.weights_path is None:
        raise InvalidInputError(
            "features --verify: no weights: add `--weights PATH` (Meta's .pth or a Hugging Face folder), or name a "
            "session made with weights_path by --session. docs/extractors.md tells where to get them"
        )
    if image is None:
        raise InvalidInputError(
            f"features --verify: no image: add `--image FILE`, which has to be {GOLDEN_IMAGE} (COCO val2017)"
        )
    return _verify_golden(settings, image)


def _verify_golden(settings: ExtractorSettings, image: Path) -> int:
    from models.conformance import MIN_SIMILARITY, TOLERANCE, runtime_similarity, verify_golden
    from models.images import read_image
    from models.pretrained import load_pretrained
    from models.runtime import Runtime

    pixels = read_image(image)
    settings = replace(settings, layers=None)
    extractor = load_pretrained(settings, runtime=Runtime.TORCH)
    verdict = verify_golden(extractor, pixels)
    typer.echo(
        f"{'PASS' if verdict.passed else 'FAIL'}: {verdict.name}, weights {extractor.info.weights_hash}: the largest "
        f"difference from the published values is {verdict.largest_difference:.2g} ({verdict.where}), "
        f"allowed are {TOLERANCE:g}"
    )
    used = load_pretrained(settings)
    if not verdict.passed or used.runtime is Runtime.TORCH:
        return PASSED if verdict.passed else FAILED
    similarity = runtime_similarity(used, extractor, pixels)
    typer.echo(
        f"{'PASS' if similarity >= MIN_SIMILARITY else 'FAIL'}: run as {used.runtime}, as this machine does it: cosine "
        f"similarity {similarity:.6f} with plain float32, at least {MIN_SIMILARITY} is needed"
    )
    return PASSED if similarity >= MIN_SIMILARITY else FAILED


def _verify_contract(extractor: FeatureExtractor) -> int:
    from models.conformance import contract_faults

    faults = contract_faults(extractor)
    for fault in faults:
        typer.echo(f"FAIL: {extractor.info.name}: {fault}")
    if not faults:
        typer.echo(f"PASS: {extractor.info.name} keeps the contract of feature extractors")
    return FAILED if faults else PASSED


def _weights_of(session_dir: Path) -> Path | None:
    """What the session's configuration names, if there is a session."""
    if URL_VARIABLE not in os.environ and not (session_dir / DATABASE_FILE_NAME).is_file():
        return None
    database = Database.of_session(session_dir)
    try:
        with database.read() as db_session:
            named = get_session_info(db_session).config.get("weights_path")
    finally:
        database.close()
    return None if named is None else Path(named)
