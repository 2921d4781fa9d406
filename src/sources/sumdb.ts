import { sumdbTilePath } from "../tlog/tiles.ts";
import type { Fetcher } from "./fetcher.ts";
import { TileSource } from "./tlog_tiles.ts";

/**
 * A checksum database of Go (x/mod sumdb). It serves tiles and signed notes under its own paths.
 */
export function sumdbSource(fetcher: Fetcher): TileSource {
  return new TileSource({ fetcher, paths: { latest: "latest", tile: sumdbTilePath } });
}
