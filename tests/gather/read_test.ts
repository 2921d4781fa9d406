/** What readers find in files of each kind, and in broken ones. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { MAX_WHOLE_BYTES, readGathered, START_BYTES } from "../../src/gather/read.ts";
import { MAX_REPORTS } from "../../src/gather/go_fork.ts";
import { MAX_ENTRIES } from "../../src/gather/sigstore.ts";
import { mayHide } from "../../src/gather/found.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { buildRecord } from "../../src/evidence/record.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash, sha256 } from "../../src/tlog/hashing.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { checkpointOf, grow, newLog, proofOf, seenOf } from "../evidence/histories.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { READ_CHUNK_BYTES } from "../../src/world/reading.ts";
import type { OpenFile } from "../../src/world/world.ts";
import { fileOf } from "../world/helpers.ts";
import { formatProof } from "../tlog/stated_proofs.ts";
import { brief, readAll } from "./reading.ts";

/** A log with 9 entries and what it signed. */
async function stage() {
  const log = grow(await newLog(), 9);
  return { log, logs: [log.log], note: await log.checkpoint() };
}

const GO_FOUND = "go.sum database server misbehavior detected!";
const LINE = "path.invalid/m v1.0.0 h1:NSZPykBXJFCetGZykLAxaL6SIpvbVy/UFEniIfHAa8A=";

Deno.test("read: a Go lookup gives the signed head below its record", async () => {
  const { logs, note } = await stage();
  const { found, isKnown } = await readAll(`8\n${LINE}\n${LINE}\n\n${note}`, { logs });
  assertEquals([brief(found), isKnown, found[0]!.what], [["9"], true, "Go lookups"]);
});

Deno.test("read: a Go lookup that is cut short ends with a reason, wherever it is cut", async () => {
  const { logs, note } = await stage();
  const whole = `8\n${LINE}\n\n${note}`;
  for (let end = `8\n${LINE}\n`.length; end < whole.length; end++) {
    const { found, isKnown } = await readAll(whole.slice(0, end), { logs });
    assertEquals([brief(found), isKnown], [["malformed"], true], `cut at ${end}`);
  }
});

Deno.test("read: what is beyond the most reports, bundles or entries of one file is told", async () => {
  const { logs, bundle, note } = await entry();
  const [one] = bundle.verificationMaterial.tlogEntries;
  const times = <T>(most: number, more: number, of: (i: number) => T): T[] =>
    Array.from({ length: most + more }, (_, i) => of(i));
  const inclusionProof = { checkpoint: note };
  const kinds: [most: number, text: (more: number) => string][] = [
    [
      MAX_REPORTS,
      (more) => `old database:\n${times(MAX_REPORTS, more, () => `${GO_FOUND}\n`).join("")}`,
    ],
    [
      MAX_ENTRIES,
      (more) => JSON.stringify({ attestations: times(MAX_ENTRIES, more, () => bundle) }),
    ],
    [
      MAX_ENTRIES,
      (more) => {
        const verificationMaterial = { tlogEntries: times(MAX_ENTRIES, more, () => one) };
        return JSON.stringify({ ...bundle, verificationMaterial });
      },
    ],
    [
      MAX_ENTRIES,
      (more) => {
        const entries = times(MAX_ENTRIES, more, (i) => [
          i.toString(16).padStart(64, "0"),
          { verification: { inclusionProof } },
        ]);
        return JSON.stringify(Object.fromEntries(entries));
      },
    ],
  ];
  for (const [most, text] of kinds) {
    const all = (await readAll(text(0), { logs })).found;
    assert(all.length >= most);
    assert(!brief(all).includes("too large"));
    const { found } = await readAll(text(1), { logs });
    assertEquals(found.length, all.length + 1);
    assertEquals(brief(found).at(-1), "too large");
    const last = found.at(-1)!;
    assert(last.kind === "rejected" && mayHide(last));
  }
});

Deno.test("read: an entry of a bundle that is broken hides none of the others", async () => {
  const { logs, bundle } = await entry();
  const [one] = bundle.verificationMaterial.tlogEntries;
  const broken = {
    ...one,
    inclusionProof: { ...one!.inclusionProof, checkpoint: { envelope: 5 } },
  };
  for (
    const [tlogEntries, wanted] of [
      [[one, broken], ["5", "malformed"]],
      [[broken, one], ["malformed", "5"]],
    ]
  ) {
    const verificationMaterial = { tlogEntries };
    const { found } = await readAll(JSON.stringify({ ...bundle, verificationMaterial }), { logs });
    assertEquals(brief(found), wanted);
  }
  const listed = {
    attestations: [{ bundle }, { bundle: { ...bundle, verificationMaterial: { tlogEntries: 5 } } }],
  };
  assertEquals(brief((await readAll(JSON.stringify(listed), { logs })).found), ["5", "malformed"]);
});

/** An entry of a log, as a bundle has it. */
async function entry() {
  const body = utf8('{"kind":"hashedrekord"}');
  const tree = new Tree();
  const log = await newLog();
  for (let i = 0; i < 5; i++) {
    tree.append(leafHash(i === 3 ? body : utf8(`${i}`)));
    log.append(i === 3 ? '{"kind":"hashedrekord"}' : `${i}`);
  }
  const proof = tree.inclusionProof({ index: 3n, treeSize: 5n });
  return {
    logs: [log.log],
    proof,
    root: log.root(5n),
    note: await log.checkpoint(),
    bundle: {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        tlogEntries: [{
          logIndex: "100",
          inclusionProof: {
            ...{ logIndex: "3", treeSize: "5", rootHash: base64(log.root(5n)) },
            hashes: proof.map(base64),
            checkpoint: { envelope: await log.checkpoint() },
          },
          canonicalizedBody: base64(body),
        }],
      },
    },
  };
}

type Bundle = Awaited<ReturnType<typeof entry>>["bundle"];

Deno.test("read: a bundle gives its checkpoint, in one line, spread, in lines or in a list", async () => {
  const { logs, bundle } = await entry();
  const line = JSON.stringify(bundle);
  const old = JSON.stringify({
    ...bundle,
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
  });
  const forms: [string, string[]][] = [
    [line, ["5"]],
    [JSON.stringify(bundle, null, 2), ["5"]],
    [`${line}\n\n${old}\n`, ["5", "5"]],
    [JSON.stringify({ attestations: [{ bundle }, { bundle }] }), ["5", "5"]],
    [JSON.stringify({ predicateType: "x", bundle }), ["5"]],
    [`\u{FEFF}${line}`, ["5"]],
  ];
  for (const [text, sizes] of forms) {
    const { found, isKnown } = await readAll(text, { logs });
    assertEquals([brief(found), isKnown], [sizes, true], text.slice(0, 60));
    assert(found.every(({ what }) => what === "Sigstore bundles"));
  }
});

Deno.test("read: an inclusion proof that fails is told, and the checkpoint stands", async () => {
  const { logs, bundle } = await entry();
  const other = base64(sha256(utf8("x")));
  type Proof = Bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
  const spoils: ((proof: Proof) => unknown)[] = [
    (proof) => ({ ...proof, hashes: proof.hashes.with(1, other) }),
    (proof) => ({ ...proof, hashes: proof.hashes.slice(1) }),
    (proof) => ({ ...proof, hashes: [...proof.hashes, other] }),
    (proof) => ({ ...proof, hashes: proof.hashes.map(() => "x") }),
    (proof) => ({ ...proof, hashes: Array(1_000).fill(other) }),
    (proof) => ({ ...proof, hashes: "none" }),
    (proof) => ({ ...proof, logIndex: "2" }),
    (proof) => ({ ...proof, logIndex: "-1" }),
    (proof) => ({ ...proof, logIndex: "5" }),
    (proof) => ({ ...proof, rootHash: other }),
    (proof) => ({ ...proof, rootHash: undefined }),
    (proof) => ({ ...proof, treeSize: "6" }),
  ];
  const [one] = bundle.verificationMaterial.tlogEntries;
  const spoilt = [
    ...spoils.map((spoil) => ({ ...one, inclusionProof: spoil(one!.inclusionProof) })),
    { ...one, canonicalizedBody: base64(utf8("another")) },
    { ...one, canonicalizedBody: undefined },
  ];
  for (const entry of spoilt) {
    const text = JSON.stringify({ ...bundle, verificationMaterial: { tlogEntries: [entry] } });
    const { found } = await readAll(text, { logs, isNamed: true });
    assertEquals(brief(found), ["5", "failed inclusion"], text);
    const [, rejected] = found;
    assert(rejected?.kind === "rejected" && !mayHide(rejected));
    assertStringIncludes(rejected.detail, "says nothing against the log");
  }
});

Deno.test("read: a bundle without a checkpoint says so, and is nobody's fault", async () => {
  const { logs, bundle } = await entry();
  const [one] = bundle.verificationMaterial.tlogEntries;
  const { checkpoint: _, ...bare } = one!.inclusionProof;
  const materials = [
    {},
    { tlogEntries: [] },
    { tlogEntries: [{}] },
    { tlogEntries: [{ ...one, inclusionProof: bare }] },
    { tlogEntries: [{ ...one, inclusionProof: { ...bare, checkpoint: { envelope: "" } } }] },
  ];
  for (const verificationMaterial of materials) {
    const { found } = await readAll(JSON.stringify({ ...bundle, verificationMaterial }), { logs });
    assertEquals(brief(found), ["no checkpoint"]);
  }
  const attached = [
    { base64Signature: "x", cert: "y", rekorBundle: { SignedEntryTimestamp: "", Payload: {} } },
    { SignedEntryTimestamp: "", Payload: { body: "", integratedTime: 1, logIndex: 1, logID: "" } },
  ];
  for (const object of attached) {
    assertEquals(brief((await readAll(JSON.stringify(object), { logs })).found), ["no checkpoint"]);
  }
});

Deno.test("read: an entry of Rekor's API has its hashes in hex", async () => {
  const { logs, proof, root, note, bundle } = await entry();
  const body = bundle.verificationMaterial.tlogEntries[0]!.canonicalizedBody;
  const entryOf = (hashes: readonly string[]) => ({
    ["24296fb24b8ad77a".padEnd(80, "0")]: {
      body,
      verification: {
        inclusionProof: {
          ...{ checkpoint: note, hashes, logIndex: 3, rootHash: encodeHex(root), treeSize: 5 },
        },
      },
    },
  });
  const good = await readAll(JSON.stringify(entryOf(proof.map(encodeHex))), { logs });
  assertEquals([brief(good.found), good.found[0]!.what], [["5"], "Rekor entries"]);
  const wrong = await readAll(JSON.stringify(entryOf(proof.map(base64))), { logs });
  assertEquals(brief(wrong.found), ["5", "failed inclusion"]);
});

Deno.test("read: broken JSON that was a bundle ends with a reason, other broken JSON is passed", async () => {
  const { logs, bundle } = await entry();
  for (const text of [JSON.stringify(bundle), JSON.stringify(bundle, null, 2)]) {
    const cut = await readAll(text.slice(0, -20), { logs });
    assertEquals([brief(cut.found), cut.isKnown], [["malformed"], true]);
  }
  for (const text of ["{", "{ not json", '{"a": 1', '{"name": "x"}', '{"note": 5}', "{}\n{}\n"]) {
    assertEquals(await readAll(text, { logs }), { found: [], isKnown: false }, text);
    const named = await readAll(text, { logs, isNamed: true });
    assert(named.found.every((one) => one.kind === "rejected" && mayHide(one)), text);
    assert(named.found.length > 0);
  }
});

Deno.test("read: records and journal entries give their notes and their proof", async () => {
  const a = grow(await newLog(), 4);
  const b = a.fork();
  grow(a, 9, "a");
  grow(b, 6, "b");
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(a, 9), "lima");
  detector.observe(await checkpointOf(b, 6), "berlin");
  detector.observeProof(proofOf(a, { older: 6, newer: 9 }));
  const [conflict] = detector.conflicts();
  const record = buildRecord({ conflict: conflict!, detectedAt: "2026-11-28T12:00:00Z" });
  const entry = { seq: 1, recorded_at: "", record, prev_hash: "", hash: "" };
  for (const object of [record, entry]) {
    const { found } = await readAll(JSON.stringify(object), { logs: [a.log] });
    assertEquals(brief(found), ["6", "9", "proof"]);
    const again = new EquivocationDetector();
    for (const one of found) {
      if (one.kind === "checkpoint") again.observe(one.checkpoints[0]!, one.source);
      if (one.kind === "proof") again.observeProof(one.read());
    }
    assertEquals(again.conflicts().map(({ kind }) => kind), ["cross_size"]);
  }
});

Deno.test("read: the note of an observation is read, whole or shortened", async () => {
  const { log, logs, note } = await stage();
  const { checkpoint: { root } } = await seenOf(log, 9, "x");
  const head = { seq: 2, recorded_at: "", prev_hash: "", hash: "" };
  const observation = {
    log: "test.invalid/log+abc",
    via: "poll",
    source: "a peer",
    result: "first",
  };
  const records: [unknown, string[]][] = [
    [{ ...observation, checkpoint: { size: "9", root, note } }, ["9"]],
    [{ ...observation, checkpoint: note }, ["9"]],
    [observation, []],
    ["nothing", []],
  ];
  for (const [record, sizes] of records) {
    const { found, isKnown } = await readAll(JSON.stringify({ ...head, record }), { logs });
    assertEquals([brief(found), isKnown], [sizes, true]);
  }
});

Deno.test("read: gathered lines of all three kinds are read in a folder too", async () => {
  const { log, logs, note } = await stage();
  const lines = [
    JSON.stringify({ note, source: "lima" }),
    JSON.stringify({ frame: encodeHex((await checkpointOf(log, 5)).frame) }),
    formatProof(proofOf(log, { older: 5, newer: 9 })),
    "broken",
  ];
  const { found } = await readAll(lines.join("\n"), { logs });
  assertEquals(brief(found), ["9", "5", "proof", "malformed"]);
});

Deno.test("read: frames in a folder are told by their signature, and other binaries are passed", async () => {
  const { log, logs } = await stage();
  const { frame } = await checkpointOf(log, 9);
  const zero = new Uint8Array(104);
  const frames = new Uint8Array([...zero, ...frame, ...frame]);
  assertEquals(brief((await readAll(frames, { logs })).found), ["9", "9"]);
  const wrong = frame.slice();
  wrong[50]! ^= 1;
  for (const binary of [wrong, frame.slice(1), new Uint8Array([...frame, 0]), zero]) {
    assertEquals(await readAll(binary, { logs }), { found: [], isKnown: false });
  }
});

Deno.test("read: text in a folder that is no checkpoint is passed over", async () => {
  const { logs } = await stage();
  const texts = [
    "",
    "hello\n",
    "a\nb\nc\n",
    "# README\n\n— not a note\n",
    "origin\n5\nshort=\n\n— x y\n",
  ];
  for (const text of texts) {
    assertEquals(await readAll(text, { logs }), { found: [], isKnown: false }, text);
  }
});

Deno.test("read: a note that was cut off after its root is told in a folder", async () => {
  const { logs, note } = await stage();
  const { found, isKnown } = await readAll(note.slice(0, note.indexOf("\n\n") + 1), { logs });
  assertEquals([brief(found), isKnown], [["malformed"], true]);
});

Deno.test("read: a file is read whole up to the limit, and no further", async () => {
  const { logs, note } = await stage();
  const extra = JSON.stringify({ verificationMaterial: {}, filler: "" }, null, 1);
  const filled = (length: number) => extra.replace('""', `"${"x".repeat(length - extra.length)}"`);
  const atLimit = await readAll(filled(MAX_WHOLE_BYTES), { logs });
  assertEquals(brief(atLimit.found), ["no checkpoint"]);
  const beyond = await readAll(filled(MAX_WHOLE_BYTES + 1), { logs });
  assertEquals(brief(beyond.found), ["too large"]);
  const lookup = `8\n${LINE}\n`;
  const long = lookup + `${LINE}\n`.repeat(Math.ceil(MAX_WHOLE_BYTES / LINE.length)) + "\n" + note;
  assertEquals(brief((await readAll(long, { logs })).found), ["too large"]);
  const longer = lookup + `${LINE}\n`.repeat(Math.ceil(START_BYTES / LINE.length)) + "\n" + note;
  assertEquals(brief((await readAll(longer, { logs })).found), ["9"]);
});

Deno.test("read: a tlog-proof gives its checkpoint, if its own lines are right", async () => {
  const { logs, note } = await stage();
  const hash = base64(sha256(utf8("x")));
  const first = "c2sp.org/tlog-proof@v1\n";
  const good = [
    `${first}index 3\n\n${note}`,
    `${first}extra YWJj\nindex 0\n${hash}\n${hash}\n\n${note}`,
  ];
  for (const text of good) {
    const { found } = await readAll(text, { logs });
    assertEquals([brief(found), found[0]!.what], [["9"], "tlog-proofs"]);
  }
  const bad = [
    `${first}\n${note}`,
    `${first}index -1\n\n${note}`,
    `${first}index 03\n\n${note}`,
    `${first}extra ===\nindex 3\n\n${note}`,
    `${first}index 3\nYWJj\n\n${note}`,
    `${first}index 3\n${`${hash}\n`.repeat(65)}\n${note}`,
    `${first}index 3\n${note.replace("\n\n", "\n")}`,
  ];
  for (const text of bad) {
    assertEquals(brief((await readAll(text, { logs })).found), ["malformed"], text);
  }
});

Deno.test("read: of a line without end in a file that nobody named, only the start is read", async () => {
  const { logs, note } = await stage();
  for (const start of ["{", '{"a": ', `${JSON.stringify({ note })}\n{`]) {
    let furthest = 0;
    const head = utf8(start);
    const endless: OpenFile = {
      ...fileOf(head).file,
      size: () => Promise.resolve(2 ** 40),
      read(buffer, at) {
        furthest = Math.max(furthest, at + buffer.length);
        if (furthest > 2 * MAX_WHOLE_BYTES) return Promise.reject(new Error("it reads on"));
        buffer.fill(0x20);
        buffer.set(head.subarray(at, at + buffer.length));
        return Promise.resolve(buffer.length);
      },
    };
    const reading = readGathered({ file: endless, name: "endless", logs, isNamed: false });
    const found = (await Array.fromAsync(reading)).flat();
    assertEquals(brief(found), start.includes("\n") ? ["9", "malformed"] : []);
    assert(furthest > MAX_WHOLE_BYTES);
  }
});

Deno.test("read: frames are read on over some zero frames, and not over zeros without end", async () => {
  const { log, logs } = await stage();
  const { frame } = await checkpointOf(log);
  const zeros = new Uint8Array(FRAME_BYTES * 1_000);
  const some = await readAll(concat([frame, zeros, frame]), { logs });
  assertEquals(brief(some.found), ["9", "9"]);
  const many = new Uint8Array(2 * READ_CHUNK_BYTES);
  for (const isNamed of [true, false]) {
    const { found } = await readAll(concat([frame, many, many]).slice(0, FRAME_BYTES * 9_000), {
      ...{ logs, isNamed },
    });
    assertEquals(brief(found), ["9", "too large"]);
    const [, last] = found;
    assert(last?.kind === "rejected" && mayHide(last));
    assert(last.bytesRead <= 3 * READ_CHUNK_BYTES);
  }
});
