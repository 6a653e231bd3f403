"""Table 1 of the DDIM paper for this model: Frechet distance by steps S and eta.

    python evaluate.py --work DIR                              # everything, then RESULTS.md
    python evaluate.py --work DIR --settings 10:0 20:0 50:0    # in pieces: S:eta
    python evaluate.py --work DIR --settings                   # only the table

As FID (Heusel et al. 2017), but on the 128 penultimate activations of a small classifier
of Fashion-MNIST in place of Inception: compare the numbers with one another and with the
floor, not with published FIDs. Samples are diffusers' own DDIMPipeline in float32, as the
8-bit images it returns; sample i of every setting has the seed i, so batches do not
matter. They are cached in DIR as they come: an interrupted run resumes. Small
convolutions gain little from threads: run one process per core with different settings.
"""
import argparse
import hashlib
import platform
import time
from pathlib import Path

import diffusers
import numpy as np
import safetensors.torch  # diffusers uses it without importing it
import scipy
import scipy.linalg
import torch
import torch.nn.functional as F
from diffusers import DDIMPipeline
from torch import nn

import dataset

HERE = Path(__file__).parent
STEPS = (10, 20, 50)
ETAS = (0, 1)
BATCH = 50
EPOCHS = 5
SEED = 0


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = (1, 32, 64, 128)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
            for a, b in zip(widths, widths[1:])
        ]
        self.features = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 4 * 4, 128), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def train_classifier() -> Classifier:
    torch.manual_seed(SEED)
    images, labels = dataset.load("train")
    model = Classifier().train()
    optimizer = torch.optim.Adam(model.parameters())
    steps = EPOCHS * (len(images) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        began = time.time()
        for batch in torch.randperm(len(images))[: steps // EPOCHS * 128].view(-1, 128):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"classifier: epoch {epoch + 1}/{EPOCHS}, last loss {loss.item():.3f}, {time.time() - began:.0f} s", flush=True)
    return model


@torch.no_grad()
def apply(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return torch.cat([module(batch) for batch in images.split(500)])


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    mean = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(mean @ mean + np.trace(cov_a + cov_b - 2 * scipy.linalg.sqrtm(cov_a @ cov_b).real))


def sample(pipe: DDIMPipeline, steps: int, eta: float, count: int, cache: Path) -> None:
    images = np.load(cache) if cache.exists() else np.empty((0, 32, 32), dtype=np.uint8)
    while len(images) < count:
        began = time.time()
        seeds = range(len(images), min(len(images) + BATCH, count))
        result = pipe(
            batch_size=len(seeds),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            eta=eta,
            num_inference_steps=steps,
        )
        images = np.concatenate([images, np.stack([np.asarray(image) for image in result.images])])
        np.save(cache.with_suffix(".tmp.npy"), images)
        cache.with_suffix(".tmp.npy").replace(cache)
        print(f"S {steps}, eta {eta}: {len(images)}/{count}, {time.time() - began:.1f} s", flush=True)


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--work", type=Path, required=True, help="the classifier and the samples")
    args.add_argument("--model", type=Path, default=HERE, help="the pipeline's folder")
    args.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    args.add_argument("--samples", type=int, default=2000)
    args.add_argument("--settings", nargs="*", default=[f"{s}:{eta}" for eta in ETAS for s in STEPS], metavar="S:ETA")
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    weights = (args.model / "unet/diffusion_pytorch_model.safetensors").read_bytes()
    digest = hashlib.sha256(weights).hexdigest()[:12]

    def cache(steps: int, eta: int) -> Path:
        return args.work / f"samples-{digest}-S{steps}-eta{eta}.npy"

    classifier = Classifier()
    saved = args.work / "classifier.pt"
    if not saved.exists():
        torch.save(train_classifier().state_dict(), saved)
    classifier.load_state_dict(torch.load(saved))
    classifier.eval()
    test_images, test_labels = dataset.load("test")
    test = apply(classifier.features, test_images)
    accuracy = (classifier.head(test).argmax(1) == test_labels).double().mean().item()

    pipe = DDIMPipeline.from_pretrained(args.model, low_cpu_mem_usage=False)
    pipe.unet.float().eval()
    pipe.set_progress_bar_config(disable=True)
    for setting in args.settings:
        steps, eta = map(int, setting.split(":"))
        sample(pipe, steps, eta, args.samples, cache(steps, eta))

    def distance(images: torch.Tensor) -> float:
        return frechet(apply(classifier.features, images).double().numpy(), test.double().numpy())

    def cell(steps: int, eta: int) -> str:
        images = np.load(cache(steps, eta))[: args.samples] if cache(steps, eta).exists() else []
        if len(images) < args.samples:
            return "-"
        return f"{distance(torch.from_numpy(images).unsqueeze(1).float() / 127.5 - 1):.2f}"

    rows = [f"| {eta} | " + " | ".join(cell(steps, eta) for steps in STEPS) + " |" for eta in ETAS]
    held_back, _ = dataset.load("held-back")
    text = "\n".join(
        [
            "| eta | " + " | ".join(f"S = {steps}" for steps in STEPS) + " |",
            "|---|" + "---:|" * len(STEPS),
            *rows,
            "",
            f"Frechet distance to the {len(test_images):,} test images, lower is better; {args.samples:,} samples a cell, "
            f"seeds 0 to {args.samples - 1}.",
            f"Floor: {distance(held_back):.2f}, from the {len(held_back):,} training images held back from training.",
            f"Features: the 128 penultimate activations of a classifier with {accuracy:.2%} test accuracy (seed {SEED}).",
            f"Weights: SHA-256 {digest}...; float32, diffusers {diffusers.__version__}, torch {torch.__version__}, "
            f"numpy {np.__version__}, scipy {scipy.__version__}, Python {platform.python_version()}.",
            "",
        ]
    )
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
