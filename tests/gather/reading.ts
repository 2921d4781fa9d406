/** Reads one file of a test, of one of the kinds that are known. */
import { type Gathered, readGathered } from "../../src/gather/read.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import type { Log } from "../../src/tlog/log.ts";
import { fileOf } from "../world/helpers.ts";

/** All that is found in a content, and whether its kind is known. */
export async function readAll(
  content: string | Uint8Array,
  { logs, isNamed = false }: { logs: readonly Log[]; isNamed?: boolean },
): Promise<{ found: Gathered[]; isKnown: boolean }> {
  const { file } = fileOf(typeof content === "string" ? utf8(content) : content);
  const reading = readGathered({ file, name: "a file", logs, isNamed });
  const found: Gathered[] = [];
  for (;;) {
    const { value, done } = await reading.next();
    if (done) return { found, isKnown: value };
    found.push(...value);
  }
}

/** What was found, in short: the size of each checkpoint, `proof`, or the reason of a rejection. */
export function brief(found: readonly Gathered[]): string[] {
  return found.map((one) =>
    one.kind === "rejected"
      ? one.reason
      : one.kind === "proof"
      ? "proof"
      : one.checkpoints.map(({ treeSize }) => `${treeSize}`).join("+")
  );
}
