"""Times torch on one thread. A line `task n count` on stdin gives the seconds of `count` calls on stdout."""

import json
import os
import sys
import time

import torch

clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter
torch.set_num_threads(1)
torch.set_grad_enabled(False)
versions = {"torch": torch.__version__}
try:
    import diffusers

    versions["diffusers"] = diffusers.__version__
except ImportError:
    pass


def randn(n):
    generator = torch.Generator().manual_seed(0)
    return lambda: torch.randn(n, generator=generator)


def normal(n):
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(n)
    return lambda: x.normal_(generator=generator)


def step(n):
    scheduler = diffusers.DDIMScheduler()
    scheduler.set_timesteps(50)
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(1, 1, n, generator=generator)
    sample = torch.randn(1, 1, n, generator=generator)
    return lambda: scheduler.step(output, 500, sample, return_dict=False)


print(json.dumps(versions), flush=True)
ready = {}
for line in sys.stdin:
    task, n, count = line.split()
    key = task, n
    if key not in ready:
        ready[key] = {"randn": randn, "normal": normal, "step": step}[task](int(n))
    call = ready[key]
    start = clock()
    for _ in range(int(count)):
        call()
    print(clock() - start, flush=True)
