# npm start: http://127.0.0.1:8787/image?seed=7
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "image", worker = .image)],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "image")],
);

const image :Workerd.Worker = (
  compatibilityDate = "2025-09-01",
  modules = [
    (name = "worker", esModule = embed "dist/worker.js"),
    # The kernels (noise, scheduler, pictures) and onnxruntime, compiled before the first request.
    (name = "./kernels.wasm", wasm = embed "dist/kernels.wasm"),
    (name = "./ort-wasm-simd-threaded.wasm", wasm = embed "dist/ort-wasm-simd-threaded.wasm"),
    # The embedded model.
    (name = "./diffusion_pytorch_model.safetensors", data = embed "dist/diffusion_pytorch_model.safetensors"),
  ],
);
