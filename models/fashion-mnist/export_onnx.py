"""Writes unet/model.onnx beside diffusers' own files, for onnxruntime in any language.

    python export_onnx.py [DIR]      # a pipeline's folder; default: the one this file is in

The graph holds no weights: its initializers are external data that point into
unet/diffusion_pytorch_model.safetensors, so the weights exist once, as diffusers wrote
them. float16 weights are cast to float32 (once, when onnxruntime loads the model); all
arithmetic is float32.

Inputs: `sample` float32 [batch, channels, height, width] and `timestep` int64 [batch] or
[1]. Output: `out_sample`, as `sample`. Height and width are the config's sample_size,
the batch is free.
"""
import argparse
import io
import json
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
import safetensors.torch  # diffusers uses it without importing it
import torch
from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention, AttnProcessor
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = "diffusion_pytorch_model.safetensors"
OPSET = 17
TOLERANCE = 1e-4


def load_unet(folder: Path) -> UNet2DModel:
    return UNet2DModel.from_pretrained(folder, low_cpu_mem_usage=False).float().eval()


def attention_scores(self, query, key, attention_mask=None):
    """Attention.get_attention_scores without its baddbmm into an uninitialised tensor."""
    return (self.scale * query @ key.transpose(-1, -2)).softmax(-1)


def trace(unet: UNet2DModel, sample: torch.Tensor, timestep: torch.Tensor) -> onnx.ModelProto:
    """The graph for one sample, its initializers named as in the state dict."""
    forward, file = unet.forward, io.BytesIO()
    for module in unet.modules():
        if isinstance(module, Attention):
            module.set_processor(AttnProcessor())
    with (
        patch.object(Attention, "get_attention_scores", attention_scores),
        patch.object(unet, "forward", lambda sample, timestep: forward(sample, timestep, return_dict=False)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            unet,
            (sample, timestep),
            file,
            input_names=["sample", "timestep"],
            output_names=["out_sample"],
            opset_version=OPSET,
            do_constant_folding=False,
            keep_initializers_as_inputs=False,
        )
    return onnx.load_from_string(file.getvalue())


def evaluate(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every value that the graph computes for these inputs, and the inputs."""
    probed = onnx.ModelProto.FromString(model.SerializeToString())
    names = [name for node in model.graph.node for name in node.output]
    del probed.graph.output[:]
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(probed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {**feeds, **dict(zip(names, session.run(names, feeds)))}


def simplify(graph: onnx.GraphProto, values: dict[str, np.ndarray]) -> None:
    """Folds what depends on neither inputs nor weights, drops identities, frees the batch."""
    outputs = {output.name for output in graph.output}
    constant: set[str] = set()
    same_as: dict[str, str] = {}

    def is_identity(node: onnx.NodeProto) -> bool:
        if node.input[0] not in values or node.output[0] in outputs:
            return False
        source, result = values[node.input[0]], values[node.output[0]]
        if source.shape != result.shape or source.dtype != result.dtype:
            return False
        if node.op_type in ("Mul", "Div"):
            return node.input[1] in constant and bool(np.all(values[node.input[1]] == 1))
        return node.op_type in ("Cast", "Reshape", "Slice")

    def short(name: str) -> str:
        return name.removeprefix("/").removesuffix("_output_0")

    nodes = []
    for node in graph.node:
        node.input[:] = [same_as.get(name, name) for name in node.input]
        if node.op_type == "Shape" or all(name in constant for name in node.input):
            constant.update(node.output)
        elif is_identity(node):
            same_as[node.output[0]] = node.input[0]
        else:
            nodes.append(node)

    inline: dict[tuple, str] = {}
    for node in nodes:
        for i, name in enumerate(node.input):
            if name not in constant:
                node.input[i] = short(name)
                continue
            value = values[name]
            if node.op_type == "Reshape" and -1 not in value:  # the leading dimension is the batch, or batch x heads
                value = np.array([-1, *value[1:]], dtype=np.int64)
            key = (value.dtype.str, value.shape, value.tobytes())
            if key not in inline:
                inline[key] = f"constant_{len(inline)}"
                graph.initializer.append(numpy_helper.from_array(value, inline[key]))
            node.input[i] = inline[key]
        node.output[:] = [short(name) for name in node.output]
        node.ClearField("name")
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    for value, symbol in zip([*graph.input, *graph.output], ["batch", "batch_or_1", "batch"]):
        value.type.tensor_type.shape.dim[0].dim_param = symbol


def point_to_safetensors(graph: onnx.GraphProto, weights: Path) -> None:
    """Replaces the weights by references into the safetensors file, float16 ones followed by a Cast."""
    with open(weights, "rb") as f:
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
    kinds = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
    casts, renamed = [], {}
    for tensor in graph.initializer:
        if tensor.name not in header:
            continue
        entry = header[tensor.name]
        if list(tensor.dims) != entry["shape"]:
            raise ValueError(f"{tensor.name}: {list(tensor.dims)} in the graph, {entry['shape']} in {weights.name}")
        begin, end = entry["data_offsets"]
        tensor.ClearField("raw_data")
        tensor.data_type = kinds[entry["dtype"]]
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": weights.name, "offset": 8 + length + begin, "length": end - begin}.items():
            tensor.external_data.add(key=key, value=str(value))
        if tensor.data_type == TensorProto.FLOAT16:
            renamed[tensor.name] = f"{tensor.name}.float32"
            casts.append(helper.make_node("Cast", [tensor.name], [renamed[tensor.name]], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def check(path: Path, unet: UNet2DModel) -> None:
    """Compares onnxruntime with torch on batches of 1 and 3, and on one timestep for 3 samples."""
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1:]
    random = torch.Generator().manual_seed(0)
    for timesteps in ([999], [999, 500, 0], [20]):
        batch = 1 if timesteps == [999] else 3
        sample, timestep = torch.randn(batch, *size, generator=random), torch.tensor(timesteps)
        with torch.no_grad():
            expected = unet(sample, timestep).sample.numpy()
        (actual,) = session.run(None, {"sample": sample.numpy(), "timestep": timestep.numpy()})
        difference = np.abs(actual - expected).max()
        print(f"batch {batch}, timestep {timesteps}: max abs difference to torch {difference:.2e}")
        if not (actual.shape == expected.shape and difference < TOLERANCE):
            raise SystemExit("the exported model differs from torch")


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("dir", type=Path, nargs="?", default=Path(__file__).parent)
    folder = args.parse_args().dir / "unet"
    path = folder / "model.onnx"

    unet = load_unet(folder)
    size = unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    sample, timestep = torch.zeros(1, unet.config.in_channels, height, width), torch.zeros(1, dtype=torch.long)
    model = trace(unet, sample, timestep)
    simplify(model.graph, evaluate(model, {"sample": sample.numpy(), "timestep": timestep.numpy()}))
    point_to_safetensors(model.graph, folder / WEIGHTS)
    onnx.save(model, path)
    print(f"{path}: {path.stat().st_size} bytes, {len(model.graph.node)} nodes, {len(model.graph.initializer)} initializers")
    check(path, load_unet(folder))


if __name__ == "__main__":
    main()
