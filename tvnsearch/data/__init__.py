"""Clips: found in a catalog, decoded once into a cache, sampled as a genome's input says.

| module             | what it gives                                                             |
|--------------------|---------------------------------------------------------------------------|
| `dataset`          | `Clip`, `Dataset`: which clips there are and what each shows              |
| `splits`           | the split of clips that come without one, by a hash of each recording     |
| `catalog`          | `open_dataset`: one file a format on disk                                 |
| `video`            | `open_video`, `BrokenClip`: a file, opened with suspicion                 |
| `transport_stream` | whether one was cut off                                                   |
| `clock`            | `onward`: times that never step back                                      |
| `timeline`         | `Timeline`, `clip_of`: when frames are shown, and whether a clip is whole |
| `orientation`      | `upright`: turned and mirrored as it was taken                            |
| `decode`           | `read_frames`: of a video, upright, thinned and small                     |
| `jpeg`, `h264`     | single frames as JPEG, short runs of frames as H.264                      |
| `on_demand`        | `SourceVideo`: frames that are decoded when they are read                 |
| `stored`           | `StoredVideo`, `Frames`: a decoded video as one memory-mapped file        |
| `preparation`      | `decode_all`: videos into such files, in the form the disk has room for   |
| `preparation_plan` | `timed_plan`: what that takes, from a few frames of a few videos          |
| `manifest`         | `read_manifest`: a data set listed once, with what is stored of each file |
| `stored_sizes`     | the few sizes at which videos are stored                                  |
| `video_store`      | `VideoStore`: stored videos found by name and content, at any size        |
| `cache_folder`     | what lies where in a cache, and who is at work there                      |
| `cache`            | `ClipCache`: every video decoded once, for all runs                       |
| `cleaning`         | what a cache holds, who needs it, and removing what nobody does           |
| `inspection`       | `inspect_dataset`: what is in a data set before anything is trained on it |
| `sampling`         | frames, stride and resolution of an `InputSpec` taken from a decoded clip |
| `augmentation`     | `Augmentation`, `random_view`: what a training sees of a clip             |
| `rand_augment`     | operations on the pixels of a clip, the same in all of its frames         |
| `balancing`        | clips drawn so that every class comes equally often                       |
| `views`            | `Views`, `parse_views`: several views of a clip for its evaluation        |
| `loader`           | `training_batches`, `evaluation_batches`: tensors, read ahead             |
| `streaming`        | `arrivals`, `sliding_windows`: files, cameras and stdin while they come   |
| `moving_digits`    | `generate`: the embedded data set, written as real mp4 files              |
"""
