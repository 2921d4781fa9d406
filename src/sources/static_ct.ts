import type { Fetcher } from "./fetcher.ts";
import { TileSource } from "./tlog_tiles.ts";

/**
 * A Certificate Transparency log of C2SP static-ct-api. It is served exactly like tlog-tiles. Its
 * signatures and entries differ, but a source does not read them.
 */
export function staticCtSource(fetcher: Fetcher): TileSource {
  return new TileSource({ fetcher });
}
