/**
 * The program against a client in another language, which was written from PROTOCOL.md alone: what
 * the document says is enough to talk to a monitor and to check its evidence.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { evidenceId } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import {
  buildRecord,
  type ConflictRecord,
  formatRecord,
  parseRecord,
} from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { formatLog, makeLog } from "../../src/tlog/log.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { put, run, twoStories } from "../cli/harness.ts";
import * as monitors from "../cli/monitors.ts";
import { readDocument, ShownExamples } from "../documents/document.ts";
import { checkpointOf } from "../gossip/helpers.ts";
import { PYTHON, pythonTest } from "../python.ts";
import { flipped } from "./vectors.ts";

const CLIENT = new URL("client/", import.meta.url).pathname;
const ROOT = new URL("../../", import.meta.url).pathname;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function python(script: string, args: readonly string[]): Promise<Ran> {
  // -B: nothing is written beside the script. -X utf8: whatever the machine's locale is.
  const command = new Deno.Command(PYTHON, { args: ["-B", "-X", "utf8", script, ...args] });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

function client(...args: readonly string[]): Promise<Ran> {
  return python(`${CLIENT}client.py`, args);
}

/** What the client printed, if all that came held. */
async function printed(...args: readonly string[]): Promise<string[]> {
  const { code, out, err } = await client(...args);
  assertEquals([code, err], [0, ""], out);
  return out.trimEnd().split("\n");
}

pythonTest("client: every example of PROTOCOL is what it makes or reads", async () => {
  const { code, out } = await python(
    `${CLIENT}check_examples.py`,
    [`${ROOT}documents/PROTOCOL.md`],
  );
  assertEquals(out.split("\n").filter((line) => line.startsWith("FAIL")), []);
  const count = new ShownExamples(readDocument("documents/PROTOCOL.md")).names.length;
  assertMatch(out, new RegExp(`^${count} examples, \\d+ checks, 0 failed$`, "m"));
  assertEquals(code, 0);
});

/** A daemon that follows a log of 5 entries and then 7, and that log's other history of 7 and 6. */
async function daemonOfAForkedLog(folder: string) {
  const dir = `${folder}/trial`;
  const { log } = await monitors.makeLog(dir, 5);
  const keep = (from: string, name: string): string =>
    put(folder, name, Deno.readTextFileSync(`${from}/checkpoint`));
  const notes: Record<string, string> = { one5: keep(dir, "one5") };
  await monitors.fork(dir, `${folder}/other`);
  await monitors.grow(dir, 2);
  notes.one7 = keep(dir, "one7");
  for (const size of [6, 7]) {
    await monitors.grow(`${folder}/other`, 1);
    notes[`other${size}`] = keep(`${folder}/other`, `other${size}`);
  }
  const config = await monitors.makeMonitor(
    `${folder}/monitor`,
    { log, source: dir },
    ...["--listen", "127.0.0.1:0"],
  );
  const daemon = await monitors.startDaemon(config);
  await daemon.running.line(/ log\.first .*size=7$/);
  const frame = async (name: string): Promise<string> =>
    (await printed("frame-of", log, notes[name]!))[0]!;
  /** The size and root of a note, as the client prints them. */
  const stated = (name: string): string =>
    Deno.readTextFileSync(notes[name]!).split("\n").slice(1, 3).join(" ");
  return {
    ...{ log, frame, stated, notes, daemon, at: daemon.listen, dir: `${folder}/monitor` },
    async [Symbol.asyncDispose]() {
      daemon.running.stop();
      await daemon.running.done;
    },
  };
}

/** The record with this number, in a file, as it is handed on. */
async function handedOn(dir: string, incident: number): Promise<string> {
  const incidents = `${dir}/incidents`;
  const { code, out } = await run(
    ...["incidents", "show", `${incident}`, "--json", "--incidents", incidents],
  );
  assertEquals(code, 0);
  return put(dir, `record-${incident}.json`, `${out.join("\n")}\n`);
}

pythonTest("client: frames are answered by a daemon as PROTOCOL section 5 says", async (folder) => {
  await using scene = await daemonOfAForkedLog(folder);
  const { at, log, frame, stated } = scene;
  const latest = `answer ${stated("one7")}`;
  assertEquals(await printed("exchange", at, log, "nothing"), [latest]);
  assertEquals(await printed("exchange", at, log, await frame("one7")), [latest]);
  assertEquals(
    await printed("exchange", at, log, await frame("one5"), "nothing"),
    [latest, "answer nothing"],
    "its log is named, so nothing is left for the zero frame",
  );

  const bad = encodeHex(flipped(Uint8Array.fromHex(await frame("one7")), 39));
  const refused = await client("exchange", at, log, bad);
  assertEquals([refused.code, refused.out], [1, ""]);
  assertStringIncludes(refused.err, "0 of 1 frames were answered, then closed");
  assertEquals(await monitors.evidenceOf(scene.dir), [], "nothing so far proves anything");

  const [answer, contradiction, ...more] = await printed(
    ...["exchange", at, log, await frame("other7")],
  );
  assertEquals([answer, more], [latest, []]);
  const id = /^CONTRADICTION evidence_id ([0-9a-f]{64})$/.exec(contradiction!)?.[1];
  // It was durable before it was told.
  assertEquals(await monitors.evidenceOf(scene.dir), [id]);
  const verdict = await printed("record", log, await handedOn(scene.dir, 1));
  assertEquals(verdict.slice(0, 4), [
    "holds same_size",
    `a ${stated("one7")}`,
    `b ${stated("other7")}`,
    `evidence_id ${id}`,
  ]);
});

pythonTest("client: a daemon's proof across sizes holds offline", async (folder) => {
  await using scene = await daemonOfAForkedLog(folder);
  const { at, log, frame, stated } = scene;
  const recorded = scene.daemon.running.line(/ incident\.recorded kind=cross_size /);
  assertEquals(
    await printed("exchange", at, log, await frame("other6")),
    [`answer ${stated("one7")}`],
    "no frame contradicts a frame of another size",
  );
  await recorded;
  const verdict = await printed("record", log, await handedOn(scene.dir, 1));
  assertEquals(verdict.slice(0, 4), [
    "holds cross_size",
    `a ${stated("other6")}`,
    `b ${stated("one7")}`,
    `evidence_id ${(await monitors.evidenceOf(scene.dir))[0]}`,
  ]);
});

pythonTest("client: parcels are answered by daemons as PROTOCOL section 7 says", async (folder) => {
  await using scene = await daemonOfAForkedLog(folder);
  const { at, log, stated, notes } = scene;
  const [hash] = (await printed("key", log)).slice(-1).map((line) => line.split(" ")[1]!);
  const followed = await printed("greet", at, log, `${log} of another origin`);
  assertEquals(followed, ["parcel 1 items", `follows ${hash} ${log.split("+")[0]}`]);

  const contradicted = await printed("note", at, log, notes.other7!);
  assertEquals(contradicted.slice(0, 2), ["parcel 2 items", `note ${stated("one7")}`]);
  const [id] = await monitors.evidenceOf(scene.dir);
  assertEquals(contradicted[2], `CONTRADICTION evidence_id ${id}`);
  assertStringIncludes(contradicted[3]!, `evidence_id ${id}; detector monitor.invalid/monitor;`);

  const asked = await printed("ask", at, log, notes.one5!);
  assertEquals(asked[0], "parcel 2 items");
  assertMatch(asked[1]!, new RegExp(`^record holds same_size; .* evidence_id ${id};`));
  assertEquals(asked[2], `note ${stated("one7")}`);
  const latest = ["parcel 1 items", `note ${stated("one7")}`];
  assertEquals(await printed("ask", at, log, notes.one5!, id!), latest, "the case is known");

  // The daemon was told it just now, and settles it by its view.
  let standing: string[];
  do standing = await printed("settled", at, log, notes.one5!); while (/ open /.test(standing[3]!));
  assertEquals(standing[3], `settled consistent ${stated("one5")}`);
  assertEquals(standing[0], "parcel 3 items");

  for (const parcel of ["81", "817f00000003616263"]) {
    assertEquals(await printed("raw", at, log, parcel), ["parcel 0 items"]);
  }
  for (const parcel of ["82", "810500000001aa", "8101000000", "810300000002" + "7b7d"]) {
    const { code, err } = await client("raw", at, log, parcel);
    assertEquals([code, err], [1, "refused: nothing came: a refusal\n"], parcel);
  }

  const file = await handedOn(scene.dir, 1);
  const other = await monitors.startDaemon(
    await monitors.makeMonitor(
      `${folder}/second`,
      { log, source: `${folder}/trial` },
      ...["--listen", "127.0.0.1:0"],
    ),
  );
  try {
    const handed = await printed("hand", other.listen, log, file);
    assertEquals(handed.at(-1), "parcel 0 items", "it does not hand back what it was shown");
    assertEquals(await monitors.evidenceOf(`${folder}/second`), [id]);
    const again = await printed("record", log, await handedOn(`${folder}/second`, 1));
    assertEquals(again.slice(3, 5), [`evidence_id ${id}`, "detector monitor.invalid/second"]);
  } finally {
    other.running.stop();
    await other.running.done;
  }
});

pythonTest("client: the sample in the repository holds", async () => {
  const path = `${ROOT}incidents/sample.json`;
  const { log: { origin, vkey } } = parseRecord(Deno.readTextFileSync(path));
  const verdict = await printed(
    "record",
    formatLog(makeLog({ vkey: parseVkey(vkey), origin })),
    path,
  );
  assertMatch(verdict[0]!, /^holds /);
});

/** The unsigned record of two histories, of which one is smaller. */
async function recordAcross(
  { older, newer, sizes: [from, to] }: { older: TestLog; newer: TestLog; sizes: [bigint, bigint] },
): Promise<ConflictRecord> {
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(older, from), "lima");
  detector.observe(await checkpointOf(newer, to), "quito");
  const outcome = detector.observeProof({
    log: newer.log,
    older: { treeSize: from, rootHash: newer.root(from) },
    newer: { treeSize: to, rootHash: newer.root(to) },
    proof: newer.consistencyProof({ older: from, newer: to }),
  });
  assert(outcome.verdict === "inconsistent", outcome.verdict);
  return buildRecord({ conflict: outcome.conflicts[0]!, detectedAt: "2026-01-01T00:00:00Z" });
}

/** The same proof against the history that it is of: all in it is true, and convicts nobody. */
async function withoutContradiction(
  record: ConflictRecord,
  log: TestLog,
  [from, to]: [bigint, bigint],
): Promise<string> {
  const [older, newer] = [await checkpointOf(log, from), await checkpointOf(log, to)];
  const { note, root } = older;
  const evidence_id = evidenceId({ log: log.log, heads: [older, newer] });
  return formatRecord({ ...record, checkpoint_a: { size: `${from}`, root, note }, evidence_id });
}

/** The record, and others made of it that must not hold, or whose spelling is another. */
function* variants(record: ConflictRecord): Generator<string> {
  yield formatRecord(record);
  yield JSON.stringify(Object.fromEntries(Object.entries(record).reverse()));
  yield formatRecord(record).replace("{", '{"kind":"cross_size",');
  const { consistency, checkpoint_a: a, checkpoint_b: b } = record;
  const [proof, implied_root] = [consistency!.proof, consistency!.implied_root];
  const [line] = /— .*\n$/.exec(a.note)!;
  const wrong = line.replace(/ (\S{8})\S{4}(\S+)\n$/, " $1AAAA$2\n");
  const noted = (note: string): object => ({ checkpoint_a: { ...a, note } });
  const another = base64(flipped(Uint8Array.fromBase64(implied_root), 7));
  const changed: readonly object[] = [
    { checkpoint_a: b, checkpoint_b: a },
    { checkpoint_a: b },
    { checkpoint_a: { ...a, root: b.root } },
    { kind: "same_size" },
    { consistency: { proof, implied_root: another } },
    { consistency: { proof, implied_root: a.root } },
    { consistency: { implied_root, proof: proof.slice(1) } },
    { consistency: { implied_root, proof: [...proof, proof[0]] } },
    { consistency: { implied_root, proof: proof.toReversed() } },
    { consistency: { implied_root, proof: [another, ...proof.slice(1)] } },
    { consistency: { implied_root, proof: [] } },
    { detected_at: "2026-02-30T23:59:60.123456789Z" },
    { detected_at: "2026-13-01T00:00:00Z" },
    { detected_at: "2026-01-01T00:00:00+00:00" },
    { source_a: "\u2028" },
    { source_a: "\u{1F4DC}".repeat(256) },
    { source_a: "\u{1F4DC}".repeat(257) },
    { evidence_id: record.evidence_id.toUpperCase() },
    { key_id: "cd2429b8" },
    { more: "members" },
    noted(`${a.note}— witness.example AAAAAAAA\n`),
    noted(`${a.note}— ${record.log.origin} ?\n`),
    noted(`${a.note}${line}`),
    noted(`${a.note}${wrong}`),
    noted(`${a.note}witness.example AAAAAAAA\n`),
    noted(a.note.replace("\n\n", "\n\n\n")),
    noted(`${a.note}\n— witness.example AAAAAAAA\n`),
    noted(a.note.slice(0, -1)),
  ];
  for (const change of changed) yield canonicalize({ ...record, ...change } as typeof record);
}

pythonTest(
  "client: it says of records what the program says, for all sizes up to 9",
  async (folder) => {
    const { a, b } = await twoStories({ common: 0, size: 9 });
    const lines: string[] = [];
    for (let to = 2n; to <= 9n; to++) {
      for (let from = 1n; from < to; from++) {
        const record = await recordAcross({ older: a, newer: b, sizes: [from, to] });
        lines.push(...variants(record), await withoutContradiction(record, b, [from, to]));
      }
    }
    const ours = lines.map((input) => {
      const { outcome, record } = verifyConflict({ input, log: a.log });
      return outcome === "holds" ? `evidence_id ${record!.evidence_id}` : "refused";
    });
    const file = put(folder, "records.jsonl", lines.map((line) => `${line}\n`).join(""));
    const theirs = (await printed("verdicts", a.log.vkey.text, file))
      .map((line) => line.startsWith("refused: ") ? "refused" : line);
    const differing = lines.flatMap((line, i) =>
      ours[i] === theirs[i] ? [] : [`${ours[i]} / ${theirs[i]}: ${line}`]
    );
    assertEquals(differing, []);
    assertEquals(theirs.length, 36 * 32);
    // Of each record these hold: two spellings, the halves in the other order, the leap second of a
    // day that no month has, the long source, and the notes with lines of nobody or one line twice.
    // A proof of one hash is also its own reverse.
    const holding = ours.filter((said) => said !== "refused").length;
    assert(holding >= 36 * 8 && holding <= 36 * 9, `${holding} hold`);
  },
);
