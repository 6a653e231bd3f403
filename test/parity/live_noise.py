"""Generator's randn and rand against torch, live: every size, orders of calls and seeds at random.

    python test/parity/live_noise.py [dist/esm/scheduler-entry.js]
"""

import base64
import json
import pathlib
import random
import subprocess
import sys

import torch

HERE = pathlib.Path(__file__).parent
MODULE = sys.argv[1] if len(sys.argv) > 1 else HERE / "../../dist/esm/scheduler-entry.js"
EDGES = [0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**32), -(2**63)]


def cases(r):
    for n in range(1, 201):
        yield "sizes 1 to 200", n, [("randn", n), ("rand", n), ("randn", n), ("randn", 5)]
    for _ in range(300):
        sizes = [r.choice([r.randint(1, 20), r.randint(1, 200), r.randint(1, 3000)]) for _ in range(r.randint(1, 12))]
        yield "sequences of calls", r.getrandbits(32), [(r.choice(["randn", "randn", "rand"]), n) for n in sizes]
    for seed in EDGES + [r.randint(-(2**63), 2**64 - 1) for _ in range(300)]:
        yield "seeds", seed, [("randn", 5), ("randn", 100)]


def main():
    print(f"torch {torch.__version__}")
    node = subprocess.Popen(
        ["node", HERE / "live_noise.mjs", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    counts = {}
    for name, seed, calls in cases(random.Random(0)):
        generator = torch.Generator().manual_seed(seed)
        expected = b"".join(getattr(torch, kind)(n, generator=generator).numpy().tobytes() for kind, n in calls)
        node.stdin.write(json.dumps({"seed": str(seed), "calls": calls}) + "\n")
        node.stdin.flush()
        same = base64.b64decode(node.stdout.readline()) == expected
        if not same:
            print(f"  differs: seed {seed}, calls {calls}")
        count = counts.setdefault(name, [0, 0])
        count[0] += 1
        count[1] += not same
    node.stdin.close()
    for name, (total, bad) in counts.items():
        print(f"{name}: {total}, {bad} mismatches")
    sys.exit(0 if node.wait() == 0 and not any(bad for _, bad in counts.values()) else 1)


main()
