"""Small trees in the true layouts of the data sets, with their oddities; every clip is a real video."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Videos = dict[str, bytes]
"""A whole video of two seconds for each extension, and `.jpg`: one picture."""


@dataclass(frozen=True)
class Layout:
    """How to build a tree, and what is to be read from it.

    `spoiled`: a list, what is replaced in it, by what, and words of the error that must come. `labels`: what
    some clips show, by the end of their path (and from when, in seconds).
    """

    name: str
    build: Callable[[Path, Videos], None]
    classes: tuple[str, ...]
    train: int
    test: int
    labels: dict[tuple[str, float], set[str]]
    spoiled: tuple[tuple[str, str, str, str], ...]
    multi_label: bool = False
    mirrorable: bool = True
    recognised: bool = True
    needs: tuple[str, ...] = field(default=())


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def moments_in_time(root: Path, videos: Videos) -> None:
    classes = ("adult+female+singing", "clapping")
    write(root / "moments_categories.txt", "".join(f"{name},{n}\n" for n, name in enumerate(classes)))
    for name, folder, count in (("trainingSet", "training", 8), ("validationSet", "validation", 2)):
        files = [f"{label}/flickr-{n}_{n + 3}.mp4" for label in classes for n in range(count)]
        rows = [f"{file},{file.partition('/')[0]},3,0" for file in files]
        write(root / f"{name}.csv", "\r\n".join(rows))
        for file in files:
            write(root / folder / file, videos[".mp4"])


def hmdb51(root: Path, videos: Videos) -> None:
    for label in ("brush_hair", "wave"):
        names = [f"A_film!#@;[x]()&_{label}_u_nm_np1_fr_goo_{n}.avi" for n in range(3)]
        names += [f"Other {n}_{label}_u_nm_np1_fr_goo_0.avi" for n in range(6)]
        for split in (1, 2, 3):
            numbers = [1, 1, 1, 1, 1, 1, 2, 2, 0] if split == 1 else [2, 2, 2, 1, 1, 1, 1, 0, 0]
            lines = [f"{name} {number} \n" for name, number in zip(names, numbers, strict=True)]
            write(root / "splits" / f"{label}_test_split{split}.txt", "".join(lines))
        for name in names:
            write(root / "videos" / label / name, videos[".avi"])


def ucf101(root: Path, videos: Videos) -> None:
    classes = ("ApplyEyeMakeup", "BandMarching")
    lists = root / "ucfTrainTestlist"
    write(lists / "classInd.txt", "".join(f"{n} {name}\r\n" for n, name in enumerate(classes, start=1)))
    for split in (1, 2, 3):
        train, test = [], []
        for number, label in enumerate(classes, start=1):
            files = [f"{label}/v_{label}_g{g:02}_c{c:02}.avi" for g in range(1, 7) for c in (1, 2)]
            for file in files:
                write(root / "UCF-101" / file, videos[".avi"])
            test += files[: 2 * split]
            train += [f"{file} {number}" for file in files[2 * split :]]
        write(lists / f"trainlist0{split}.txt", "\r\n".join(train) + "\r\n")
        write(lists / f"testlist0{split}.txt", "\r\n".join(test) + "\r\n")


CHARADES_HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"


def charades(root: Path, videos: Videos) -> None:
    write(
        root / "Charades_v1_classes.txt",
        "c000 Holding some clothes\nc001 Putting clothes somewhere\nc002 Smiling / laughing\n",
    )
    script = '"A person says ""hello"", then\nholds clothes."'
    actions = ["c000 0.00 1.00;c001 0.50 1.50", "c002 0.00 2.00", "c000 1.00 2.00", ""]
    train = [f"TR{n:03},S1,Room,6,,Yes,{script},,,{actions[n % 4]},2.0\n" for n in range(12)]
    test = [f"TE{n:03},S2,Room,,7,No,{script},a;b,,{actions[n % 4]},2.0\n" for n in range(4)]
    write(root / "Charades_v1_train.csv", CHARADES_HEADER + "".join(train))
    write(root / "Charades_v1_test.csv", CHARADES_HEADER + "".join(test))
    for row in (*train, *test):
        write(root / "Charades_v1_480" / f"{row[:5]}.mp4", videos[".mp4"])


def charades_frames(root: Path, videos: Videos) -> None:
    charades(root, videos)
    folder = root / "Charades_v1_480"
    for video in sorted(folder.iterdir()):
        video.unlink()
        for number in range(1, 49):
            write(root / "Charades_v1_rgb" / video.stem / f"{video.stem}-{number:06}.jpg", videos[".jpg"])
    folder.rmdir()


def mlb_segmented(root: Path, videos: Videos) -> None:
    kinds = [["strike"], ["swing", "strike", "hit", "foul"], ["ball"]]
    pitches = {
        f"PITCH{n}": {
            "url": f"https://www.youtube.com/watch?v=game-{n % 6}",
            "start": 10.5 * n,
            "end": 10.5 * n + 4,
            "subset": "testing" if n % 6 == 0 else "training",
            "labels": kinds[n % 3] if n % 6 else [*kinds[n % 3], "ball"],
            **({"type": "slider", "speed": 88.1} if n % 2 else {}),
        }
        for n in range(18)
    }
    negatives = {f"NEG{n}": {"interval": [10 * n, 10 * n + 5], "ytid": f"game-{n + 6}"} for n in range(4)}
    write(root / "mlb-youtube-segmented.json", json.dumps(pitches))
    write(root / "mlb-youtube-negative.json", json.dumps(negatives))
    for name in (*pitches, *negatives):
        write(root / "videos" / f"{name}.mp4", videos[".mp4"])


def mlb_continuous(root: Path, videos: Videos) -> None:
    annotations = [
        {"segment": [0.2, 1.0], "label": "swing"},
        {"segment": [0.5, 1.1], "label": "strike"},
        {"segment": [0.5, 1.1], "label": "hit"},
        {"segment": [1.2, 1.8], "label": "ball"},
    ]
    games = {
        f"GAME{n}": {
            "url": f"https://www.youtube.com/watch?v=game{n}",
            "start": 7029.7366,
            "end": 7031.7366,
            "subset": "testing" if n < 2 else "training",
            "annotations": annotations if n else [],
        }
        for n in range(14)
    }
    write(root / "mlb-youtube-continuous.json", json.dumps(games))
    for name in games:
        write(root / f"{name}.mp4", videos[".mp4"])


def kinetics_rows(root: Path, split: str, folder: str, count: int, videos: Videos) -> list[str]:
    rows = []
    for label, place in (("abseiling", "abseiling"), ("shooting goal (soccer)", "shooting_goal_(soccer)")):
        for number in range(count):
            name = f"--{label[:2]}{split}{number}"
            rows.append(f'"{label}",{name},{number},{number + 10},{split},0')
            write(root / folder / place / f"{name}_{number:06}_{number + 10:06}.mp4", videos[".mp4"])
    return rows


def kinetics(root: Path, videos: Videos) -> None:
    for name, folder, count in (("train", "train", 4), ("validate", "val", 2)):
        rows = kinetics_rows(root, name, folder, count, videos)
        header = "label,youtube_id,time_start,time_end,split,is_cc"
        write(root / f"{name}.csv", "\n".join([header, *rows]) + "\n")
    write(root / "test.csv", "youtube_id,time_start,time_end,split\n--unlabelled,1,11,test\n")


def kinetics_list(root: Path, videos: Videos) -> None:
    for name, count in (("train", 4), ("val", 2)):
        files = [f"{name}/a class, of {label}/{n}.mp4" for label in (0, 10, 9) for n in range(count)]
        separator = " " if name == "train" else ","
        lines = [f"{file}{separator}{file.split('/')[1].split()[-1]}" for file in files]
        write(root / f"{name}.txt", "\n".join(lines) + "\n")
        for file in files:
            write(root / file, videos[".mp4"])


def kinetics_folders(root: Path, videos: Videos) -> None:
    for name, count in (("train", 4), ("val", 2)):
        kinetics_rows(root, name, name, count, videos)


def something_something(root: Path, videos: Videos) -> None:
    templates = ["Pushing [something] from left to right", "Putting [something] on a surface"]
    names = [template.replace("[something]", "something") for template in templates]
    write(root / "labels.json", json.dumps({names[1]: "0", names[0]: "1"}))
    for split, first, count in (("train", 100, 8), ("validation", 200, 4), ("test", 300, 2)):
        entries = [
            {
                "id": str(first + n),
                "label": f"pushing a cup {n}",
                "template": templates[n % 2],
                "placeholders": ["a cup"],
            }
            for n in range(count)
        ]
        if split == "test":
            entries = [{"id": entry["id"]} for entry in entries]
        write(root / f"{split}.json", json.dumps(entries))
        for entry in entries:
            write(root / "20bn-something-something-v2" / f"{entry['id']}.webm", videos[".webm"])


def folders(root: Path, videos: Videos) -> None:
    for label in ("a+b", "grüße 視頻"):
        for number, extension in enumerate((".mp4", ".webm", ".avi") * 2):
            write(root / "train" / label / f"{number} x;&[1]{extension}", videos[extension])
            write(root / "test" / label / f"{number}{extension}", videos[extension])


def csv_list(root: Path, videos: Videos) -> None:
    rows = ["path,label,split"]
    for number in range(12):
        name = f"cam 1/clip, {number}.mp4"
        labels = ("dog", "cat", "dog;cat")[number % 3]
        rows.append(f'"{name}",{labels},{"train" if number < 9 else "test"}')
        write(root / name, videos[".mp4"])
    write(root / "clips.csv", "\n".join(rows))


MLB_CLASSES = ("ball", "swing", "strike", "hit", "foul", "in play", "bunt", "hit by pitch")
CHARADES_CLASSES = ("Holding some clothes", "Putting clothes somewhere", "Smiling / laughing")
CHARADES_LABELS = {
    ("TR000.mp4", 0.0): {"Holding some clothes", "Putting clothes somewhere"},
    ("TR000.mp4", 0.5): {"Holding some clothes", "Putting clothes somewhere"},
    ("TR002.mp4", 1.0): {"Holding some clothes"},
    ("TR003.mp4", 0.0): set(),
    ("TE000.mp4", 0.0): {"Holding some clothes", "Putting clothes somewhere"},
    ("TE003.mp4", 0.0): set(),
}

LAYOUTS = (
    Layout(
        "moments-in-time",
        moments_in_time,
        ("adult+female+singing", "clapping"),
        16,
        4,
        {("training/adult+female+singing/flickr-0_3.mp4", 0.0): {"adult+female+singing"}},
        (
            ("trainingSet.csv", "flickr-0_3.mp4,clapping,3,0", "flickr-0_3.mp4", "line 9 has 1 columns"),
            ("moments_categories.txt", "clapping,1", "clapping", "line 2 is 'clapping'"),
        ),
        needs=("trainingSet.csv", "validationSet.csv"),
    ),
    Layout(
        "hmdb51-split1",
        hmdb51,
        ("brush_hair", "wave"),
        12,
        4,
        {("wave/A_film!#@;[x]()&_wave_u_nm_np1_fr_goo_0.avi", 0.0): {"wave"}},
        (("splits/wave_test_split1.txt", "goo_1.avi 1", "goo_1.avi 3", "line 2 is 'A_film.* 3'"),),
    ),
    Layout(
        "ucf101-split1",
        ucf101,
        ("ApplyEyeMakeup", "BandMarching"),
        20,
        4,
        {("UCF-101/BandMarching/v_BandMarching_g03_c02.avi", 0.0): {"BandMarching"}},
        (
            ("ucfTrainTestlist/trainlist01.txt", "g02_c02.avi 1", "g02_c02.avi 2", "line 2 .*the number 2"),
            ("ucfTrainTestlist/testlist01.txt", "BandMarching/", "", "line 3 is 'v_BandMarching_"),
            ("ucfTrainTestlist/classInd.txt", "2 Band", "Band", "line 2 is 'BandMarching'"),
        ),
        needs=("ucfTrainTestlist/testlist01.txt",),
    ),
    Layout(
        "charades",
        charades,
        CHARADES_CLASSES,
        15,
        4,
        CHARADES_LABELS,
        (
            ("Charades_v1_train.csv", "c002 0.00", "c002", "line 5 has 'c002 2.00'"),
            ("Charades_v1_test.csv", "c002 0.00", "c002 zero", "line 5 has the times 'zero 2.00'"),
            ("Charades_v1_test.csv", "actions,length", "length", "line 1 lacks actions"),
        ),
        multi_label=True,
        needs=("Charades_v1_test.csv",),
    ),
    Layout(
        "charades",
        charades_frames,
        CHARADES_CLASSES,
        15,
        4,
        {(name.removesuffix(".mp4"), start): labels for (name, start), labels in CHARADES_LABELS.items()},
        (),
        multi_label=True,
    ),
    Layout(
        "mlb-segmented",
        mlb_segmented,
        MLB_CLASSES,
        19,
        3,
        {
            ("PITCH1.mp4", 0.0): {"swing", "strike", "hit", "foul"},
            ("PITCH0.mp4", 0.0): {"strike", "ball"},
            ("NEG0.mp4", 0.0): set(),
        },
        (("mlb-youtube-segmented.json", '"foul"', '"fowl"', "fowl"),),
        multi_label=True,
    ),
    Layout(
        "mlb-continuous",
        mlb_continuous,
        MLB_CLASSES,
        36,
        3,
        {
            ("GAME1.mp4", 0.2): {"swing", "strike", "hit"},
            ("GAME1.mp4", 0.5): {"swing", "strike", "hit"},
            ("GAME7.mp4", 1.2): {"ball"},
        },
        (("mlb-youtube-continuous.json", '"segment": [0.5, 1.1]', '"segment": [0.5]', "segment"),),
        multi_label=True,
    ),
    Layout(
        "kinetics",
        kinetics,
        ("abseiling", "shooting goal (soccer)"),
        8,
        4,
        {("shooting_goal_(soccer)/--shtrain2_000002_000012.mp4", 0.0): {"shooting goal (soccer)"}},
        (("train.csv", "abtrain1,1,11", "abtrain1,one,11", "line 3 has 'one' to '11'"),),
    ),
    Layout(
        "kinetics",
        kinetics_list,
        ("0", "9", "10"),
        12,
        6,
        {("val/a class, of 10/1.mp4", 0.0): {"10"}},
        (("val.txt", "1.mp4,0", "1.mp4", "line 2 is 'val/a class, of 0/1.mp4'"),),
    ),
    Layout(
        "kinetics",
        kinetics_folders,
        ("abseiling", "shooting_goal_(soccer)"),
        8,
        4,
        {("val/abseiling/--abval0_000000_000010.mp4", 0.0): {"abseiling"}},
        (),
        recognised=False,
    ),
    Layout(
        "something-something-v2",
        something_something,
        ("Putting something on a surface", "Pushing something from left to right"),
        8,
        4,
        {("100.webm", 0.0): {"Pushing something from left to right"}},
        (
            ("labels.json", '"1"', '"one"', "no number"),
            ("validation.json", '"id"', '"it"', "id"),
        ),
        mirrorable=False,
    ),
    Layout(
        "folders",
        folders,
        ("a+b", "grüße 視頻"),
        12,
        12,
        {("test/a+b/1.webm", 0.0): {"a+b"}},
        (),
        mirrorable=False,
    ),
    Layout(
        "csv",
        csv_list,
        ("cat", "dog"),
        9,
        3,
        {("cam 1/clip, 2.mp4", 0.0): {"cat", "dog"}},
        (("clips.csv", ",dog,test", ",dog,tests", "line 11 has the split 'tests'"),),
        multi_label=True,
        mirrorable=False,
    ),
)
