"""Labels of videos and of streams, window by window."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import torch
from msgspec.structs import replace

import tvnsearch
from tests.api.conftest import CLASSES
from tests.data.videos import picture, write_picture, write_video
from tvnsearch.api import classify as module
from tvnsearch.api.classify import Moment, is_stream
from tvnsearch.api.trained_model import TrainedModel, load_model, load_network, logits_of, write_model
from tvnsearch.devices import backends
from tvnsearch.devices.backends import load_backend
from tvnsearch.errors import UserError
from tvnsearch.genome import trace
from tvnsearch.search.settings import DeviceSettings

SECONDS, RATE = 6, 12


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server of a folder, and its address."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shades = [picture(64, 48, 20 + 3 * number) for number in range(SECONDS * RATE)]
    return write_video(tmp_path_factory.mktemp("video") / "a clip.ts", pictures=shades)


def test_a_video_is_the_mean_of_its_windows(net: Path, video: Path) -> None:
    moments: list[Moment] = []
    [seen] = tvnsearch.classify(net, [video], on_moment=moments.append)
    assert (seen.video, seen.windows) == (str(video), moments)
    told = [{label.label: label.probability for label in moment.labels} for moment in moments]
    assert {label.label: label.probability for label in seen.labels} == pytest.approx(
        {name: np.mean([each[name] for each in told]) for name in CLASSES}, abs=1e-5
    )
    assert all(sum(each.values()) == pytest.approx(1, abs=1e-5) for each in told)
    steps_s = [later.end_s - earlier.end_s for earlier, later in pairwise(moments[:-1])]
    assert steps_s == pytest.approx([1.0] * len(steps_s), abs=0.01)


def test_a_stream_tells_the_same_windows(net: Path, video: Path) -> None:
    [seen] = tvnsearch.classify(net, [video], every_s=2.0)
    stream = list(tvnsearch.classify_stream(net, video, every_s=2.0))
    assert [(one.start_s, one.end_s, one.labels) for one in stream] == [
        (one.start_s, one.end_s, one.labels) for one in seen.windows
    ]


def test_videos_are_labelled_in_their_order_as_they_are_asked_for(net: Path, video: Path) -> None:
    labelled = tvnsearch.classify(net, ["nothing.mp4", video])
    missing, seen = next(labelled), next(labelled)
    assert (missing.video, missing.labels, missing.windows) == ("nothing.mp4", [], [])
    assert missing.broken == (
        "expected a video in nothing.mp4, but it cannot be decoded (no such file); give another one"
    )
    assert (seen.video, seen.broken, len(seen.labels)) == (str(video), None, 3)


def test_a_folder_stands_for_all_videos_below_it(net: Path, video: Path, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.mkv", "a.mkv", "deep/er/c.mp4", ".hidden.mp4", "notes.txt"):
        shutil.copy(video, tmp_path / name)
    seen = [Path(each.video).name for each in tvnsearch.classify(net, [tmp_path, video])]
    assert seen == ["a.mkv", "b.mkv", "c.mp4", video.name]
    with pytest.raises(UserError, match=r"expected videos in the folder .*empty, but it has none"):
        (tmp_path / "empty").mkdir()
        tvnsearch.classify(net, tmp_path / "empty")


def test_a_folder_of_the_frames_of_a_video_is_that_video(net: Path, tmp_path: Path) -> None:
    (tmp_path / "TR000").mkdir()
    for number in range(1, 21):
        write_picture(tmp_path / "TR000" / f"TR000-{number:06}.jpg")
    [seen] = tvnsearch.classify(net, tmp_path / "TR000")
    assert (seen.video, seen.broken) == (str(tmp_path / "TR000"), None)


def test_a_model_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    for begun in (tvnsearch.classify, tvnsearch.classify_stream):
        with pytest.raises(UserError, match="expected a trained network or a run with a winner"):
            begun(tmp_path, [])  # type: ignore[operator]


def test_what_keeps_its_own_time_is_a_stream(video: Path) -> None:
    for source in ("-", "0", "/dev/null", "rtsp://camera/live", "http://server/a.mp4", "HTTPS://server/live"):
        assert is_stream(source)
    assert not is_stream(str(video))


def test_a_web_server_sends_the_windows_of_a_file(net: Path, video: Path) -> None:
    with served(video.parent) as address:
        stream = list(tvnsearch.classify_stream(net, f"{address}/{quote(video.name)}"))
        with pytest.raises(UserError, match=r"expected a video in http://.*other\.ts, but .*404"):
            list(tvnsearch.classify_stream(net, f"{address}/other.ts"))
    [seen] = tvnsearch.classify(net, [video])
    assert [(one.start_s, one.end_s, one.labels) for one in stream] == [
        (one.start_s, one.end_s, one.labels) for one in seen.windows
    ]


def test_labels_are_those_of_the_network_as_it_was_trained(
    net: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folded and packed one, which is measured, runs."""
    [seen] = tvnsearch.classify(net, [video])

    def plain_logits(model: TrainedModel) -> Callable[[np.ndarray], np.ndarray]:
        network = load_network(model)

        def logits(clips: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                found: np.ndarray = network(torch.from_numpy(clips)).numpy()
            return found

        return logits

    monkeypatch.setattr(module, "logits_of", plain_logits)
    [expected] = tvnsearch.classify(net, [video])
    assert len(seen.windows) == len(expected.windows) > 1
    for found, plain in zip(seen.windows, expected.windows, strict=True):
        told = {label.label: label.probability for label in found.labels}
        assert told == pytest.approx({label.label: label.probability for label in plain.labels}, abs=1e-5)


def test_a_network_that_was_measured_in_bfloat16_runs_in_it(net: Path, video: Path, tmp_path: Path) -> None:
    shutil.copytree(net, tmp_path / "net")
    model = load_model(net)
    write_model(tmp_path / "net", model.genome, replace(model.card, precision="bfloat16"))
    clip = np.random.default_rng(0).random((1, *trace(model.genome).in_shape), np.float32)
    rounded, exact = logits_of(load_model(tmp_path / "net"))(clip), logits_of(model)(clip)
    assert 0 < np.abs(rounded - exact).max() < 0.05 * np.abs(exact).max()
    [rough], [fine] = tvnsearch.classify(tmp_path / "net", [video]), tvnsearch.classify(net, [video])
    told = {label.label: label.probability for label in rough.labels}
    expected = {label.label: label.probability for label in fine.labels}
    assert told == pytest.approx(expected, abs=0.02)
    assert told != pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_network_that_was_searched_in_a_runtime_is_run_in_it(
    net: Path, video: Path, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(backend)
    shutil.copytree(net, tmp_path / "net")
    model = load_model(net)
    searched = DeviceSettings(name="cpu", backend=backend)
    write_model(tmp_path / "net", model.genome, replace(model.card, device=searched))
    loaded: list[str] = []

    def noted(name: str) -> Any:
        loaded.append(name)
        return load_backend(name)

    monkeypatch.setattr(backends, "load_backend", noted)
    [found], [expected] = tvnsearch.classify(tmp_path / "net", [video]), tvnsearch.classify(net, [video])
    assert loaded == [backend, "eager"]
    told = {label.label: label.probability for label in found.labels}
    assert told == pytest.approx({label.label: label.probability for label in expected.labels}, abs=1e-4)
