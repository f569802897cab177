"""The loop: weights from training images, the epoch to keep from validation images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from tqdm import tqdm

from reference.recipe.recipe import Recipe
from reference.training import evaluation
from reference.training.learner import (
    Learner,
    Selected,
    autocast,
    copy_weights,
    has_stalled,
    is_better,
    train_mode,
)
from reference.training.parts import Source, batches, epoch_order
from reference.training.transforms.augment import random_mixup


def fit(learner: Learner, source: Source, recipe: Recipe, *, last: int) -> Iterator[dict[str, Any]]:
    """Train up to epoch `last`; yields what each epoch measured, the learner being up to date.

    Training ends early where validation has stalled as long as the recipe allows.
    """
    settings, labels, mixup = recipe.training, source.labels, recipe.augmentation.mixup
    model = source.learning(learner.model)
    if settings.compile:  # annotated as a function, it gives a module for a module
        model = cast("nn.Module", torch.compile(model))
    half = autocast(settings, labels.device)
    for epoch in range(len(learner.epochs) + 1, last + 1):
        if has_stalled(learner.epochs, settings.early_stopping):
            return
        started = time.perf_counter()
        train_mode(learner.model, learner.frozen)
        order = epoch_order(labels, source.num_classes, recipe.sampling.draw, learner.generator)
        answers, wanted = [], []
        name = f"{recipe.full_name}, epoch {epoch}/{last}"
        steps = batches(order, settings.batch_size)
        # disable=None: no bar where stderr is not a terminal
        for rows in tqdm(steps, desc=name, unit="step", leave=False, disable=None):
            images, targets = source.batch(rows, learner.generator), labels[rows]
            if mixup:
                images, targets = random_mixup(
                    images, targets, source.num_classes, mixup, learner.generator
                )
            with half:
                logits = model(images)
            loss = learner.loss(logits.float(), targets)
            learner.optimiser.zero_grad()
            loss.backward()
            learner.schedule.apply()
            learner.optimiser.step()
            answers.append(logits.detach().float())
            wanted.append(targets)
        measured = {
            "epoch": epoch,
            "lr": learner.optimiser.param_groups[0]["lr"],
            **evaluation.training_figures(torch.cat(answers), torch.cat(wanted)),
            **evaluation.validation_figures(source.validation(learner.model)),
            "seconds": round(time.perf_counter() - started, 2),
        }
        learner.schedule.end_epoch(measured["validation_accuracy"])
        learner.epochs.append(measured)
        if learner.selected is None or is_better(measured, learner.selected.epoch, settings):
            learner.selected = Selected(epoch=measured, weights=copy_weights(learner.model))
        yield measured
