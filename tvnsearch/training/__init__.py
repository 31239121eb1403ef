"""Fit one network and score it.

| module         | what it gives                                                       |
|----------------|---------------------------------------------------------------------|
| `recipe`       | `Recipe`: how a network is trained, as data; presets and files      |
| `optimization` | its optimizer, and how fast that learns                             |
| `objective`    | `Objective`: all that a step makes smaller, by the recipe           |
| `losses`       | the loss of labels, weighted, and the distance to a teacher         |
| `mixing`       | mixup and CutMix of a batch                                         |
| `smoothing`    | the smoothing loss of GRW                                           |
| `teacher`      | `Teacher`: a trained network that another one learns from           |
| `precision`    | float32, bfloat16 or float16                                        |
| `randomness`   | the random numbers of one training, on its own device               |
| `fitting`      | `Fitting`: a network while it is fitted, one step at a time         |
| `checkpoint`   | `Checkpoints`: where a training stands, to go on from exactly there |
| `team`         | processes that train one network together                           |
| `fine_tuning`  | weights of another training, as far as they fit                     |
| `validation`   | `Validation`: when a training is scored before its end              |
| `scoring`      | scores while it goes, and the weights that scored best              |
| `metrics_log`  | `MetricsLog`: a line an iteration                                   |
| `recovery`     | back to the checkpoint, once, when the loss is not finite           |
| `trainer`      | `train`: from fresh weights or a checkpoint to scored weights       |
| `evaluation`   | `evaluate`, `predict`: logits of clips, in one view or several      |
| `metrics`      | top-1, top-5, average precisions; `Scores`                          |
| `intervals`    | confidence intervals over clips                                     |
| `report`       | scores in full: intervals, every class, what is taken for what      |
| `confusion`    | the confusion matrix as a picture                                   |
| `weights`      | weights as safetensors, written whole or not at all                 |
| `task`         | training and evaluation, served to another process                  |
"""
