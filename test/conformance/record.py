"""Records what torch and diffusers give for the cases of noise and scheduler in cases.json.

    python record.py            writes expected.json beside this file
    python record.py --check    records again in memory and says whether the file is the same

Needs diffusers 0.26.3 and a CPU build of torch on an x86-64 machine with AVX2. A NaN is hashed as 0x7fc00000.
"""

import hashlib
import json
import os
import pathlib
import sys

os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler

HERE = pathlib.Path(__file__).resolve().parent
torch.set_num_threads(1)


def digest(values):
    values = np.ascontiguousarray(values.numpy() if isinstance(values, torch.Tensor) else values)
    if values.dtype == np.float32:
        bits = values.view(np.uint32).copy()
        bits[np.isnan(values)] = 0x7FC00000
        values = bits
    return hashlib.sha256(values.tobytes()).hexdigest()


def generator(seed):
    return torch.Generator().manual_seed(seed)


def noise(case):
    source = generator(int(case["seed"]))
    hashes = {}
    for i, (method, shape) in enumerate(case["calls"]):
        hashes[f"{i} {method} {'x'.join(map(str, shape))}"] = digest(getattr(torch, method)(*shape, generator=source))
    return hashes


def scheduler(case):
    one = DDIMScheduler.from_config(case["config"])
    one.set_timesteps(case["steps"])
    hashes = {
        "betas": digest(one.betas),
        "alphasCumprod": digest(one.alphas_cumprod),
        "timesteps": digest(one.timesteps.to(torch.int32)),
    }
    start, predictions, variance = (generator(case["seed"] + more) for more in (0, 1000, 2000))
    sample = torch.randn(*case["shape"], generator=start)
    for i, timestep in enumerate(one.timesteps):
        output = one.step(
            torch.randn(*case["shape"], generator=predictions),
            timestep,
            sample,
            eta=case["eta"],
            use_clipped_model_output=case.get("clipped", False),
            generator=variance,
        )
        hashes[f"step {i} sample"] = digest(output.prev_sample)
        hashes[f"step {i} x0"] = digest(output.pred_original_sample)
        sample = output.prev_sample
    return hashes


def record():
    cases = json.loads((HERE / "cases.json").read_text())
    groups = {"noise": noise, "scheduler": scheduler}
    expected = {"recordedWith": f"torch {torch.__version__} (AVX2), diffusers {diffusers.__version__}"}
    for group, function in groups.items():
        expected[group] = {case["name"]: function(case) for case in cases[group]}
    return json.dumps(expected, indent=1) + "\n"


if __name__ == "__main__":
    path = HERE / "expected.json"
    text = record()
    if "--check" not in sys.argv:
        path.write_text(text)
    elif path.read_text() == text:
        print("expected.json is what this machine records")
    else:
        sys.exit("expected.json differs from what this machine records")
