/**
 * Real logs, followed: the Tessera log of sizes 0 to 15 and Go's checksum database, from static files,
 * with proofs built from their tiles. Everything they published is accepted; the same with one byte
 * of a tile changed is not, and convicts nobody.
 */
import { assert, assertEquals } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { Daemon } from "../../src/monitor/daemon.ts";
import { defaultSettings, type LogSettings } from "../../src/monitor/settings.ts";
import { THE_LOG } from "../../src/monitor/the_log.ts";
import type { Result } from "../../src/evidence/result.ts";
import type { Finding } from "../../src/monitor/finding.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import { openSource } from "../../src/sources/open.ts";
import type { Source } from "../../src/sources/source.ts";
import { sumdbSource } from "../../src/sources/sumdb.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { checkObservations } from "../../src/store/observations.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { TILE_HEIGHT } from "../../src/tlog/tiles.ts";
import { generateSigner } from "../../src/world/signer.ts";
import type { HttpAnswer, HttpServer } from "../../src/world/world.ts";
import {
  cachedSumdbHeads,
  fetcherOf,
  readIfThere,
  readSumdbTile,
  SUMDB_ORIGIN,
  SUMDB_VKEY,
  sumdbNote,
  TESSERA,
  TESSERA_SIZES,
  tesseraLog,
  tesseraNotes,
} from "../conformance/real_logs.ts";
import { everyCase, flipped, vectorTest } from "../conformance/vectors.ts";
import { inFolder, world } from "../world/helpers.ts";

/** A log's static files as they stand at one moment. */
interface Served {
  /** Its latest checkpoint. */
  note: string;
  /** A tile by its path, or nothing if the log has none there. */
  tile(path: string): Uint8Array | undefined;
}

/** One kind of log: where its files are, and how they are read. */
interface Kind {
  readonly log: Log;
  readonly latest: string;
  /** Every signed note it is shown here, by ascending size. */
  readonly notes: readonly string[];
  readonly tile: Served["tile"];
  source(read: (path: string) => Uint8Array | undefined): Source;
}

function tessera(): Kind {
  return {
    log: tesseraLog(),
    latest: "checkpoint",
    notes: tesseraNotes().slice(0, TESSERA_SIZES.length).map(({ note }) => note),
    tile: remembering((path) => readIfThere(`${TESSERA}/${path}`)),
    source: (read) => new TileSource({ fetcher: fetcherOf(read) }),
  };
}

function sumdb(): Kind {
  return {
    log: parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`),
    latest: "latest",
    notes: cachedSumdbHeads().sort((a, b) => a.size - b.size).map(sumdbNote),
    tile: remembering(readSumdbTile),
    source: (read) => sumdbSource(fetcherOf(read)),
  };
}

/** A reader of files that do not change, which reads each once. */
function remembering(read: Served["tile"]): Served["tile"] {
  const known = new Map<string, Uint8Array | undefined>();
  return (path) => {
    if (!known.has(path)) known.set(path, read(path));
    return known.get(path);
  };
}

/** A monitor's watch over one log whose files are as `served` says at each moment. */
class Watched {
  readonly served: Served;
  readonly detector = new EquivocationDetector();
  readonly watch: LogWatch;

  constructor(kind: Kind, { view, tile = kind.tile }: {
    view?: VerifiedCheckpoint;
    tile?: Served["tile"];
  } = {}) {
    const { log } = kind;
    this.served = { note: "", tile };
    const source = kind.source((path) =>
      path === kind.latest ? utf8(this.served.note) : this.served.tile(path)
    );
    this.watch = new LogWatch({ log, source, detector: this.detector, view });
    if (view !== undefined) this.detector.observe(view, THE_LOG);
  }

  get size(): bigint | undefined {
    return this.watch.view?.treeSize;
  }

  /** Serves a checkpoint, looks at it, and advances the view if that is for it to do. */
  async look(note: string): Promise<Finding> {
    this.served.note = note;
    const finding = await this.watch.poll();
    this.watch.advance(finding);
    assertEquals(this.detector.conflicts().length, 0, "no honest log makes a conflict");
    return finding;
  }
}

function opened(note: string, log: Log): VerifiedCheckpoint {
  const result = openCheckpoint({ note, logs: [log] });
  assert(Array.isArray(result));
  return result[0]!;
}

interface Pair {
  readonly older: VerifiedCheckpoint;
  readonly newer: VerifiedCheckpoint;
}

/** All pairs of what a log has signed here, the older before the newer. */
function pairsOf({ notes, log }: Kind): Pair[] {
  const heads = notes.map((note) => opened(note, log));
  return heads.flatMap((newer, i) => heads.slice(0, i).map((older) => ({ older, newer })));
}

const nameOf = ({ older, newer }: Pair): string => `${older.treeSize} to ${newer.treeSize}`;

/** What a monitor with the one as its view finds when it is served the other. */
async function lookFrom(
  kind: Kind,
  { view, note, tile = kind.tile }: {
    view: VerifiedCheckpoint;
    note: string;
    tile?: Served["tile"];
  },
): Promise<{ result: Result; size: bigint | undefined }> {
  const watched = new Watched(kind, { view, tile });
  const { result } = await watched.look(note);
  return { result, size: watched.size };
}

vectorTest(
  "LogWatch: follows the Tessera log through all its sizes, each extending the last",
  async () => {
    const kind = tessera();
    const watched = new Watched(kind);
    await everyCase({
      cases: kind.notes.entries(),
      count: 16,
      name: ([size]) => `size ${size}`,
      async check([size, note]) {
        assertEquals((await watched.look(note)).result, size === 0 ? "first" : "extends");
        assertEquals(watched.size, BigInt(size));
        assertEquals((await watched.look(note)).result, "unchanged");
      },
    });
    // `checkpoint`, beside those by size, is the last of them.
    assertEquals((await watched.look(tesseraNotes().at(-1)!.note)).result, "unchanged");
  },
);

vectorTest("LogWatch: every jump between sizes of the Tessera log extends the view", () => {
  const kind = tessera();
  return everyCase({
    cases: pairsOf(kind),
    count: 16 * 15 / 2,
    name: nameOf,
    async check({ older, newer }) {
      const found = await lookFrom(kind, { view: older, note: newer.note });
      assertEquals(found, { result: "extends", size: newer.treeSize });
    },
  });
});

vectorTest("LogWatch: every older Tessera checkpoint is rolled back, and the view stays", () => {
  const kind = tessera();
  return everyCase({
    cases: pairsOf(kind),
    count: 16 * 15 / 2,
    name: nameOf,
    async check({ older, newer }) {
      const found = await lookFrom(kind, { view: newer, note: older.note });
      assertEquals(found, { result: "rolled back", size: newer.treeSize });
    },
  });
});

/** The one tile that a proof to this size of the Tessera log is built from. */
function tesseraTile(treeSize: bigint): string {
  return `tile/0/000.p/${treeSize}`;
}

/** The same tiles, but for one bit in this byte of one of them. */
function changedAt(kind: Kind, { path, at }: { path: string; at: number }): Served["tile"] {
  const changed = flipped(kind.tile(path)!, at);
  return (asked) => asked === path ? changed : kind.tile(asked);
}

vectorTest(
  "LogWatch: no Tessera size is accepted, forward or back, with any byte of its tile changed",
  () => {
    const kind = tessera();
    // From size 0 on nothing needs proof, so nothing reads the tile.
    const pairs = pairsOf(kind).filter(({ older }) => older.treeSize > 0n);
    let refused = 0;
    return everyCase({
      cases: pairs,
      count: 15 * 14 / 2,
      name: nameOf,
      async check({ older, newer }) {
        const path = tesseraTile(newer.treeSize);
        for (let at = 0; at < kind.tile(path)!.length; at++) {
          const tile = changedAt(kind, { path, at });
          const forward = await lookFrom(kind, { view: older, note: newer.note, tile });
          assertEquals(forward, { result: "unproven", size: older.treeSize }, `byte ${at}`);
          refused++;
        }
        const tile = changedAt(kind, { path, at: 0 });
        const back = await lookFrom(kind, { view: newer, note: older.note, tile });
        assertEquals(back, { result: "unproven", size: newer.treeSize });
      },
    }).then(() => assertEquals(refused, 35_840, "bytes changed, one at a time"));
  },
);

vectorTest(
  "LogWatch: a Tessera log with one bad tile is followed again from the next size on",
  () => {
    const kind = tessera();
    return everyCase({
      cases: TESSERA_SIZES.slice(2),
      count: 14,
      name: (bad) => `the tile of size ${bad}`,
      async check(bad) {
        const tile = changedAt(kind, { path: tesseraTile(BigInt(bad)), at: 7 * bad });
        const watched = new Watched(kind, { tile });
        for (const [size, note] of kind.notes.entries()) {
          const { result } = await watched.look(note);
          const wanted = size === 0 ? "first" : size === bad ? "unproven" : "extends";
          assertEquals(result, wanted, `size ${size}`);
          assertEquals(watched.size, BigInt(size === bad ? size - 1 : size));
        }
      },
    });
  },
);

/** The ways through the heads of sum.golang.org on which every step's tiles are among the vectors. */
const SUMDB_WAYS: readonly { readonly upTo: number; readonly stretches: [number, number][] }[] = [
  { upTo: 1835197, stretches: [[1834994, 1835197]] },
  { upTo: 3071412, stretches: [[1834994, 1835003], [3070658, 3071412]] },
  { upTo: 10754063, stretches: [[1834994, 1835003], [10749300, 10754063]] },
];

/** The notes on a way, by ascending size. */
function notesOn(
  { notes, log }: Kind,
  { stretches }: (typeof SUMDB_WAYS)[number],
): string[] {
  return notes.filter((note) => {
    const { treeSize } = opened(note, log);
    return stretches.some(([from, to]) => from <= treeSize && treeSize <= to);
  });
}

vectorTest(
  "LogWatch: follows sum.golang.org from head to head, each extending the last",
  async () => {
    const kind = sumdb();
    const accepted = new Set<string>();
    await everyCase({
      cases: SUMDB_WAYS,
      count: 3,
      name: ({ upTo }) => `up to ${upTo}`,
      async check(way) {
        const watched = new Watched(kind);
        for (const [i, note] of notesOn(kind, way).entries()) {
          assertEquals((await watched.look(note)).result, i === 0 ? "first" : "extends");
          assertEquals((await watched.look(note)).result, "unchanged");
          accepted.add(note);
        }
      },
    });
    assertEquals(accepted.size, 28, "every head lies on a way");
  },
);

vectorTest(
  "LogWatch: every pair of sum.golang.org whose tiles are there is proven, every other unproven",
  async () => {
    const kind = sumdb();
    let proven = 0;
    await everyCase({
      cases: pairsOf(kind),
      count: 28 * 27 / 2,
      name: nameOf,
      async check({ older, newer }) {
        let missing = 0;
        const tile: Served["tile"] = (path) => {
          const hashes = kind.tile(path);
          if (hashes === undefined) missing++;
          return hashes;
        };
        const forward = await lookFrom(kind, { view: older, note: newer.note, tile });
        const back = await lookFrom(kind, { view: newer, note: older.note, tile });
        const isThere = missing === 0;
        if (isThere) proven++;
        assertEquals(
          [forward, back],
          isThere
            ? [
              { result: "extends", size: newer.treeSize },
              { result: "rolled back", size: newer.treeSize },
            ]
            : [
              { result: "unproven", size: older.treeSize },
              { result: "unproven", size: newer.treeSize },
            ],
        );
      },
    });
    // consistency.jsonl has 150 of these.
    assertEquals(proven, 194);
  },
);

/** The level and the index of a tile. */
function placeOf(path: string): { level: number; index: bigint } {
  const [, level, number] = /^tile\/8\/(\d+)\/(.*?)(?:\.p\/\d+)?$/.exec(path)!;
  return { level: Number(level), index: BigInt(number!.replace(/[x/]/g, "")) };
}

/**
 * Which hash of a tile no proof from `older` uses: the one over leaves on both sides of `older`,
 * which a tile that is not wide enough lacks. The proof cuts there, and takes the tile below instead.
 */
function unusedHash(path: string, { treeSize }: VerifiedCheckpoint): number | undefined {
  const { level, index } = placeOf(path);
  const leavesBits = BigInt(TILE_HEIGHT * level);
  const cut = treeSize >> leavesBits;
  const isAcross = (cut << leavesBits) !== treeSize;
  const isHere = cut >> BigInt(TILE_HEIGHT) === index;
  return isAcross && isHere ? Number(cut & 0xffn) : undefined;
}

/** The paths of the tiles that are asked for to prove a pair. */
async function tilesOf(kind: Kind, { older, newer }: Pair): Promise<string[]> {
  const asked = new Set<string>();
  const tile: Served["tile"] = (path) => {
    asked.add(path);
    return kind.tile(path);
  };
  assertEquals((await lookFrom(kind, { view: older, note: newer.note, tile })).result, "extends");
  return [...asked];
}

/**
 * Changes one byte at a time of the tiles of a step, and holds that the step is refused, unless the
 * byte is in the hash that the proof does not use: then it is accepted.
 * @param stride how many hashes to go on from one byte to the next
 */
async function changeTiles(
  kind: Kind,
  { pair: { older, newer }, stride }: { pair: Pair; stride: number },
): Promise<{ refused: number; unused: number }> {
  const counts = { refused: 0, unused: 0 };
  for (const path of await tilesOf(kind, { older, newer })) {
    const hashes = kind.tile(path)!.length / HASH_BYTES;
    const unused = unusedHash(path, older);
    const idle = unused !== undefined && unused < hashes ? unused : undefined;
    const chosen = Array.from({ length: Math.ceil(hashes / stride) }, (_, i) => i * stride);
    for (const hash of new Set([...chosen, hashes - 1, ...(idle === undefined ? [] : [idle])])) {
      // Another byte of each hash, so that all 32 places have their turn.
      const at = hash * HASH_BYTES + hash * 7 % HASH_BYTES;
      const tile = changedAt(kind, { path, at });
      const found = await lookFrom(kind, { view: older, note: newer.note, tile });
      const isUnused = hash === idle;
      const wanted: typeof found = isUnused
        ? { result: "extends", size: newer.treeSize }
        : { result: "unproven", size: older.treeSize };
      assertEquals(found, wanted, `${path} byte ${at}`);
      counts[isUnused ? "unused" : "refused"]++;
    }
  }
  return counts;
}

/** Each step on the ways through sum.golang.org once. */
function sumdbSteps(kind: Kind): Pair[] {
  const steps = new Map<string, Pair>();
  for (const way of SUMDB_WAYS) {
    const heads = notesOn(kind, way).map((note) => opened(note, kind.log));
    for (const [i, newer] of heads.slice(1).entries()) {
      const pair = { older: heads[i]!, newer };
      steps.set(nameOf(pair), pair);
    }
  }
  return [...steps.values()];
}

vectorTest(
  "LogWatch: no step of sum.golang.org is accepted with a byte of a tile changed that it uses",
  async () => {
    const kind = sumdb();
    const sum = { refused: 0, unused: 0 };
    await everyCase({
      cases: sumdbSteps(kind),
      count: 27,
      name: nameOf,
      async check(pair) {
        const { refused, unused } = await changeTiles(kind, { pair, stride: 64 });
        sum.refused += refused;
        sum.unused += unused;
      },
    });
    // Of each tile one hash at the most is not read: the one over leaves on both sides of a size.
    assert(sum.refused > 200 && sum.unused * 20 < sum.refused, JSON.stringify(sum));
  },
);

/** Serves logs as static files on this machine, each below a path of its own, as they then stand. */
function serveFiles(logs: ReadonlyMap<string, { kind: Kind; served: Served }>): HttpServer {
  const notFound: HttpAnswer = { status: 404 };
  return world.http.serve({ hostname: "127.0.0.1", port: 0 }, (query) => {
    const [, prefix = "", path = ""] = /^\/([^/]+)\/(.*)$/.exec(query.path) ?? [];
    const log = logs.get(prefix);
    if (log === undefined) return Promise.resolve(notFound);
    const isLatest = path === log.kind.latest;
    const content = isLatest ? utf8(log.served.note) : log.served.tile(path);
    if (content === undefined) return Promise.resolve(notFound);
    const etag = `"${sha256(content).toHex()}"`;
    return Promise.resolve(
      query.header("if-none-match") === etag
        ? { status: 304, headers: { etag } }
        : { status: 200, headers: { etag }, body: new Uint8Array(content) },
    );
  }, () => {});
}

const HOUR_MS = 3_600_000;

/** A daemon that follows these logs over HTTP and keeps its state below a folder. */
async function startDaemon(
  { folder, logs, refusals }: {
    folder: string;
    logs: readonly Pick<LogSettings, "log" | "source">[];
    refusals: unknown[];
  },
): Promise<Daemon> {
  const contact = "ops@example";
  const { signer } = await generateSigner({ world, name: "monitor.example" });
  return await Daemon.start({
    world,
    signer,
    settings: {
      ...defaultSettings(world),
      ...{ name: "monitor.example", contact },
      ...{ state: `${folder}/state`, incidents: `${folder}/incidents` },
      logs: logs.map((log) => ({ ...log, pollMs: HOUR_MS, patienceMs: HOUR_MS })),
    },
    report: { event: () => {}, workFailed: (error) => refusals.push(error) },
    openSource: ({ log, source }) => openSource({ world, log, source, contact }),
  });
}

/** What the observation journal of a daemon says of each log, in order: result and size. */
async function journaled(folder: string): Promise<Map<string, string[]>> {
  const said = new Map<string, string[]>();
  const { files } = world;
  for await (const item of checkObservations({ files, folder: `${folder}/state` })) {
    assert("observation" in item);
    const { log: { origin }, result, checkpoint, repeats } = item.observation;
    const words = [result, checkpoint?.size, repeats && `${repeats} times`];
    const line = words.filter((word) => word !== undefined).join(" ");
    said.set(origin, [...said.get(origin) ?? [], line]);
  }
  return said;
}

vectorTest(
  "Daemon: follows a Tessera log and sum.golang.org over HTTP through all sizes, and writes it down",
  () =>
    inFolder(async (folder) => {
      const notes = { tessera: tessera().notes, sumdb: notesOn(sumdb(), SUMDB_WAYS[1]!) };
      const kinds = { tessera: tessera(), sumdb: sumdb() };
      const files = {
        tessera: { kind: kinds.tessera, served: { note: "", tile: kinds.tessera.tile } },
        sumdb: { kind: kinds.sumdb, served: { note: "", tile: kinds.sumdb.tile } },
      };
      const server = serveFiles(new Map(Object.entries(files)));
      const base = `127.0.0.1:${server.address.port}`;
      const refusals: unknown[] = [];
      const logs = [
        { log: kinds.tessera.log, source: `http://${base}/tessera` },
        { log: kinds.sumdb.log, source: `sumdb+http://${base}/sumdb` },
      ];
      const daemon = await startDaemon({ folder, logs, refusals });
      const sizes = (): (string | undefined)[] => daemon.status().logs.map(({ size }) => size);
      try {
        // The last but one step is that of a tile gone bad, the last the same mended.
        const last = notes.tessera.length - 1;
        for (let step = 0; step < last; step++) {
          files.tessera.served.note = notes.tessera[step]!;
          files.sumdb.served.note = notes.sumdb[step]!;
          assertEquals(await daemon.once(), true, `step ${step}`);
        }
        files.tessera.served.note = notes.tessera[last]!;
        files.tessera.served.tile = changedAt(kinds.tessera, { path: tesseraTile(15n), at: 200 });
        assertEquals(await daemon.once(), false);
        assertEquals(sizes()[0], "14");
        files.tessera.served.tile = kinds.tessera.tile;
        assertEquals(await daemon.once(), true);
        files.tessera.served.note = notes.tessera[3]!;
        assertEquals(await daemon.once(), true);
        assertEquals(sizes(), ["15", `${opened(notes.sumdb[14]!, kinds.sumdb.log).treeSize}`]);
        assertEquals(daemon.incidents, 0);
      } finally {
        await daemon.close();
        await server.close();
      }
      assertEquals(refusals, []);
      const said = await journaled(folder);
      const extensions = Array.from({ length: 14 }, (_, i) => `extends ${i + 1}`);
      assertEquals(said.get(kinds.tessera.log.origin), [
        ...["first 0", ...extensions],
        ...["unproven 15", "extends 15", "rolled back 3"],
      ]);
      const heads = notes.sumdb.slice(0, 15).map((note) => opened(note, kinds.sumdb.log).treeSize);
      assertEquals(said.get(SUMDB_ORIGIN), [
        ...heads.map((size, i) => `${i === 0 ? "first" : "extends"} ${size}`),
        ...[`unchanged ${heads[14]}`, `unchanged ${heads[14]} 2 times`],
      ]);
    }),
);
