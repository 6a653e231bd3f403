import { platform } from '#platform';
import { PATIENCE } from '../platform/patience.js';

// The environment, as Python's huggingface_hub reads it (huggingface_hub/constants.py).

const isTrue = (value: string | undefined): boolean => /^(1|ON|YES|TRUE)$/i.test(value ?? '');

export const endpointOf = (given: string | undefined): string =>
  (given ?? platform.env('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');

export const isOffline = (given: boolean | undefined): boolean =>
  given ?? isTrue(platform.env('HF_HUB_OFFLINE') ?? platform.env('TRANSFORMERS_OFFLINE'));

/** Seconds without a byte after which a connection is given up. */
export function timeoutOf(): number {
  const seconds = Number(platform.env('HF_HUB_DOWNLOAD_TIMEOUT'));
  return seconds > 0 ? seconds : PATIENCE;
}

/** The token to send: the one given, else HF_TOKEN, else the one that was saved by a login. */
export async function tokenOf(given: string | boolean | undefined): Promise<string | undefined> {
  if (given === false) return undefined;
  if (typeof given === 'string') return given;
  if (given === undefined && isTrue(platform.env('HF_HUB_DISABLE_IMPLICIT_TOKEN'))) return undefined;
  const token =
    platform.env('HF_TOKEN') ?? platform.env('HUGGING_FACE_HUB_TOKEN') ?? (await platform.savedToken()) ?? '';
  const clean = token.trim();
  if (given === true && clean === '') {
    throw new Error(
      "token: expected a saved one, found none; run 'hf auth login', set HF_TOKEN, or give the token itself",
    );
  }
  return clean || undefined;
}
