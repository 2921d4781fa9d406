/**
 * A reader of published logs that shares no code with what publishes them: SHA-256 of the platform,
 * and the definitions of RFC 6962 and C2SP tlog-tiles as they stand there.
 */
import { createHash } from "node:crypto";

/** SHA-256. */
export function sha256(...parts: (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** RFC 6962 section 2.1, as it is defined there. */
export function merkleTreeHash(leafHashes: readonly Uint8Array[]): Uint8Array {
  if (leafHashes.length === 0) return sha256();
  if (leafHashes.length === 1) return leafHashes[0]!;
  let split = 1;
  while (split * 2 < leafHashes.length) split *= 2;
  const [left, right] = [leafHashes.slice(0, split), leafHashes.slice(split)];
  return sha256(Uint8Array.of(1), merkleTreeHash(left), merkleTreeHash(right));
}

/** The path of a tile: "3-digit zero-padded path elements; all but the last prefixed by x". */
export function pathOf(level: string, index: number, width: number): string {
  const groups: string[] = [];
  for (let rest = index;; rest = Math.floor(rest / 1_000)) {
    groups.unshift(`${groups.length > 0 ? "x" : ""}${`${rest % 1_000}`.padStart(3, "0")}`);
    if (rest < 1_000) break;
  }
  return `tile/${level}/${groups.join("/")}${width === 256 ? "" : `.p/${width}`}`;
}

/** The leaves in a bundle: "big-endian uint16 length prefix + data". */
export function unbundled(bytes: Uint8Array): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes[at]! * 256 + bytes[at + 1]!;
    if (at + 2 + length > bytes.length) throw new Error("a bundle ends within an entry");
    leaves.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return leaves;
}

/** A log that was read from its files alone. */
export interface ReadLog {
  readonly leaves: readonly Uint8Array[];
  readonly origin: string;
  readonly size: number;
}

/**
 * Reads all of a log, and checks every file that its checkpoint needs: the leaves against the tiles of
 * level 0, each level against the one below, and the root against the checkpoint.
 * @param read gives the content of a file below the log's prefix
 */
export async function readLog(
  read: (path: string) => Promise<Uint8Array | undefined>,
): Promise<ReadLog> {
  const get = async (path: string): Promise<Uint8Array> => {
    const content = await read(path);
    if (content === undefined) throw new Error(`there is no ${path}`);
    return content;
  };
  const note = new TextDecoder().decode(await get("checkpoint"));
  const [origin, sizeText, root] = note.split("\n");
  const size = Number(sizeText);
  const leaves: Uint8Array[] = [];
  for (const { index, width } of tiles(size)) {
    leaves.push(...unbundled(await get(pathOf("entries", index, width))));
  }
  const leafHashes = leaves.map((leaf) => sha256(Uint8Array.of(0), leaf));
  let row: Uint8Array[] = leafHashes;
  for (let level = 0; row.length > 0; level++) {
    for (const { index, width } of tiles(row.length)) {
      const path = pathOf(`${level}`, index, width);
      const wanted = row.slice(index * 256, index * 256 + width);
      if (!same(await get(path), wanted)) throw new Error(`${path} is not what it should be`);
    }
    row = Array.from(
      { length: Math.floor(row.length / 256) },
      (_, i) => merkleTreeHash(row.slice(i * 256, (i + 1) * 256)),
    );
  }
  if (leaves.length !== size) throw new Error(`${leaves.length} leaves, and the size is ${size}`);
  const computed = btoa(String.fromCharCode(...merkleTreeHash(leafHashes)));
  if (computed !== root) throw new Error(`the root is ${root}, and the leaves have ${computed}`);
  return { leaves, origin: origin!, size };
}

function tiles(hashes: number): { index: number; width: number }[] {
  return Array.from(
    { length: Math.ceil(hashes / 256) },
    (_, index) => ({ index, width: Math.min(256, hashes - index * 256) }),
  );
}

function same(bytes: Uint8Array, hashes: readonly Uint8Array[]): boolean {
  return bytes.length === hashes.length * 32 &&
    hashes.every((hash, i) => hash.every((byte, j) => bytes[i * 32 + j] === byte));
}
