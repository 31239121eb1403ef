"""A network while it is fitted: all that a checkpoint keeps, and the one step that changes it."""

from __future__ import annotations

import math

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tvnsearch.data.loader import Batch
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.training.metrics import Scores
from tvnsearch.training.objective import Objective
from tvnsearch.training.optimization import learning_rate_factor, make_optimizer
from tvnsearch.training.precision import DTYPES, choose_precision
from tvnsearch.training.randomness import seed_generators
from tvnsearch.training.recipe import Precision, Recipe
from tvnsearch.training.team import ALONE, Team


class Best(Struct, frozen=True):
    """The weights that scored best so far, by their names and on the CPU, and after which iteration."""

    iteration: int
    scores: Scores
    weights: dict[str, Tensor]


class Fitting:
    """A network, its optimizer, the average of its weights if the recipe has one, and how far it is.

    `losses` has one number an iteration, `seconds` is how long they took, and each batch is computed in
    `parts` (2 once a whole one was too large for the device). `best` is there where the best weights are to
    be kept. `set_back` says why the training has gone back, None where it has not. `scored` is the iteration
    after which the network was last scored, and what came of that: no scores where its output is not finite.
    """

    def __init__(
        self,
        network: TinyVideoNetwork,
        recipe: Recipe,
        device: str = "cpu",
        team: Team = ALONE,
        objective: Objective | None = None,
    ) -> None:
        self.network = network.to(device).train()
        self.recipe = recipe
        self.device = device
        self.team = team
        self.objective = objective or Objective(network, recipe)
        self.compute_in(choose_precision(recipe.precision, device, network.trace))
        self.optimizer = make_optimizer(network, recipe)
        self.average: AveragedModel | None = None
        if recipe.average_decay is not None:
            # torch leaves the decaying average of several tensors untyped
            average = get_ema_multi_avg_fn(recipe.average_decay)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.losses: list[float] = []
        self.seconds = 0.0
        self.parts = 1
        self.best: Best | None = None
        self.set_back: str | None = None
        self.scored: tuple[int, Scores | None] | None = None
        network.head.dropout.p = recipe.dropout
        self._joined = team.join(network)

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return len(self.losses)

    @property
    def diverged(self) -> bool:
        """Whether the last loss was not finite."""
        return bool(self.losses) and not math.isfinite(self.losses[-1])

    @property
    def learning_rate(self) -> float:
        """That of the last iteration."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def result(self) -> nn.Module:
        """What is scored and kept: the averaged network where there is one."""
        return self.network if self.average is None else self.average.module

    def compute_in(self, precision: Precision) -> None:
        """Compute in `precision` from now on; in float16 a loss is scaled, so that no gradient vanishes."""
        self.precision = precision
        self.scaler = GradScaler(torch.device(self.device).type, enabled=precision == "float16")

    def step(self, batch: Batch, share: float) -> float:
        """Learn from a batch when `share` (0 to 1) of the training is done; the loss is returned and kept.

        A loss that is not finite changes no weight. Neither do gradients that overflow in float16: the scale
        of the losses is halved then. A batch that does not fit in the memory of the device is halved, this
        one and all to come, and the gradients of the halves added up.

        Raises torch.OutOfMemoryError when halves do not fit either.
        """
        for group in self.optimizer.param_groups:
            factor = learning_rate_factor(share, self.recipe.warmup_share)
            group["lr"] = self.recipe.learning_rate * factor
        loss = self._backward_halving(batch)
        self.losses.append(loss)
        if math.isfinite(loss):
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.average is not None:
                self.average.update_parameters(self.network)
        return loss

    def _backward_halving(self, batch: Batch) -> float:
        if self.parts > 1 or self.team.size > 1:
            return self._backward(batch)
        try:
            return self._backward(batch)
        except torch.OutOfMemoryError:
            self.parts = 2
        # Here, not in the handler: its exception would keep the features of the failed pass alive.
        self.optimizer.zero_grad(set_to_none=True)
        if torch.device(self.device).type == "cuda":
            torch.cuda.empty_cache()
        return self._backward(batch)

    def _backward(self, batch: Batch) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        # Dropout depends on the iteration alone, so that no generator's state has to be kept.
        key = (self.recipe.seed, self.iterations, self.team.rank)
        seed_generators(self.device, int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        total = 0.0
        multi_label = batch.labels.dim() == 2
        batch = self.objective.mixed(batch.to(self.device), self.iterations, self.team.rank)
        for part in batch.parts(self.parts):
            loss = self._loss(part, multi_label) * (len(part.labels) / len(batch.labels))
            torch.autograd.backward(self.scaler.scale(loss))
            total += loss.item()
        return self.team.mean(total, self.device)

    def _loss(self, batch: Batch, multi_label: bool) -> Tensor:
        kind = torch.device(self.device).type
        with (
            torch.autocast(kind, DTYPES[self.precision], enabled=self.precision != "float32"),
            self.objective.watching(),
        ):
            logits = self._joined(batch.clips).float()
            taught = self.objective.teacher_logits(batch.teacher_clips)
        return self.objective.loss(logits, batch.labels, multi_label, taught)
