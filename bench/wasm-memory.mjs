// Bytes of onnxruntime's WebAssembly memory with the embedded model, after batches of the sizes given. It grows alike
// everywhere, and only grows; edge.mjs prints it. node bench/wasm-memory.mjs true|false 1 4 16: with winograd or without.
const memories = [];
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.push(this);
  }
};
const { DDIMPipeline, Generator } = await import('../dist/esm/index.js');

const [winograd, ...batches] = process.argv.slice(2);
const pipe = await DDIMPipeline.fromPretrained(undefined, { winograd: winograd === 'true' });
const bytes = [];
for (const batchSize of batches.map(Number)) {
  await pipe.generate({ batchSize, generator: new Generator(0), numInferenceSteps: 1 });
  bytes.push(memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
}
console.log(JSON.stringify(bytes));
