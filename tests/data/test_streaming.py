from __future__ import annotations

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.videos import picture, write_live_webm, write_video
from tvnsearch.data.decode import Frame, decode_clip
from tvnsearch.data.streaming import (
    DEVICE,
    FILE,
    PIPE,
    Arrival,
    FrameQueue,
    arrivals,
    pace_of,
    sliding_windows,
)
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import square_input

RATE = 10


def frame(number, rate=RATE):
    return Frame(number / rate, np.full((2, 2, 3), number, np.uint8))


def stream(frames, rate=RATE):
    return [Arrival(frame(number, rate), 100 + number / rate, 0) for number in range(frames)]


def numbers(window):
    return window.pixels[:, 0, 0, 0].tolist()


@given(st.integers(1, 120), st.integers(1, 8), st.integers(1, 4), st.integers(1, 30))
def test_windows_slide_evenly_and_reach_the_end(length, frames, stride, every):
    spec = square_input(8, frames, stride)
    seen = list(sliding_windows(stream(length, 30), spec, every / 30))
    span = (frames - 1) * stride + 1
    if length < span:
        assert [numbers(window) for window in seen] == [
            [min(place * stride, length - 1) for place in range(frames)]
        ]
        return
    ends = [round(window.end_s * 30) for window in seen]
    for window, end in zip(seen, ends, strict=True):
        assert numbers(window) == list(range(end - span + 1, end + 1, stride))
        assert round(window.start_s * 30) == end - span + 1
        assert window.keeps_time
    assert ends[0] == span - 1
    assert ends[-1] == length - 1
    assert set(np.diff(ends[:-1]).tolist()) <= {every}
    assert len(ends) < 2 or ends[-1] - ends[-2] <= every


def at(times_s):
    """A stream whose frames, numbered, are shown at these times and arrive then."""
    return [
        Arrival(Frame(time_s, np.full((2, 2, 3), number, np.uint8)), 100 + time_s, 0)
        for number, time_s in enumerate(times_s)
    ]


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 44, 60])
def test_windows_are_of_the_time_that_is_asked_for_at_any_rate(rate):
    times_s = np.arange(3 * rate) / rate
    spec = square_input(8, 8, 4)
    windows = list(sliding_windows(at(times_s), spec, 0.5))
    assert windows[0].end_s >= 28 / 30 - 1e-6
    for window in windows:
        wanted_s = window.end_s - 28 / 30 + np.arange(8) * 4 / 30
        off_s = np.abs(times_s[:, None] - wanted_s)
        assert off_s[numbers(window), range(8)] == pytest.approx(off_s.min(axis=0), abs=1e-5)
        assert window.start_s == times_s[numbers(window)[0]]


def test_a_window_over_a_gap_shows_what_stood_then():
    times_s = [0.0, 0.1, 0.2, 0.3, 1.3, 1.4]
    *_, last = sliding_windows(at(times_s), square_input(8, 5, 7), 0.1)  # at 0.47, 0.7, 0.93, 1.17 s
    assert numbers(last) == [3, 3, 4, 4, 5]


def test_a_stream_whose_clock_steps_back_goes_on():
    times_s = np.arange(100) / 10
    windows = list(sliding_windows(at([*times_s, *times_s]), square_input(8, 4, 3), 1.0))
    assert [numbers(window)[-1] for window in windows] == [*range(3, 100, 10), *range(103, 200, 10), 199]
    assert all(np.ptp(numbers(window)) == 3 for window in windows)


def test_a_source_that_runs_ahead_of_the_clock_is_known():
    fast = [arrival._replace(arrived_s=100 + number / 50) for number, arrival in enumerate(stream(40))]
    assert not any(window.keeps_time for window in sliding_windows(fast, square_input(8, 4, 2), 1.0))


@pytest.fixture
def clock(monkeypatch):
    """Time as the test says."""
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr("tvnsearch.data.streaming.time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def taken(waiting):
    waiting.end(None)
    return [arrival.frame.time_s * RATE for arrival in iter(waiting.get, None)]


def put_from_a_thread(waiting, count):
    thread = threading.Thread(target=lambda: [waiting.put(frame(number)) for number in range(count)])
    thread.start()
    return thread


@pytest.mark.parametrize("pace", [FILE, PIPE])
def test_what_comes_faster_than_the_clock_waits(clock, pace):
    waiting = FrameQueue(pace, most_s=1.0)
    thread = put_from_a_thread(waiting, 30)
    seen = [waiting.get() for _ in range(15)]
    assert thread.is_alive()
    assert [arrival.frame.time_s * RATE for arrival in seen] == list(range(15))
    seen += [waiting.get() for _ in range(15)]
    thread.join()
    assert [arrival.dropped for arrival in seen] == 30 * [0]


@pytest.mark.parametrize("pace", [DEVICE, PIPE])
def test_a_live_source_drops_the_oldest_when_it_falls_behind(clock, pace):
    waiting = FrameQueue(pace, most_s=1.0)
    for number in range(30):
        clock.s = number / RATE + (3.0 if number else 0)
        assert waiting.put(frame(number))
    waiting.end(None)
    seen = list(iter(waiting.get, None))
    assert [round(arrival.frame.time_s * RATE) for arrival in seen] == list(range(19, 30))
    assert seen[-1].dropped == 19


def test_a_live_source_that_is_kept_up_with_drops_nothing(clock):
    waiting = FrameQueue(DEVICE, most_s=1.0)
    for number in range(100):
        clock.s = number / RATE
        waiting.put(frame(number))
        assert waiting.get().dropped == 0


def test_a_file_never_drops_however_late_it_is(clock):
    waiting = FrameQueue(FILE, most_s=1.0)
    thread = put_from_a_thread(waiting, 20)
    seen = []
    for _ in range(20):
        clock.s += 10
        seen.append(waiting.get())
    thread.join()
    assert [round(arrival.frame.time_s * RATE) for arrival in seen] == list(range(20))


def test_closing_ends_a_thread_that_waits():
    waiting = FrameQueue(FILE, most_s=0.5)
    thread = put_from_a_thread(waiting, 50)
    waiting.get()
    waiting.close()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_all_frames_of_a_file_arrive(tmp_path):
    shades = [picture(64, 48, 40 + 3 * number) for number in range(60)]
    path = write_video(tmp_path / "clip.webm", pictures=shades)
    seen = list(arrivals(str(path), 16, 0.5))
    assert np.array_equal(np.stack([arrival.frame.pixels for arrival in seen]), decode_clip(path, 16))
    assert [arrival.frame.time_s for arrival in seen] == pytest.approx([n / 12 for n in range(60)], abs=2e-3)


@pytest.mark.parametrize("content", [b"", b"no video" * 50])
def test_what_is_no_video_is_one_sentence(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"expected a video in .*clip\.mp4.*give another"):
        list(arrivals(str(path), 16, 1.0))


def test_a_device_that_is_no_camera_is_one_sentence():
    with pytest.raises(UserError, match="expected a video in /dev/null"):
        list(arrivals("/dev/null", 16, 1.0))


def test_sources_are_told_apart(tmp_path, monkeypatch):
    for source in ("-", "http://server/clip.mp4", "https://server:8080/live?key=1"):
        assert pace_of(source) == PIPE
    for source in ("/dev/null", "rtsp://user:word@camera/live", "RTSPS://camera", "0", "12"):
        assert pace_of(source) == DEVICE
    for source in (str(tmp_path / "clip.mp4"), "clips/http://server", "rtsp:camera", "-1", "x" * 300):
        assert pace_of(source) == FILE
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").touch()
    assert pace_of("0") == FILE


@pytest.fixture
def silent(monkeypatch):
    """A server that takes connections and never answers; it is waited for a second."""
    monkeypatch.setattr("tvnsearch.data.sources.ANSWER_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_address_where_nothing_answers_is_given_up(silent, scheme):
    with pytest.raises(UserError, match=rf"{scheme}://{silent}/live, .* \(nothing came from there for 1 s\)"):
        list(arrivals(f"{scheme}://{silent}/live", 16, 1.0))


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_address_where_nobody_listens_is_refused(scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live"
    with pytest.raises(UserError, match="Connection refused"):
        list(arrivals(closed, 16, 1.0))


UNSENT = 1000
"""Bytes that a server announces of what is below `/cut`, and does not send."""


class _Answers(BaseHTTPRequestHandler):
    """Sends what its server has for a path, or sends the client elsewhere; how long `/live` is it keeps."""

    def do_GET(self):
        content = self.server.content[self.path]
        self.send_response(302 if isinstance(content, str) else 200)
        if isinstance(content, str):
            self.send_header("Location", content)
        elif not self.path.startswith("/live"):
            more = UNSENT if self.path.startswith("/cut") else 0
            self.send_header("Content-Length", str(len(content) + more))
        self.end_headers()
        if isinstance(content, bytes):
            self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def web():
    """What to be sent for a path, and the address of the server that does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.content = {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.content, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_server_sends_a_file_as_a_pipe_does(web, tmp_path):
    content, address = web
    for suffix in (".ts", ".mkv", ".webm"):
        path = write_video(tmp_path / f"clip{suffix}", frames=30)
        content["/clip"] = path.read_bytes()
        seen = [arrival.frame.pixels for arrival in arrivals(f"{address}/clip", 16, 1.0)]
        assert np.array_equal(np.stack(seen), decode_clip(path, 16))


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_a_web_server_that_says_no_length_ends_where_it_closes(web, tmp_path, suffix):
    content, address = web
    path = write_video(tmp_path / f"clip{suffix}", frames=30)
    content["/live"] = content["/cut"] = path.read_bytes()
    seen = [arrival.frame.pixels for arrival in arrivals(f"{address}/live", 16, 5.0)]
    assert np.array_equal(np.stack(seen), decode_clip(path, 16))
    with pytest.raises(UserError, match="it is cut off, or cannot be read"):
        list(arrivals(f"{address}/cut", 16, 5.0))


def test_a_web_server_leads_to_no_file_and_to_no_other_list(web, tmp_path):
    content, address = web
    path = write_video(tmp_path / "clip.ts", frames=30)
    content["/clip.ts"] = path.read_bytes()
    content["/there"] = f"{address}/clip.ts"
    content["/here"] = f"file://{path}"
    content["/list.m3u8"] = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{path}\n#EXT-X-ENDLIST\n".encode()
    content["/list.ffconcat"] = f"ffconcat version 1.0\nfile {path}\n".encode()
    assert len(list(arrivals(f"{address}/there", 16, 1.0))) == 30
    for name in ("here", "list.m3u8", "list.ffconcat"):
        with pytest.raises(UserError, match=f"in {address}/{name}, but it cannot be decoded"):
            list(arrivals(f"{address}/{name}", 16, 1.0))


COUNT = (
    "import sys; from tvnsearch.data.streaming import arrivals;"
    "print(len(list(arrivals('-', 16, 0.5))), 'torch' in sys.modules)"
)


def count_of_stdin(**stdin):
    command = [sys.executable, "-c", COUNT]
    done = subprocess.run(command, capture_output=True, check=True, **stdin)
    return done.stdout.decode().strip()


def test_a_pipe_is_read_as_it_comes_without_torch(tmp_path):
    """A stream without an end that is known, and frames without a container."""
    assert count_of_stdin(input=write_live_webm(tmp_path / "a.webm", 30).read_bytes()) == "30 False"
    assert count_of_stdin(input=write_video(tmp_path / "a.ts", frames=30).read_bytes()) == "30 False"


def test_a_transport_stream_that_begins_anew_on_stdin_goes_on(tmp_path):
    one = write_video(tmp_path / "a.ts", frames=30, rate=30).read_bytes()
    script = (
        "from tvnsearch.data.streaming import arrivals;"
        "print(*(round(arrival.frame.time_s * 30) for arrival in arrivals('-', 16, 0.5)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, input=3 * one)
    assert [int(tick) for tick in done.stdout.split()] == list(range(90))


def test_a_file_on_stdin_may_have_its_index_at_its_end(tmp_path):
    with write_video(tmp_path / "a.mp4", frames=30).open("rb") as file:
        assert count_of_stdin(stdin=file) == "30 False"
