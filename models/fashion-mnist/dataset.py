"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT licence) as tensors the UNet sees.

The 28x28 images are padded with black to 32x32 and scaled to [-1, 1]. The last
2,000 training images are held back from training: their Frechet distance to the
test set is the floor of the table in README.md.

The files are those of Debian's package `dataset-fashion-mnist`.
"""
import gzip
import struct
from pathlib import Path

import numpy as np
import torch

DEFAULT_DIR = Path("/usr/share/datasets/fashion-mnist")
HELD_BACK = 2000


def _read_idx(path: Path) -> np.ndarray:
    with gzip.open(path, "rb") as f:
        _, _, kind, rank = struct.unpack(">BBBB", f.read(4))
        if kind != 8:
            raise ValueError(f"{path}: expected unsigned bytes (8), got type {kind}")
        shape = struct.unpack(f">{rank}I", f.read(4 * rank))
        return np.frombuffer(f.read(), dtype=np.uint8).reshape(shape)


def load(split: str, root: Path = DEFAULT_DIR) -> tuple[torch.Tensor, torch.Tensor]:
    """`train` (58,000), `held-back` (2,000) or `test` (10,000): images in [-1, 1], N x 1 x 32 x 32, and labels."""
    prefix = "t10k" if split == "test" else "train"
    images = torch.from_numpy(_read_idx(root / f"{prefix}-images-idx3-ubyte.gz").copy()).unsqueeze(1)
    labels = torch.from_numpy(_read_idx(root / f"{prefix}-labels-idx1-ubyte.gz").copy()).long()
    images = torch.nn.functional.pad(images, (2, 2, 2, 2)).float() / 127.5 - 1
    if split == "train":
        return images[:-HELD_BACK], labels[:-HELD_BACK]
    if split == "held-back":
        return images[-HELD_BACK:], labels[-HELD_BACK:]
    return images, labels
