// An optional peer, present or not: its types are those of onnxruntime-web.
declare module 'onnxruntime-node';
