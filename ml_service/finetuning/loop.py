"""Fine-tuning from the first look at the frozen features to the comparison at the end.

The head is fitted to the frozen features first, and factors start at zero: before the first step the network says what
the frozen one says (Kumar et al. 2022, https://arxiv.org/abs/2202.10054), so its held-out loss has to be beaten.
All chance of an epoch comes from the seed and the epoch's number: a run that goes on after its last whole epoch does
what an unbroken one would have done.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from db.tasks import find_task
from ml_service.data_loaders.base import FloatArray
from ml_service.early_stopping import EarlyStopping
from ml_service.finetuning.adapted_network import AdaptedNetwork
from ml_service.finetuning.comparison import Comparison
from ml_service.finetuning.events import EpochDone, Event, Look, PicturesDone
from ml_service.finetuning.linear_head import ScaledLinear, fit_head
from ml_service.finetuning.pictures import Pictures
from ml_service.finetuning.plan import Plan
from ml_service.finetuning.samples import SampleSource, class_factors, draw_mirrored
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import fit_samples
from ml_service.losses.finite import check_finite
from ml_service.task_factory import make_task_parts
from models.backbone import Pretrained
from models.runtime import choose_batch_size

HEAD_RATE = 10.0
"""How much faster the head learns than the factors, as its inputs are scaled to small numbers."""
LARGEST_NORM = 1.0
"""Of the gradient of a step."""


class Finetuning:
    """One run. `state` and `restore` are what lies between two epochs.

    Args:
        pretrained: The network of the session's extractor, in float32.
    """

    def __init__(self, plan: Plan, pretrained: Pretrained, device: torch.device) -> None:
        task, settings = find_task(plan.task), plan.settings
        info = plan.extractor
        self._plan = plan
        self._parts = make_task_parts(task, info)
        self._device = device
        torch.manual_seed(plan.seed)  # the factors A start at random
        self.network = AdaptedNetwork(pretrained, settings, device)
        size_px = info.resize if task.reads_patches else pretrained.pooled_size_px
        cells = (size_px // pretrained.network.cell_px) ** 2
        self._together = choose_batch_size(device, cells)
        pictures = Pictures(plan, size_px)
        factors = class_factors(plan.training, is_exclusive=self._parts.output.one_class)
        self._training, self._held_out = (
            SampleSource(samples, pictures, self.network, reads_patches=task.reads_patches, factors=factors)
            for samples in (plan.training, plan.held_out)
        )
        self._head: ScaledLinear | None = None
        self._optimizer: torch.optim.Optimizer | None = None
        self._stopping = EarlyStopping(settings.patience, plan.threshold)
        self.epoch = 0
        """Epochs done."""
        self.history: list[tuple[float, float]] = []
        """Training and held-out loss of each."""
        weights = self._held_out.labels.weights.numpy().astype(np.float32)
        self.comparison = Comparison(plan.held_out, weights, self._parts.output)
        self.best_epoch = 0
        """0 while the frozen features are best."""
        self.best_factors: dict[str, Tensor] = {}
        self._best_loss = math.inf
        self.reason: str | None = None
        """early_stop or max_epochs, once it has ended by itself."""

    def begin(self) -> Iterator[Event]:
        """Fit the head to the frozen features."""
        head, logits, live_logits = yield from self._fit_anew("frozen")
        self.comparison.take_frozen(live_logits)
        self._take_head(head)
        self._best_loss = self._stopping.reference_loss = self._held_out_loss(logits)

    def learn(self) -> Iterator[Event]:
        """Epochs until the held-out loss has stopped falling, or there are enough of them."""
        while self.reason is None:
            yield from self._learn_epoch()

    def finish(self) -> Iterator[Event]:
        """Fit a head to the tuned features, as the session would after adopting them, and measure that."""
        if self.best_epoch == 0:
            return
        self._set_factors(self.best_factors)
        _, _, live_logits = yield from self._fit_anew("tuned")
        self.comparison.take_tuned(live_logits)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values that the rest depends on. Of use after `begin`."""
        assert self._head is not None
        assert self._optimizer is not None
        compared, result = self.comparison.state()
        tensors = compared | {f"factor.{name}": value for name, value in self._factors().items()}
        tensors |= {f"best.{name}": value for name, value in self.best_factors.items()}
        tensors |= {f"head.{name}": value.cpu() for name, value in self._head.state_dict().items()}
        for number, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{name}": value.cpu() for name, value in moments.items()}
        plain = result | {
            "epoch": self.epoch,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "reference_loss": self._stopping.reference_loss,
            "checks_without_improvement": self._stopping.checks_without_improvement,
            "reason": self.reason,
            "group_sizes": self._head.group_sizes,
            "scale": self.network.scale,
        }
        return {name: value.detach().contiguous().clone() for name, value in tensors.items()}, plain

    def restore(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._set_factors(_below("factor.", tensors))
        self.best_factors = _below("best.", tensors)
        head_state = _below("head.", tensors)
        head = ScaledLinear(
            head_state["mean"],
            head_state["scale"],
            tuple(plain["group_sizes"]),
            len(self._plan.class_ids),
            unit_norm=self._parts.live_config.unit_norm,
        )
        head.load_state_dict(head_state)
        optimizer = self._take_head(head)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below("adam.", tensors).items():
            number, name = key.split(".", 1)
            moments.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self.epoch, self.reason = plain["epoch"], plain["reason"]
        self.history = [(train, val) for train, val in plain["history"]]
        self.comparison.restore(tensors, plain)
        self.best_epoch, self._best_loss = plain["best_epoch"], plain["best_loss"]
        self._stopping.reference_loss = plain["reference_loss"]
        self._stopping.checks_without_improvement = plain["checks_without_improvement"]

    def _learn_epoch(self) -> Iterator[Event]:
        number = self.epoch + 1
        generator = torch.Generator().manual_seed(_mixed(self._plan.seed, number))
        torch.manual_seed(_mixed(self._plan.seed, number))  # dropout draws from here
        image_ids = self._training.image_ids
        order = [image_ids[place] for place in torch.randperm(len(image_ids), generator=generator).tolist()]
        size, loss_sum, weight_sum = self._plan.settings.batch_size, 0.0, 0.0
        for start in range(0, len(order), size):
            for done, loss, weight in self._step(order[start : start + size], generator):
                loss_sum, weight_sum = loss_sum + loss * weight, weight_sum + weight
                yield PicturesDone(number, start + done, len(order))
        logits = yield from self._held_out_logits(number)
        val_loss = self._checked(self._held_out_loss(logits), "held-out loss", number)
        is_best = val_loss < self._best_loss
        if is_best:
            self._best_loss, self.best_epoch, self.best_factors = val_loss, number, self._factors()
            self.comparison.take_tuned(logits)
        self._stopping.update(val_loss)
        if self._stopping.should_stop:
            self.reason = "early_stop"
        elif number >= self._plan.settings.max_epochs:
            self.reason = "max_epochs"
        self.epoch = number
        self.history.append((loss_sum / weight_sum, val_loss))
        yield EpochDone(number, loss_sum / weight_sum, val_loss, is_best)

    def _step(self, batch: list[int], generator: torch.Generator) -> Iterator[tuple[int, float, float]]:
        """One step of the optimiser; after each group of pictures how many are done, its loss and its weight."""
        head, optimizer = self._head, self._optimizer
        assert head is not None
        assert optimizer is not None
        optimizer.zero_grad()
        of_batch = self._training.labels_of(self._training.rows(batch))
        total, done = float(of_batch.weights.sum()), 0
        with self.network.learning():
            for group in self._training.same_size(batch, self._together):
                labels = self._training.labels_of(self._training.rows(group))
                features = self._training.features(group, draw_mirrored(self._plan.settings.flips, generator))
                weight = float(labels.weights.sum())
                targets, weights = labels.targets.to(self._device), labels.weights.to(self._device)
                loss = self._parts.loss(head(features), targets, weights)
                (loss * (weight / total)).backward()  # type: ignore[no-untyped-call]
                done += len(group)
                yield done, self._checked(float(loss.detach()), "training loss", self.epoch + 1), weight
        head.penalty(self._training.labels, self._parts.live_config).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters.values(), LARGEST_NORM)
        optimizer.step()

    def _held_out_logits(self, epoch: int) -> Generator[Event, None, Tensor]:
        assert self._head is not None
        logits = torch.zeros(len(self._plan.held_out), len(self._plan.class_ids))
        head = self._head
        total = len(self._training.image_ids)
        for rows, features in self._held_out.all_features(self._together):
            with torch.no_grad():
                logits[rows] = head(features.to(self._device)).cpu()
            yield PicturesDone(epoch, total, total)
        return logits

    def _fit_anew(self, stage: str) -> Generator[Event, None, tuple[ScaledLinear, Tensor, Tensor]]:
        """A linear head on the features as they are now, its logits on the held-out samples, and those of the live head
        of the same training samples."""
        sources = (self._training, self._held_out)
        total = 2 * len(self._training.image_ids) + len(self._held_out.image_ids)
        done, vectors = 0, []
        for part in self._training.scaler_vectors(self._together):
            vectors.append(part)
            done = min(total, done + self._together)
            yield Look(stage, done, total)
        features = []
        for source in sources:
            table = torch.zeros(len(source.labels.weights), vectors[0].shape[1])
            for rows, values in source.all_features(self._together):
                table[rows] = values
                done = min(total, done + self._together)
                yield Look(stage, done, total)
            features.append(table)
        scaler = FeatureScaler.fit(torch.cat(vectors).numpy(), self._parts.groups)
        head = ScaledLinear(
            torch.from_numpy(scaler.mean),
            torch.from_numpy(scaler.scale),
            scaler.group_sizes,
            len(self._plan.class_ids),
            unit_norm=self._parts.live_config.unit_norm,
        )
        fit_head(head, features[0], self._training.labels, self._parts.loss, self._parts.live_config)
        with torch.no_grad():
            logits: Tensor = head(features[1])
        return head, logits, self._live_logits(scaler, *(table.numpy() for table in features))

    def _live_logits(self, scaler: FeatureScaler, training: FloatArray, held_out: FloatArray) -> Tensor:
        """Of what predicts in the session, on such features (N, D)."""
        samples = replace(self._plan.training, inputs=training)
        live = fit_samples(self._parts, scaler, samples, self._plan.class_ids)
        return torch.from_numpy(live.logits(held_out))

    def _held_out_loss(self, logits: Tensor) -> float:
        labels = self._held_out.labels
        return float(self._parts.loss(logits, labels.targets, labels.weights))

    def _take_head(self, head: ScaledLinear) -> torch.optim.Optimizer:
        rate = self._plan.settings.learning_rate
        self._head = head.to(self._device)
        groups = [
            {"params": list(self.network.parameters.values()), "lr": rate},
            {"params": list(self._head.linear.parameters()), "lr": rate * HEAD_RATE},
        ]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        return self._optimizer

    def _factors(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.network.parameters.items()}

    @torch.no_grad()
    def _set_factors(self, factors: dict[str, Tensor]) -> None:
        for name, parameter in self.network.parameters.items():
            parameter.copy_(factors[name])

    def _checked(self, value: float, name: str, epoch: int) -> float:
        rate = self._plan.settings.learning_rate
        return check_finite(value, name, epoch=epoch, setting="finetune.learning_rate", rate=rate)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _mixed(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63
