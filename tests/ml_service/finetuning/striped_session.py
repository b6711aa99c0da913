"""Pictures of stripes that a random network cannot tell apart by direction, and that it learns to tell apart.

The network is a DINOv3 ViT of two blocks with random weights, kept as a Hugging Face folder.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from PIL import Image as PillowImage
from sqlalchemy import select
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from db.database import Database
from db.enums import CheckpointKind, FeatureState, RunKind, Split
from db.queries.annotations import NewPoint, replace_points, set_classes, set_label
from db.queries.checkpoints import save_checkpoint_row
from db.queries.runs import ENDED, request_run
from db.tables.images import Image
from db.tables.learning import Prediction, Run
from db.tables.session import SessionInfo
from db.tasks import Annotates
from initialization.extraction_service import ExtractionService
from initialization.service_settings import ServiceSettings as ExtractionSettings
from ml_service.context import open_context
from ml_service.settings import ServiceSettings
from ml_service.worker import Worker
from models.adapter_files import AdapterDescription, write_adapter
from models.base import ExtractorInfo
from models.registry import load_extractor
from tests.initialization.fakes import init, write_config

SIDE_PX, PATCH_PX = 64, 8
ALONG, ACROSS = 1, 2
"""Class ids: stripes from left to right, stripes from top to bottom."""
QUICK = {"learning_rate": 5e-3, "dropout": 0.0, "max_epochs": 12, "batch_size": 4, "targets": ["q", "v", "mlp"]}


def save_network(folder: Path, *, dim: int = 32, seed: int = 0) -> Path:
    """The network; returns the folder."""
    config = DINOv3ViTConfig(
        hidden_size=dim, intermediate_size=2 * dim, num_hidden_layers=2, num_attention_heads=2, num_register_tokens=1,
        patch_size=PATCH_PX, layerscale_value=1.0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    model = DINOv3ViTModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "weight" in name and parameter.ndim >= 2:
                parameter.normal_(std=parameter[0].numel() ** -0.5, generator=generator)
            elif "token" in name:
                parameter.normal_(std=0.02, generator=generator)
    model.save_pretrained(folder)
    return folder


def stripes(is_left_along: bool, is_right_along: bool, seed: int) -> npt.NDArray[np.uint8]:
    """Each half in its direction, at a random phase."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    picture = np.zeros((SIDE_PX, SIDE_PX))
    for half, is_along in ((slice(0, 32), is_left_along), (slice(32, 64), is_right_along)):
        phase = random.random() * 6
        wave = np.sign(np.sin(((rows if is_along else columns) + phase) * (2 * np.pi / 6)))
        picture[:, half] = 127 + 100 * wave[:, half]
    noisy = np.clip(picture + random.normal(0, 10, picture.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


def is_left_along(image_id: int) -> bool:
    """What is on the left of image `image_id`; in classification on both sides."""
    return image_id % 2 == 0


@dataclass
class StripedSession:
    """A session made by init, labelled rightly."""

    folder: Path
    db: Database
    config: Path

    def worker(self, **settings: Any) -> Worker:
        """A started ML service."""
        defaults = {
            "live_checkpoint_delay_s": 0.0,
            "tick_interval_s": 0.2,
            "quiet_s": 0.0,
            "finetune_threads": 1,
            "finetune_niceness": 0,
            "run_least_images": 5,
        }
        worker = Worker(open_context(self.folder, ServiceSettings(**{**defaults, **settings})))
        worker.start()
        return worker

    def start_run(self) -> int:
        """Ask for a fine-tuning run."""
        with self.db.write() as db_session:
            return request_run(db_session, None, RunKind.FINETUNE).id

    def run(self, run_id: int) -> Run:
        """As it is now."""
        with self.db.read() as db_session:
            return db_session.get_one(Run, run_id)

    def info(self) -> SessionInfo:
        """The session's row as it is now."""
        with self.db.read() as db_session:
            return db_session.get_one(SessionInfo, 1)

    def states(self) -> set[FeatureState]:
        """Of the features of all images."""
        with self.db.read() as db_session:
            return set(db_session.scalars(select(Image.features)))

    def predictions(self) -> list[Prediction]:
        """All there are."""
        with self.db.read() as db_session:
            return list(db_session.scalars(select(Prediction).order_by(Prediction.image_id)))

    def click(self, image_id: int) -> None:
        """Other points on an image, as right as those before, and the refit that they ask for."""
        with self.db.write() as db_session:
            left = ALONG if is_left_along(image_id) else ACROSS
            points = [NewPoint(4.0, 4.0, left), NewPoint(60.0, 60.0, ALONG + ACROSS - left)]
            replace_points(db_session, db_session.get_one(Image, image_id), points)

    def tune(self, **finetune: Any) -> None:
        """Other settings of fine-tuning."""
        with self.db.write() as db_session:
            info = db_session.get_one(SessionInfo, 1)
            info.training = {**info.training, "finetune": {**QUICK, **finetune}}


def label(image: Image, db_session: Any, annotates: Annotates) -> None:
    """The truth: two points on each half, or the class."""
    left = ALONG if is_left_along(image.id) else ACROSS
    if annotates is Annotates.IMAGE:
        set_label(db_session, image, left)
        return
    if annotates is Annotates.CLASSES:
        set_classes(db_session, image, [left])
        return
    right = ACROSS + ALONG - left
    shift = image.id % 7
    places = [(8 + shift, 12, left), (20, 40 + shift, left), (44 + shift, 20, right), (56, 52 - shift, right)]
    replace_points(db_session, image, [NewPoint(float(x), float(y), class_id) for x, y, class_id in places])


def make_striped_session(tmp_path: Path, task: str = "segmentation", count: int = 24, **config: Any) -> StripedSession:
    """Every fourth image is a validation image; the last two have no label."""
    weights = save_network(tmp_path / "network")
    (tmp_path / "images").mkdir()
    for image_id in range(1, count + 1):
        left = is_left_along(image_id)
        picture = stripes(left, not left if task == "segmentation" else left, seed=image_id)
        PillowImage.fromarray(picture).save(tmp_path / f"images/{image_id:03}.png")
    path = write_config(
        tmp_path,
        task=task,
        weights_path=str(weights),
        resize=SIDE_PX,
        classes=["along", "across"],
        finetune=QUICK,
        **config,
    )
    assert init(path, load=load_extractor) == 0
    session = StripedSession(tmp_path / "session", Database.of_session(tmp_path / "session"), path)
    annotates = session.info().task.annotates
    with session.db.write() as db_session:
        for image in db_session.scalars(select(Image).where(Image.id <= count - 2)):
            label(image, db_session, annotates)
            image.split = Split.VALIDATION if image.id % 4 < 2 and image.id > 4 else Split.TRAIN
    return session


def add_adapter(session: StripedSession, *, seed: int = 1, better: bool = True) -> int:
    """An adapter that no run has made, with its checkpoint; returns that one's id."""
    info = ExtractorInfo.from_json(session.info().extractor)
    generator = torch.Generator().manual_seed(seed)
    factors = {
        f"blocks.{block}.attention.q_proj.lora_{letter}": torch.randn(*shape, generator=generator)
        for block in range(2)
        for letter, shape in (("A", (4, 32)), ("B", (32, 4)))
    }
    path = f"adapters/made-{seed}.safetensors"
    write_adapter(session.folder / path, safetensors.torch.save(factors), AdapterDescription(info.to_json(), 1.0))
    frozen = {"loss": 0.9, "accuracy": 0.6, "mean_iou": 0.5, "n_samples": 28, "n_images": 7}
    tuned = frozen | {"loss": 0.3, "accuracy": 0.9, "mean_iou": 0.8}
    metrics = {"held_out": tuned, "frozen": frozen, "better": better}
    with session.db.write() as db_session:
        return save_checkpoint_row(db_session, CheckpointKind.ADAPTER, path, metrics=metrics)[0].id


def work_until(worker: Worker, condition: Callable[[], bool], limit_s: float = 200.0) -> None:
    """Steps until it holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        if not worker.step():
            time.sleep(0.01)


def has_ended(session: StripedSession, run_id: int) -> bool:
    return session.run(run_id).state in ENDED


@contextmanager
def extracting(session: StripedSession) -> Iterator[None]:
    """With an extraction service at work."""
    service = ExtractionService(session.folder, ExtractionSettings(poll_interval_s=0.01, courtesy_limit_s=0.05))
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()
