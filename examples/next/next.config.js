/** @type {import('next').NextConfig} */
export default {
  // On the server these stay in node_modules, beside the files that they read,
  serverExternalPackages: ['ddim-wasm', 'onnxruntime-web'],
  // which a deployment of traced files (`output: 'standalone'`, serverless functions) takes along.
  outputFileTracingIncludes: {
    '/api/image': [
      './node_modules/ddim-wasm/models/**',
      './node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.{mjs,wasm}',
    ],
  },
};
