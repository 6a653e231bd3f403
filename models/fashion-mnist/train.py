"""Trains the embedded default model: a small diffusers UNet2DModel on Fashion-MNIST.

    python train.py --work DIR [--steps 6500]      # resumes from DIR/checkpoint.pt
    python train.py --work DIR --save-only         # writes the EMA weights as a diffusers pipeline

Objective: the epsilon loss of DDPM (Ho et al. 2020, eq. 14) with the min-SNR weight of
Hang et al. 2023 (gamma = 5), T = 1000, linear betas. Adam, warm-up then cosine decay,
weights averaged exponentially (EMA). Convolutions run in bfloat16 (AMX on recent
Xeons), everything else and all master weights in float32.
"""
import argparse
import math
import os
import time
from pathlib import Path

import safetensors.torch  # diffusers uses it without importing it
import torch
import torch.nn.functional as F
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

import dataset

HERE = Path(__file__).parent
BATCH = 64
PEAK_LR = 1e-3
WARMUP = 300
EMA_DECAY = 0.9993
SNR_GAMMA = 5.0


def make_unet() -> UNet2DModel:
    return UNet2DModel(
        sample_size=32,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=None,
    )


def make_scheduler() -> DDIMScheduler:
    return DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear", clip_sample=True)


def convolve_in_bfloat16() -> None:
    conv2d = F.conv2d

    def bf16(x, weight, bias=None, *rest):
        return conv2d(x.bfloat16(), weight.bfloat16(), None if bias is None else bias.bfloat16(), *rest).float()

    F.conv2d = bf16


def learning_rate(step: int, total: int) -> float:
    if step < WARMUP:
        return PEAK_LR * (step + 1) / WARMUP
    return PEAK_LR * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))


def save_pipeline(ema: dict, out: Path) -> None:
    """The EMA weights, rounded to float16, in diffusers' own layout."""
    unet = make_unet()
    unet.load_state_dict(ema)
    DDIMPipeline(unet=unet.half(), scheduler=make_scheduler()).save_pretrained(out)


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--work", type=Path, required=True, help="checkpoints and the log")
    args.add_argument("--out", type=Path, default=HERE, help="where the finished pipeline goes")
    args.add_argument("--steps", type=int, default=6500)
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--save-only", action="store_true")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    checkpoint = args.work / "checkpoint.pt"

    if args.save_only:
        save_pipeline(torch.load(checkpoint)["ema"], args.out)
        return

    convolve_in_bfloat16()
    torch.manual_seed(args.seed)
    unet = make_unet().to(memory_format=torch.channels_last).train()
    ema = {k: v.detach().clone() for k, v in unet.state_dict().items()}
    optimizer = torch.optim.Adam(unet.parameters(), lr=PEAK_LR, betas=(0.9, 0.99))
    step = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        unet.load_state_dict(saved["unet"])
        optimizer.load_state_dict(saved["optimizer"])
        ema, step = saved["ema"], saved["step"]
        torch.set_rng_state(saved["rng"])
        print(f"resumed at step {step}", flush=True)

    images, _ = dataset.load("train")
    alphas_cumprod = make_scheduler().alphas_cumprod
    snr = alphas_cumprod / (1 - alphas_cumprod)
    weight_of_t = snr.clamp(max=SNR_GAMMA) / snr
    order, at, running, began = torch.randperm(len(images)), 0, None, time.time()

    while step < args.steps:
        if at + BATCH > len(order):
            order, at = torch.randperm(len(images)), 0
        x0 = images[order[at : at + BATCH]]
        at += BATCH
        # Stratified timesteps: one from each of BATCH equal parts of [0, T).
        t = ((torch.arange(BATCH) + torch.rand(BATCH)) * (1000 / BATCH)).long().clamp(max=999)
        noise = torch.randn_like(x0)
        a = alphas_cumprod[t].view(-1, 1, 1, 1)
        xt = (a.sqrt() * x0 + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        error = (unet(xt, t).sample - noise).square().mean(dim=(1, 2, 3))
        loss = (error * weight_of_t[t]).mean()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in unet.state_dict().items():
                ema[name].lerp_(value, 1 - decay)

        plain = error.mean().item()
        running = plain if running is None else 0.99 * running + 0.01 * plain
        if step % 100 == 0:
            print(f"step {step}/{args.steps} eps-loss {running:.4f} {(time.time() - began) / 100:.2f} s/step", flush=True)
            began = time.time()
        if step % 500 == 0 or step == args.steps:
            state = {"unet": unet.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "step": step}
            state["rng"] = torch.get_rng_state()
            torch.save(state, checkpoint.with_suffix(".tmp"))
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)

    save_pipeline(ema, args.out)


if __name__ == "__main__":
    main()
