"""Times torch on TORCH_THREADS threads, one if unset. A line [count, task, ...arguments] in JSON on stdin gives the seconds
of `count` calls on stdout. Several threads are timed by the wall's clock."""

import json
import os
import sys
import time

import torch

threads = int(os.environ.get("TORCH_THREADS", 1))
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" and threads == 1 else time.perf_counter
torch.set_num_threads(threads)
torch.set_grad_enabled(False)


def blas():
    """What multiplies matrices, which is most of what diffusers waits for."""
    if torch.backends.mkl.is_available():
        return "MKL"
    try:
        with open("/proc/self/maps") as file:
            maps = file.read()
    except OSError:
        return "BLAS unknown"
    return "OpenBLAS" if "libopenblas" in maps else "reference BLAS" if "libblas" in maps else "BLAS unknown"


versions = {"torch": f"{torch.__version__} ({blas()})"}
try:
    import diffusers
    import safetensors.torch  # diffusers uses it without importing it

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


unets = {}


def generate(folder, batch, size, steps):
    """Pictures by diffusers' DDIMPipeline, as arrays."""
    if folder not in unets:
        unets.clear()
        unets[folder] = diffusers.UNet2DModel.from_pretrained(folder).eval()
    pipe = diffusers.DDIMPipeline(unets[folder], diffusers.DDIMScheduler())
    pipe.set_progress_bar_config(disable=True)

    def draw():
        # The model is shared by all sizes.
        pipe.unet.register_to_config(sample_size=size)
        pipe(batch, torch.Generator().manual_seed(0), num_inference_steps=steps, output_type="np")

    return draw


print(json.dumps(versions), flush=True)
ready = {}
tasks = {"randn": randn, "normal": normal, "step": step, "generate": generate}
for line in sys.stdin:
    count, task, *arguments = json.loads(line)
    key = json.dumps([task, arguments])
    if key not in ready:
        ready[key] = tasks[task](*arguments)
    call = ready[key]
    start = clock()
    for _ in range(count):
        call()
    print(clock() - start, flush=True)
