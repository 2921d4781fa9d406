import { sumdbTilePath } from "../tlog/tiles.ts";
import type { Fetcher } from "./fetcher.ts";
import { TileSource } from "./tlog_tiles.ts";

/** A checksum database of Go (x/mod sumdb): tiles and signed notes under paths of its own. */
export function sumdbSource(fetcher: Fetcher): TileSource {
  return new TileSource({ fetcher, paths: { latest: "latest", tile: sumdbTilePath } });
}
