import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import { type Fetcher, FolderFetcher, HttpFetcher } from "./fetcher.ts";
import { MAX_PREFIXES, SeveralSource } from "./several.ts";
import { RekorV1Source } from "./rekor_v1.ts";
import { Rfc6962Source } from "./rfc6962.ts";
import { SigsumSource } from "./sigsum.ts";
import type { Source } from "./source.ts";
import { staticCtSource } from "./static_ct.ts";
import { sumdbSource } from "./sumdb.ts";
import { TileSource } from "./tlog_tiles.ts";

type Open = (served: { fetcher: Fetcher; log: Log }) => Source;

/** The kinds that are named before the URL. A URL or folder without a kind is tlog-tiles. */
const KINDS: ReadonlyMap<string, Open> = new Map<string, Open>([
  ["sumdb", ({ fetcher }) => sumdbSource(fetcher)],
  ["static-ct", ({ fetcher }) => staticCtSource(fetcher)],
  ["sigsum", (served) => new SigsumSource(served)],
  ["rfc6962", (served) => new Rfc6962Source(served)],
  ["rekor-v1", (served) => new RekorV1Source(served)],
]);

/** A URL, and the kind before it. */
const URL_NOTATION = /^(?:([a-z][a-z0-9-]*)\+)?(https?:.*)$/;

/**
 * Opens the source of a log by its notation. It asks nothing of the log yet.
 *
 *     https://…, http://…, a folder     C2SP tlog-tiles
 *     sumdb+https://…                   Go's checksum database
 *     static-ct+https://…               static-CT
 *     sigsum+https://…                  Sigsum
 *     rfc6962+https://…                 a Certificate Transparency log of RFC 6962
 *     rekor-v1+https://…                one tree of a Rekor v1
 *
 * @param source one, or a list of places where the same log is served
 * @param contact who answers for the requests, a URL or mail address, for the User-Agent
 * @throws MalformedError for any other notation, or one that cannot be the source of this log
 */
export function openSource({ world, log, source, contact }: {
  world: World;
  log: Log;
  source: string | readonly string[];
  contact: string;
}): Source {
  if (typeof source === "string") return openOne({ world, log, source, contact });
  if (source.length < 1 || source.length > MAX_PREFIXES || new Set(source).size < source.length) {
    throw new MalformedError(
      `Cannot read source: it is a list of ${source.length}, expected 1 to ${MAX_PREFIXES} places, ` +
        "none of them twice",
    );
  }
  const parts = source.map((one) => openOne({ world, log, source: one, contact }));
  return parts.length === 1 ? parts[0]! : new SeveralSource(parts, source.map(placeName));
}

/**
 * The name of one of several places in records, which are sent to others. The path of a folder is
 * not told to others.
 */
function placeName(source: string, index: number): string {
  return URL_NOTATION.exec(source)?.[2] ?? `source ${index + 1}, a folder`;
}

function openOne(
  { world, log, source, contact }: { world: World; log: Log; source: string; contact: string },
): Source {
  try {
    const [, kind, url] = URL_NOTATION.exec(source) ?? [];
    if (url === undefined) return folderSource(world, source);
    const fetcher = new HttpFetcher({ world, prefix: url, contact });
    if (kind === undefined) return new TileSource({ fetcher });
    const open = KINDS.get(kind);
    if (open === undefined) throw unknownNotation(source);
    return open({ fetcher, log });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    // Not quoted here: a URL may hold a password.
    throw new MalformedError(`Cannot read source: ${error.message}`);
  }
}

/** Whether a source's notation is a folder on this machine, and not a URL. */
export function isFolder(source: string): boolean {
  return !URL_NOTATION.test(source);
}

/**
 * A text that begins like a URL with some scheme or kind is not a folder. A Windows drive has one
 * letter.
 */
function folderSource(world: World, folder: string): Source {
  if (folder === "" || /^[a-z][a-z0-9.-]+[:+]/i.test(folder) || /\p{Cc}/u.test(folder)) {
    throw unknownNotation(folder);
  }
  return new TileSource({ fetcher: new FolderFetcher({ world, folder }) });
}

function unknownNotation(source: string): MalformedError {
  const kinds = [...KINDS.keys()].map((kind) => `${kind}+https://…`);
  return new MalformedError(
    `it is ${quoted(source)}, expected https://…, http://…, a folder, ${kinds.join(", ")}`,
  );
}
