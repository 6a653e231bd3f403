import { type Context, conv2d, type Maps } from './layers.js';
import { upsampleNearest } from './sampling.js';
import { winograd } from './winograd.js';

/**
 * torch.nn.Conv2d with a 3 x 3 kernel, stride 1 and padding 1, done as the plan says.
 * @param shift added to the result: [N or 1, out, 1, 1].
 */
export function conv3x3(c: Context, path: string, x: Maps, out: number, shift?: string): Maps {
  const tiling = c.plan({ path, channels: x.channels, out, level: x.level, doubling: false });
  if (tiling) return winograd(c, path, x, { tiling, out, shift });
  const y = conv2d(c, path, x, out, { kernel: 3, pads: [1, 1, 1, 1] });
  return shift === undefined ? y : { ...y, name: c.graph.node(path, 'Add', [y.name, shift]) };
}

/** `upsampleNearest` and then `conv3x3`, in one where that is less work. */
export function doubledConv3x3(c: Context, path: string, x: Maps, out: number, shift?: string): Maps {
  const tiling = c.plan({ path, channels: x.channels, out, level: x.level, doubling: true });
  if (tiling) return winograd(c, path, x, { tiling, out, shift });
  return conv3x3(c, path, upsampleNearest(c, path, x), out, shift);
}
