/** A file over HTTP, or undefined where the server has none. */
export async function fetchFile(url: string): Promise<Uint8Array | undefined> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new Error(
      `${url}: could not be fetched (${(cause as Error).message}); check the address and the connection`,
      {
        cause,
      },
    );
  }
  if (response.status === 404 || response.status === 410) return undefined;
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
