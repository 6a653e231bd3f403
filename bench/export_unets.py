"""Models that the benchmarks run: weights as diffusers saves them, the graph of torch.onnx.export, and what torch computes.

    python export_unets.py DIR [NAME...]      about two minutes and 2 GB for all of them

Writes for each model DIR/<name>/: config.json, diffusion_pytorch_model.safetensors, export.onnx, and expected.bin, torch's
forward pass of one image on inputs that `inputs` draws. The models: the embedded one, configurations by hand, and 30
architectures that test/fixtures/unets/record.py draws, widened so that a forward pass takes more than a millisecond. Weights
are random but for the embedded model. Names that are there already are left alone.

Needs torch, diffusers 0.26.3 and onnx. The export is what a person would do by hand: opset 17, constants folded, the batch free.
Skip blocks and Fourier embeddings stop the exporter as they are; here they are replaced by what it takes (`exportable`).
"""

import contextlib
import sys
import warnings
from pathlib import Path

import numpy as np
import safetensors.torch  # diffusers uses it without importing it
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from diffusers.models import downsampling, upsampling

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/fixtures/unets"))
from record import Draw, clean_baddbmm, draw_case  # noqa: E402

warnings.simplefilter("ignore")
EMBEDDED = ROOT / "models/fashion-mnist/unet"
DRAWN = 30
PLAIN, ATTENTION = "DownBlock2D", "AttnDownBlock2D"
UP, UP_ATTENTION = "UpBlock2D", "AttnUpBlock2D"
OLD = dict(norm_eps=1e-6, flip_sin_to_cos=False, freq_shift=1, downsample_padding=0, attention_head_dim=None)

ARCHITECTURES = {
    "tiny-16": dict(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=(PLAIN, ATTENTION),
        up_block_types=(UP_ATTENTION, UP),
    ),
    "fashion-32": dict(
        sample_size=32,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64, 96),
        norm_num_groups=16,
        down_block_types=(PLAIN, PLAIN, ATTENTION),
        up_block_types=(UP_ATTENTION, UP, UP),
    ),
    "scale-shift-32": dict(
        sample_size=32,
        block_out_channels=(64, 128),
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=10,
        down_block_types=("ResnetDownsampleBlock2D", ATTENTION),
        up_block_types=(UP_ATTENTION, "ResnetUpsampleBlock2D"),
        downsample_type="resnet",
        upsample_type="resnet",
    ),
    "heads-32": dict(
        sample_size=32,
        block_out_channels=(64, 64),
        attention_head_dim=8,
        layers_per_block=1,
        down_block_types=(ATTENTION, ATTENTION),
        up_block_types=(UP_ATTENTION, UP_ATTENTION),
    ),
    "gelu-48": dict(
        sample_size=48,
        block_out_channels=(32, 64, 64),
        act_fn="gelu",
        layers_per_block=1,
        down_block_types=(PLAIN,) * 3,
        up_block_types=(UP,) * 3,
    ),
    "cifar10-32": dict(
        sample_size=32,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=(PLAIN, ATTENTION, PLAIN, PLAIN),
        up_block_types=(UP, UP, UP_ATTENTION, UP),
        **OLD,
    ),
    "celebahq-256": dict(
        sample_size=256,
        block_out_channels=(128, 128, 256, 256, 512, 512),
        down_block_types=(PLAIN,) * 4 + (ATTENTION, PLAIN),
        up_block_types=(UP, UP_ATTENTION) + (UP,) * 4,
        **OLD,
    ),
}


def drawn(seed: int) -> dict:
    """An architecture of test/fixtures/unets/record.py with 2 to 16 times its channels, on maps of 16 to 64."""
    config, d = draw_case(seed)["config"], Draw(1000 + seed)
    widest = max(config["block_out_channels"])
    factor = d.pick(*[n for n in (2, 4, 8, 16) if 24 <= n * widest <= 192])
    config["block_out_channels"] = [n * factor for n in config["block_out_channels"]]
    config["sample_size"] = d.pick(16, 32, 32, 40, 64) if widest * factor <= 96 else d.pick(16, 24, 32)
    return config


def inputs(unet: UNet2DModel) -> dict:
    """What a forward pass is measured on: unet.mjs draws the same."""
    config, generator = unet.config, torch.Generator().manual_seed(0)
    size, last = config.sample_size, (config.num_train_timesteps or 1000) - 1
    drawn = {"sample": torch.randn(1, config.in_channels, size, size, generator=generator)}
    drawn["timestep"] = torch.tensor([min(500, last)])
    if config.class_embed_type == "identity":
        dim = config.time_embedding_dim or 4 * config.block_out_channels[0]
        drawn["class_labels"] = torch.randn(1, dim, generator=generator)
    elif config.class_embed_type or config.num_class_embeds:
        drawn["class_labels"] = torch.tensor([min(1, (config.num_class_embeds or 2) - 1)])
    return drawn


def fir(tensor, kernel, up=1, down=1, pad=(0, 0)):
    """`upfirdn2d_native` for the symmetric kernel and the factors of 2 that Skip blocks have."""
    channels, size = tensor.shape[1], kernel.shape[0]
    weight = torch.from_numpy(np.tile(kernel.numpy(), (channels, 1, 1, 1)))
    if up == 2:
        assert (size, down, pad) == (4, 1, (2, 1))
        return F.conv_transpose2d(tensor, weight, stride=2, padding=1, groups=channels)
    assert (up, pad) == (1, (1, 1))
    return F.conv2d(tensor, weight, stride=down, padding=1, groups=channels)


@contextlib.contextmanager
def exportable():
    """FIR filters as convolutions, and the logarithm of timesteps in float32: diffusers' own forms stop the exporter."""
    log, native = torch.log, upsampling.upfirdn2d_native
    torch.log = lambda x: log(x.float())
    upsampling.upfirdn2d_native = downsampling.upfirdn2d_native = fir
    try:
        yield
    finally:
        torch.log = log
        upsampling.upfirdn2d_native = downsampling.upfirdn2d_native = native


def make(config: dict) -> UNet2DModel:
    torch.manual_seed(0)
    return UNet2DModel(**config).eval()


def export(folder: Path, unet: UNet2DModel) -> None:
    unet.save_config(folder)
    weights = {name: value.contiguous() for name, value in unet.state_dict().items() if name != "time_proj.W"}
    safetensors.torch.save_file(weights, folder / "diffusion_pytorch_model.safetensors")
    given, forward = inputs(unet), unet.forward
    with clean_baddbmm():
        expected = forward(*given.values()).sample
    (folder / "expected.bin").write_bytes(expected.numpy().tobytes())

    unet.forward = lambda *values: forward(*values, return_dict=False)
    free = {name: {0: "batch"} for name in ["sample", "out_sample"]}
    options = dict(input_names=list(given), output_names=["out_sample"], dynamic_axes=free, opset_version=17)
    with exportable():
        torch.onnx.export(unet, tuple(given.values()), folder / "export.onnx", **options)


def models():
    """Names, and how each is made."""
    yield "embedded", lambda: UNet2DModel.from_pretrained(EMBEDDED, torch_dtype=torch.float32).eval()
    for name, config in ARCHITECTURES.items():
        yield name, lambda config=config: make(config)
    seed = 0
    for _ in range(DRAWN):
        while not valid(drawn(seed)):
            seed += 1
        yield f"drawn-{seed:02}", lambda config=drawn(seed): make(config)
        seed += 1


def valid(config: dict) -> bool:
    """diffusers refuses some of what is drawn."""
    try:
        unet = make(config)
        with clean_baddbmm():
            return bool(unet(*inputs(unet).values()).sample.isfinite().all())
    except Exception:
        return False


def main() -> None:
    target, *names = sys.argv[1:]
    torch.set_num_threads(1)
    with torch.no_grad():
        for name, build in models():
            folder = Path(target) / name
            if (names and name not in names) or (folder / "export.onnx").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            export(folder, build())
            print(name, sum(f.stat().st_size for f in folder.iterdir()), "bytes", flush=True)


if __name__ == "__main__":
    main()
