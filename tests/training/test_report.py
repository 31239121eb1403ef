from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from tvnsearch.data.views import Views
from tvnsearch.network.build import build_network
from tvnsearch.training.confusion import confusion_svg
from tvnsearch.training.evaluation import pool_views, predict
from tvnsearch.training.report import report

CLASSES = ("cut & paste", "run", "sit")


def answers(labels, taken_for):
    return np.eye(3, dtype=np.float32)[taken_for], np.array(labels)


def test_every_class_and_what_it_is_taken_for():
    logits, labels = answers([0, 0, 0, 0, 1, 1], [0, 1, 1, 2, 1, 1])
    told = report(logits, labels, CLASSES)
    assert told.scores.top1 == pytest.approx(3 / 6)
    assert told.confusion == ((1, 2, 1), (0, 2, 0), (0, 0, 0))
    cut, run, sit = told.classes
    assert (cut.clips, cut.score, cut.taken_for, cut.mistakes) == (4, 0.25, "run", 2)
    assert (run.clips, run.score, run.taken_for, run.mistakes) == (2, 1.0, None, 0)
    assert (sit.clips, sit.score) == (0, None)
    for name in ("top1", "top5", "fitness"):
        assert told.intervals[name].low <= getattr(told.scores, name) <= told.intervals[name].high


def test_multi_label_classes_have_average_precisions():
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    told = report(labels + 0.0, labels, CLASSES)
    assert [(each.clips, each.score) for each in told.classes] == [(2, 1.0), (2, 1.0), (0, None)]
    assert told.confusion is None
    assert told.scores.mean_average_precision == 1.0
    assert set(told.intervals) == {"mean_average_precision"}


def test_the_picture_shows_every_count_that_is_not_zero():
    logits, labels = answers([0, 0, 0, 1], [0, 1, 1, 1])
    matrix = report(logits, labels, CLASSES).confusion
    root = ElementTree.fromstring(confusion_svg(matrix, CLASSES, "cut <here>"))
    space = "{http://www.w3.org/2000/svg}"
    told = {box.text: box for box in root.iter(f"{space}title")}
    assert set(told) == {
        "cut & paste taken for cut & paste: 1 of 3",
        "cut & paste taken for run: 2 of 3",
        "run taken for run: 1 of 1",
    }
    fills = {box.get("fill") for box in root.iter(f"{space}rect") if len(box)}
    assert len(fills) == 3
    names = [text.text for text in root.iter(f"{space}text")]
    assert all(names.count(name) == 2 for name in CLASSES)


def test_many_classes_fit_into_one_picture():
    count = 200
    root = ElementTree.fromstring(
        confusion_svg(np.eye(count, dtype=int).tolist(), list(map(str, range(count))), "")
    )
    assert float(root.get("width")) < 1200
    assert len([box for box in root.iter() if box.tag.endswith("title")]) == count


def test_views_are_pooled_by_the_mean_of_their_softmaxes():
    logits = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 4.0, -1.0]]])
    pooled = pool_views(logits, multi_label=False)
    torch.testing.assert_close(pooled.softmax(1), logits.softmax(2).mean(1))


def test_labels_of_any_view_are_labels_of_the_clip():
    logits = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 4.0, -1.0]]])
    assert pool_views(logits, multi_label=True).tolist() == [[2.0, 4.0, 1.0]]


def test_several_views_of_each_clip_make_one_row(cache, genome):
    torch.manual_seed(0)
    network = build_network(genome, 8)
    torch.nn.init.normal_(network.head.classifier.weight)
    clips = cache.dataset.test
    seen = []
    one, labels = predict(network, cache, clips, genome.input)
    many, same = predict(
        network,
        cache,
        clips,
        genome.input,
        views=Views(3, 3),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert many.shape == one.shape == (len(clips), 8)
    assert labels.tolist() == same.tolist()
    assert not np.allclose(one, many)
    assert seen[-1] == (len(clips), len(clips))
    assert math.isclose(np.exp(many[0]).sum(), 1.0, rel_tol=1e-5)
