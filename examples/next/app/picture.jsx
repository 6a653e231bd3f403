'use client';

import { DDIMPipeline, Generator } from 'ddim-wasm';
import { useEffect, useRef, useState } from 'react';

export function Picture({ seed }) {
  const canvas = useRef(null);
  const [hash, setHash] = useState('');

  useEffect(() => {
    const controller = new AbortController();
    const draw = async () => {
      const pipe = await DDIMPipeline.fromPretrained();
      const { signal } = controller;
      const { images } = await pipe
        .generate({ generator: new Generator(seed), numInferenceSteps: 4, signal })
        .finally(() => pipe.dispose());
      images[0].enlarge(8).draw(canvas.current);
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', images[0].data));
      setHash(Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''));
    };
    draw().catch((error) => {
      if (!controller.signal.aborted) setHash(error.message);
    });
    return () => controller.abort();
  }, [seed]);

  return (
    <>
      <canvas ref={canvas} />
      <p>
        SHA-256 of the pixels: <code id="hash">{hash}</code>
      </p>
    </>
  );
}
