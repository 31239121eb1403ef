"""Clips: found in a catalog, decoded once into a cache, sampled as a genome's input says.

| module          | what it gives                                                              |
|-----------------|----------------------------------------------------------------------------|
| `dataset`       | `Clip`, `Dataset`: which clips there are and what each shows               |
| `splits`        | the seeded, stratified split of clips that come without one                |
| `catalog`       | `open_dataset`: one file a format on disk                                  |
| `video`         | `open_video`, `BrokenClip`: a file, opened with suspicion                  |
| `decode`        | `read_frames`: of a video, upright, thinned and small                      |
| `jpeg`          | single frames as JPEG                                                      |
| `stored`        | `StoredVideo`, `Frames`: a decoded video as one memory-mapped file         |
| `preparation`   | `decode_all`: videos into such files, in the form the disk has room for    |
| `cache`         | `ClipCache`: every video decoded once, for all runs                        |
| `inspection`    | `inspect_dataset`: what is in a data set before anything is trained on it  |
| `sampling`      | frames, stride and resolution of an `InputSpec` taken from a decoded clip  |
| `augmentation`  | `Augmentation`, `random_view`: what a training sees of a clip              |
| `rand_augment`  | operations on the pixels of a clip, the same in all of its frames          |
| `balancing`     | clips drawn so that every class comes equally often                        |
| `views`         | `Views`, `parse_views`: several views of a clip for its evaluation         |
| `loader`        | `training_batches`, `evaluation_batches`: tensors, read ahead              |
| `streaming`     | `arrivals`, `sliding_windows`: files, cameras and stdin while they come    |
| `moving_digits` | `generate`: the embedded data set, written as real mp4 files               |
"""
