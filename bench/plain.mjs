// What a person writes without this library: the graph of torch.onnx.export in an ONNX runtime, and DDIM by hand for the
// settings of the models here (linear betas, eta 0, x0 clipped). Nothing of ddim-wasm is in it.

/** alphas_cumprod of 1000 linear betas from 0.0001 to 0.02. */
function alphasCumprod() {
  let product = 1;
  return Float64Array.from({ length: 1000 }, (_, t) => {
    product *= 1 - (0.0001 + (t * (0.02 - 0.0001)) / 999);
    return product;
  });
}

function gaussians(count) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** A session of the exported graph, from its bytes (in a browser, its address). */
export function openPlain(ort, model, provider = 'wasm') {
  if (provider === 'wasm') {
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
  }
  return ort.InferenceSession.create(model, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
}

/**
 * Pictures, [N, C, H, W] in [0, 1].
 * @param shape [N, C, H, W]. @param start x_T, drawn if left out. @param onPass told the milliseconds of each forward pass.
 */
export async function generatePlain(ort, session, { shape, steps, start, onPass }) {
  const cumprod = alphasCumprod();
  const count = shape.reduce((a, b) => a * b);
  const x = start ? Float32Array.from(start) : gaussians(count);
  const stride = Math.floor(1000 / steps);
  for (let t = (steps - 1) * stride; t >= 0; t -= stride) {
    const begin = performance.now();
    const { out_sample: output } = await session.run({
      sample: new ort.Tensor('float32', x, shape),
      timestep: new ort.Tensor('int64', [BigInt(t)], [1]),
    });
    onPass?.(performance.now() - begin);
    const [alpha, before] = [cumprod[t], t - stride >= 0 ? cumprod[t - stride] : 1];
    const [a, b, c, d] = [alpha, 1 - alpha, before, 1 - before].map(Math.sqrt);
    const noise = output.data;
    for (let i = 0; i < count; i++) {
      const x0 = Math.min(1, Math.max(-1, (x[i] - b * noise[i]) / a));
      x[i] = c * x0 + d * noise[i];
    }
    output.dispose();
  }
  return x.map((value) => Math.min(1, Math.max(0, value / 2 + 0.5)));
}
