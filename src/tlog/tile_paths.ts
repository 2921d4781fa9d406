/** Hashes in a full tile and entries in a full bundle: tiles are 8 levels high (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

/**
 * The path of a tile, or of an entry bundle, below a log's prefix (C2SP tlog-tiles): the index in
 * groups of three digits, all but the last behind an `x`; 1234067 is `x001/x234/067`.
 * @param level of the tile, 0 to 63, or `entries` for a bundle
 * @param index from 0
 * @param width how many hashes or entries, 1 to 256; fewer than 256 is a partial tile
 */
export function tilePath(
  { level, index, width }: { level: number | "entries"; index: bigint; width: number },
): string {
  if (index < 0n || width < 1 || width > TILE_WIDTH) {
    throw new RangeError(`there is no tile ${index} of width ${width}`);
  }
  const digits = `${index}`;
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g)!;
  const parts = groups.map((group, i) => i < groups.length - 1 ? `x${group}` : group);
  const path = `tile/${level}/${parts.join("/")}`;
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}
