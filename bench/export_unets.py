"""Models for the subject `unet`: random weights as diffusers saves them, and the graph of torch.onnx.export.

    python export_unets.py DIR [NAME...]

Writes DIR/<name>/config.json, diffusion_pytorch_model.safetensors and export.onnx for each architecture. Needs torch,
diffusers 0.26.3 and onnx. The export is what a person would do by hand: opset 17, constants folded, the batch free. (It cannot export
Skip blocks: their FIR filters stop the exporter.)
"""

import sys
import warnings
from pathlib import Path

import safetensors.torch  # diffusers uses it without importing it
import torch
from diffusers import UNet2DModel

warnings.simplefilter("ignore")
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


def export(folder: Path, config: dict) -> None:
    torch.manual_seed(0)
    unet = UNet2DModel(**config).eval()
    unet.save_config(folder)
    weights = {name: value for name, value in unet.state_dict().items() if name != "time_proj.W"}
    safetensors.torch.save_file(weights, folder / "diffusion_pytorch_model.safetensors")

    size, forward = config["sample_size"], unet.forward
    names = ["sample", "timestep"]
    values = [torch.randn(1, unet.config.in_channels, size, size), torch.tensor([1])]
    if unet.config.num_class_embeds:
        names, values = [*names, "class_labels"], [*values, torch.tensor([1])]
    unet.forward = lambda *inputs: forward(*inputs, return_dict=False)
    free = {name: {0: "batch"} for name in ["sample", "out_sample"]}
    options = dict(input_names=names, output_names=["out_sample"], dynamic_axes=free, opset_version=17)
    torch.onnx.export(unet, tuple(values), folder / "export.onnx", **options)


def main() -> None:
    target, *names = sys.argv[1:]
    torch.set_num_threads(1)
    with torch.no_grad():
        for name, config in ARCHITECTURES.items():
            if names and name not in names:
                continue
            folder = Path(target) / name
            folder.mkdir(parents=True, exist_ok=True)
            export(folder, config)
            print(name, sum(f.stat().st_size for f in folder.iterdir()), "bytes", flush=True)


if __name__ == "__main__":
    main()
