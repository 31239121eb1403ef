"""Clips: found in a catalog, decoded once into a cache, sampled as a genome's input says.

| module          | what it gives                                                              |
|-----------------|----------------------------------------------------------------------------|
| `dataset`       | `Clip`, `Dataset`: which clips there are and what each shows               |
| `splits`        | the seeded, stratified split of clips that come without one                |
| `catalog`       | `open_dataset`: one file a format on disk                                  |
| `video`         | `open_video`, `BrokenClip`: a file, opened with suspicion                  |
| `decode`        | `decode_clip`: a video file, or a part of one, as an array                 |
| `cache`         | `ClipCache`: every clip decoded once, memory-mapped                        |
| `inspection`    | `inspect_dataset`: what is in a data set before anything is trained on it  |
| `sampling`      | frames, stride and resolution of an `InputSpec` taken from a decoded clip  |
| `views`         | `take_views`, `parse_views`: several views of a clip for its evaluation    |
| `loader`        | `training_batches`, `evaluation_batches`: tensors, read ahead              |
| `moving_digits` | `generate`: the embedded data set, written as real mp4 files               |
"""
