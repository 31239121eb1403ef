"""A network while it is fitted: all that a checkpoint keeps, and the one step that changes it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tvnsearch.data.loader import Batch
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.training.objective import Objective
from tvnsearch.training.optimization import learning_rate_factor, make_optimizer
from tvnsearch.training.precision import choose_precision
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.team import ALONE, Team


class Fitting:
    """A network, its optimizer, the average of its weights if the recipe has one, and how far it is.

    `losses` has one number an iteration, `seconds` is how long they took, and each batch is computed in
    `parts` (2 once a whole one was too large for the device).
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
        self.precision = choose_precision(recipe.precision, device, network.trace)
        self.optimizer = make_optimizer(network, recipe)
        self.average: AveragedModel | None = None
        if recipe.average_decay is not None:
            # torch leaves the decaying average of several tensors untyped
            average = get_ema_multi_avg_fn(recipe.average_decay)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.losses: list[float] = []
        self.seconds = 0.0
        self.parts = 1
        network.head.dropout.p = recipe.dropout
        self._joined = team.join(network)

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return len(self.losses)

    @property
    def result(self) -> nn.Module:
        """What is scored and kept: the averaged network where there is one."""
        return self.network if self.average is None else self.average.module

    def step(self, batch: Batch, share: float) -> float:
        """Learn from a batch when `share` (0 to 1) of the training is done; the loss is returned and kept.

        A loss that is not finite changes no weight. A batch that does not fit in the memory of the device is
        halved, this one and all to come, and the gradients of the halves added up.

        Raises torch.OutOfMemoryError when halves do not fit either.
        """
        for group in self.optimizer.param_groups:
            factor = learning_rate_factor(share, self.recipe.warmup_share)
            group["lr"] = self.recipe.learning_rate * factor
        loss = self._backward_halving(batch)
        self.losses.append(loss)
        if math.isfinite(loss):
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient_norm)
            self.optimizer.step()
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
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        total = 0.0
        multi_label = batch.labels.dim() == 2
        batch = self.objective.mixed(batch.to(self.device), self.iterations, self.team.rank)
        for part in batch.parts(self.parts):
            loss = self._loss(part, multi_label) * (len(part.labels) / len(batch.labels))
            torch.autograd.backward(loss)
            total += loss.item()
        return self.team.mean(total, self.device)

    def _loss(self, batch: Batch, multi_label: bool) -> Tensor:
        kind = torch.device(self.device).type
        with (
            torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16"),
            self.objective.watching(),
        ):
            logits = self._joined(batch.clips).float()
            taught = self.objective.teacher_logits(batch.teacher_clips)
        return self.objective.loss(logits, batch.labels, multi_label, taught)
