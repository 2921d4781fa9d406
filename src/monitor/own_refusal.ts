/** Our own disk or database has refused something, and not the store. */
export class OwnRefusal extends Error {}

/** Does what the store has no part in. @throws OwnRefusal, with the cause */
export async function ours<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new OwnRefusal("our own disk or database refuses", { cause: error });
  }
}
