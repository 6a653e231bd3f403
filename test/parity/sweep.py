"""Every radius and every angle of randn's blocks of 16, against torch: does every bit agree?

    python test/parity/sweep.py [build/kernels.wasm [build/fused.wasm]]

The second needs a node with relaxed SIMD (NODE names it) on a processor that fuses multiply-adds.

A block takes its radii from its first 8 words and its angles from its last 8, 24 bits of each. The words are chosen here:
the tempering is inverted, and a generator is set to the words that give the wanted ones. Radii are swept at angle 0
(r * cos 0 = r); angles at a radius that is a power of two, so that the product shows every bit of cosine and sine.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
KERNELS = sys.argv[1:] or [HERE / "../../build/kernels.wasm"]
NODE = os.environ.get("NODE", "node")
SKIP, BLOCKS, AT_ONCE = 16, 38, 16  # words left out, blocks per generator, generators per exchange
INPUTS = 1 << 24


def untemper(w):
    w = w ^ (w >> 18)
    w = w ^ ((w << 15) & 0xEFC60000)
    bits = w
    for _ in range(4):
        bits = w ^ ((bits << 7) & 0x9D2C5680)
    w = bits ^ (bits >> 11)
    return w ^ (bits >> 22)


def generators(first, second):
    """Words of as many generators as it takes, and how many of their blocks count."""
    blocks = np.stack([first.reshape(-1, 8), second.reshape(-1, 8)], axis=1).reshape(-1, 16)
    padded = np.zeros((-(-len(blocks) // BLOCKS) * BLOCKS, 16), np.uint32)
    padded[: len(blocks)] = untemper(blocks)
    words = np.zeros((len(padded) // BLOCKS, 624), np.uint32)
    words[:, SKIP:] = padded.reshape(-1, BLOCKS * 16)
    return words, len(blocks)


def from_torch(words):
    generator = torch.Generator()
    state = generator.get_state().numpy()
    state[8:12].view(np.int32)[0] = 625 - SKIP  # left
    state[16:24].view(np.uint64)[0] = SKIP  # next
    out = np.empty((len(words), BLOCKS * 16), np.float32)
    for row, own in zip(out, words):
        state[24 : 24 + 8 * 624].view(np.uint64)[:] = own
        generator.set_state(torch.from_numpy(state))
        row[:] = torch.randn(BLOCKS * 16, generator=generator).numpy()
    return out


def from_kernels(words, node):
    out = np.empty((len(words), BLOCKS * 16), np.float32)
    for i in range(0, len(words), AT_ONCE):
        own = words[i : i + AT_ONCE]
        for one in own:
            node.stdin.write(one.tobytes())
            node.stdin.flush()
        for row in out[i : i + AT_ONCE]:
            row[:] = np.frombuffer(node.stdout.read(row.nbytes), np.float32)
    return out


def sweep(name, node, first, second):
    """Prints the count and returns torch's samples, (blocks, cosine or sine, 8), and whether all agree."""
    words, blocks = generators(first, second)
    expected, got = from_torch(words), from_kernels(words, node)
    expected, got = (x.reshape(-1, 2, 8)[:blocks] for x in (expected, got))
    bad = (expected.view(np.uint32) != got.view(np.uint32)).any(axis=1).ravel()
    print(f"2^24 {name}: {bad.sum()} mismatches", flush=True)
    for k in np.flatnonzero(bad)[:8]:
        at = (k // 8, slice(None), k % 8)
        print(f"  input {k}: torch {expected[at]}, here {got[at]}")
    return expected, not bad.any()


def main():
    capability = [s for s in torch.__config__.show().split("\n") if "CPU capability" in s]
    print(f"torch {torch.__version__}, {capability[0].strip(' -') if capability else 'CPU capability unknown'}")
    torch.set_num_threads(1)
    node = subprocess.Popen([NODE, HERE / "sweep.mjs", *KERNELS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    inputs = np.arange(INPUTS, dtype=np.uint32)
    inputs |= (inputs * np.uint32(2654435761)) & np.uint32(0xFF000000)  # the bits that must not matter

    samples, same_radii = sweep("radii", node, inputs, np.zeros_like(inputs))
    radii = samples[:, 0].ravel()
    fixed = np.flatnonzero((radii > 0) & (np.frexp(radii)[0] == 0.5))[0]
    print(f"  angles at radius {radii[fixed]} (input {fixed})")
    _, same_angles = sweep("angles", node, np.full_like(inputs, fixed), inputs)

    node.stdin.close()
    sys.exit(0 if node.wait() == 0 and same_radii and same_angles else 1)


main()
