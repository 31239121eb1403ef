"""Fit one network and score it.

| module    | what it gives                                                            |
|-----------|--------------------------------------------------------------------------|
| `recipe`  | `Recipe`: how a network is trained, as data                              |
| `metrics` | top-1, top-5, mean average precision; `Scores`                           |
| `weights` | weights as safetensors, written whole or not at all                      |
| `trainer` | `train`, `evaluate`                                                      |
| `task`    | both, served to another process                                          |
"""
