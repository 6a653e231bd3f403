import type { WorkerService } from './types.js';

/** Answers messages by `{ value }` or `{ error }`, the first one when the service is ready. */
export function answering(
  { start, answer }: WorkerService,
  listen: (onMessage: (message: unknown) => void) => void,
  post: (answer: object, transfer: ArrayBuffer[]) => void,
): void {
  const reply = async (work: () => Promise<{ value: unknown; transfer: ArrayBuffer[] }>) => {
    try {
      const { value, transfer } = await work();
      post({ value }, transfer);
    } catch (error) {
      const { name = '', message = String(error) } = error as Partial<Error>;
      post({ error: { name, message } }, []);
    }
  };
  listen((message) => void reply(() => answer(message)));
  void reply(async () => {
    await start();
    return { value: undefined, transfer: [] };
  });
}
