import type { Fetcher } from "./fetcher.ts";
import { TileSource } from "./tlog_tiles.ts";

/**
 * A Certificate Transparency log of C2SP static-ct-api: served exactly as tlog-tiles are. What
 * differs, signatures and entries, is not the source's affair.
 */
export function staticCtSource(fetcher: Fetcher): TileSource {
  return new TileSource({ fetcher });
}
