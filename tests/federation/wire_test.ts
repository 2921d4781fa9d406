import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MAX_ENTRY_BYTES } from "../../src/evidence/entry.ts";
import {
  formatOrigin,
  formatProblem,
  formatProofQuery,
  formatProvenHead,
  formatPush,
  formatPushed,
  formatRecords,
  formatRecordsQuery,
  formatStatus,
  isStaticFile,
  leafOf,
  MAX_BUNDLED_BYTES,
  mirrorId,
  parseMirrorPath,
  parseOrigin,
  parseProblem,
  parseProofQuery,
  parseProvenHead,
  parsePush,
  parsePushed,
  parseRecords,
  parseRecordsQuery,
  parseStatus,
} from "../../src/federation/wire.ts";
import { MAX_TREE_SIZE, utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { linesOf } from "./journals.ts";

const HASH = new Uint8Array(32).fill(7);
const HASH_64 = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const NOTE = "monitor.invalid/ada/incidents\n5\nroot\n\n— monitor.invalid/ada sig\n";

function refused(read: () => unknown, message: string): void {
  assertThrows(read, MalformedError, message);
}

Deno.test("origin: NAME/incidents, and with an epoch; nothing else is this monitor's", () => {
  const name = "monitor.invalid/ada";
  for (const epoch of [undefined, 1n, 1_795_862_400n, MAX_TREE_SIZE]) {
    const origin = formatOrigin({ name, epoch });
    assertEquals(parseOrigin(origin, name)?.epoch, epoch);
    assertEquals(parseOrigin(origin, name) !== undefined, true);
    assertEquals(parseOrigin(origin, "monitor.invalid/ber"), undefined);
  }
  for (const end of ["", "/incidents/", "/incidents/0", "/incidents/01", "/incidents/1/2", "/x"]) {
    assertEquals(parseOrigin(name + end, name), undefined, end);
  }
});

Deno.test("mirror id: SHA-256 of the first origin, in hex", () => {
  // printf 'monitor.invalid/ada/incidents' | sha256sum
  const wanted = "e7b9b381dd3ef25271d866d04f22f0dc6b253250acb326597835d1bb134df804";
  assertEquals(mirrorId("monitor.invalid/ada"), wanted);
});

Deno.test("leaf: a line of at most 65,535 bytes is its own leaf; a longer one must begin with its hash", () => {
  const short = new Uint8Array(MAX_BUNDLED_BYTES).fill(120);
  assertEquals(leafOf(short), short);
  const [line] = linesOf(1, { padding: () => 70_000 }).bytes;
  const hash = JSON.parse(new TextDecoder().decode(line!)).hash;
  assertEquals(leafOf(line!), utf8(`hearsay/incident-hash/v1\n${hash}\n`));
  refused(
    () => leafOf(new Uint8Array(MAX_BUNDLED_BYTES + 1).fill(120)),
    'an entry begins with "xxx',
  );
});

Deno.test("status: what is written is read again, and anything malformed is refused", () => {
  const status = { origin: "a/incidents", treeSize: 5n, rootHash: HASH, checkpoint: NOTE };
  const body = formatStatus(status);
  assertEquals(parseStatus(utf8(body)), status);
  assertEquals(JSON.parse(body), {
    ...{ origin: "a/incidents", size: "5", root: HASH_64, checkpoint: NOTE },
  });
  const changed = (from: string, to: string) => () => parseStatus(utf8(body.replace(from, to)));
  refused(changed('"5"', "5"), "size is 5, expected a text");
  refused(changed('"5"', '"05"'), 'size: tree size is "05"');
  refused(changed('"5"', '"-5"'), 'size: tree size is "-5"');
  refused(changed(HASH_64, HASH_64.slice(4)), "root: ");
  refused(changed(HASH_64, "BwcH"), 'root: hash is "BwcH", expected base64 of 32 bytes');
  refused(changed('"origin"', '"Origin"'), "origin is missing");
  refused(changed('"size":"5"', '"size":"5","size":"6"'), "every JSON member once");
  refused(() => parseStatus(utf8("[]")), "one JSON object");
  refused(() => parseStatus(new Uint8Array(3_000_000).fill(32)), "at most 2097152");
  refused(() => parseStatus(Uint8Array.of(0xff)), "UTF-8");
  refused(() => parseStatus(utf8(`{"a":${"[".repeat(50)}${"]".repeat(50)}}`)), "nested at most");
});

Deno.test("head with its proof: written and read; no more than 64 hashes", () => {
  for (const proof of [[], [HASH], Array(64).fill(HASH)]) {
    const head = { oldSize: 3n, checkpoint: NOTE, proof };
    assertEquals(parseProvenHead(utf8(formatProvenHead(head))), head);
  }
  const many = { oldSize: 3n, checkpoint: NOTE, proof: Array(65).fill(HASH) };
  refused(() => parseProvenHead(utf8(formatProvenHead(many))), "65 hashes, expected at most 64");
  const text = formatProvenHead({ oldSize: 3n, checkpoint: NOTE, proof: [HASH] });
  refused(() => parseProvenHead(utf8(text.replace(HASH_64, "Bw=="))), 'proof[0]: hash is "Bw=="');
  refused(() => parseProvenHead(utf8(text.replace('"3"', '"x"'))), 'old_size: tree size is "x"');
});

Deno.test("queries: each member once, decimals without leading zeros, nothing else", () => {
  const query = { start: 12n, count: 1_000n };
  assertEquals(parseRecordsQuery(formatRecordsQuery(query)), query);
  assertEquals(parseRecordsQuery("count=1&start=0"), { start: 0n, count: 1n });
  assertEquals(parseProofQuery(formatProofQuery(7n)), 7n);
  const wrong = [
    ...["", "start=1", "count=1", "start=1&count=0", "start=01&count=1", "start=1&count=1&start=1"],
    ...[
      "start=1&count=1&x=1",
      "start=+1&count=1",
      "start=%31&count=1",
      "start=1&count=1&",
      "start",
    ],
    ...[`start=${MAX_TREE_SIZE + 1n}&count=1`, "start=1&count=1e3", "start=-1&count=1"],
  ];
  for (const search of wrong) refused(() => parseRecordsQuery(search), "");
  for (const search of ["", "old_size=", "old_size=1&old_size=1", "oldsize=1"]) {
    refused(() => parseProofQuery(search), "");
  }
});

Deno.test("records: lines that are empty, too long or without an end are refused", () => {
  const lines = ["{}", "a", "x".repeat(70_000)].map(utf8);
  assertEquals(parseRecords(formatRecords(lines)), lines);
  assertEquals(parseRecords(new Uint8Array(0)), []);
  refused(() => parseRecords(utf8("a\n\nb\n")), "record 2 is empty");
  refused(() => parseRecords(utf8("a\nb")), "record 2 has no newline");
  const long = new Uint8Array(MAX_ENTRY_BYTES + 1).fill(120);
  long[MAX_ENTRY_BYTES] = 10;
  refused(() => parseRecords(long), `expected less than ${MAX_ENTRY_BYTES}`);
  assertEquals(parseRecords(long.subarray(1))[0]!.length, MAX_ENTRY_BYTES - 1);
});

Deno.test("push: a head and lines; any bytes are read or refused, and never fail otherwise", () => {
  const push = { oldSize: 2n, checkpoint: NOTE, proof: [HASH], lines: [utf8("{}"), utf8("b")] };
  const body = formatPush(push);
  assertEquals(parsePush(body), push);
  refused(() => parsePush(utf8("{}")), "the first line has no newline");
  refused(() => parsePush(utf8("{}\n")), "the first line: old_size is missing");
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(255), fc.nat(body.length), (at, byte, end) => {
      const changed = body.slice(0, end);
      if (at < end) changed[at] = byte;
      try {
        parsePush(changed);
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("answers: the size that a mirror holds, and a problem document with and without it", () => {
  assertEquals(parsePushed(utf8(formatPushed(12n))), 12n);
  refused(() => parsePushed(utf8('{"size":12}')), "size is 12");
  const problem = { status: 409, type: "urn:x", title: "t", detail: "d" };
  assertEquals(parseProblem(utf8(formatProblem(problem))), problem);
  assertEquals(parseProblem(utf8(formatProblem({ ...problem, size: 3n }))), {
    ...problem,
    size: 3n,
  });
  assertEquals(
    JSON.parse(formatProblem({ ...problem, detail: "\u001b[2J\u202e" })).detail,
    "\\u{1b}[2J\\u{202e}",
  );
  refused(
    () => parseProblem(utf8('{"type":"a","title":"b","status":9,"detail":"d"}')),
    "status is 9",
  );
});

Deno.test("paths: static files in their one spelling, and mirrors of them", () => {
  const id = "a".repeat(64);
  const good = [
    "checkpoint",
    "tile/0/000",
    "tile/0/000.p/255",
    "tile/entries/x001/x234/067",
    "tile/3/000.p/1",
  ];
  for (const path of good) {
    assertEquals(isStaticFile(path), true, path);
    assertEquals(parseMirrorPath(`mirrors/${id}/${path}`), { id, file: path });
  }
  const bad = [
    ...["", "/checkpoint", "checkpoint/", "tile/0/0", "tile/0/000.p/256", "tile/0/000.p/0"],
    ...["tile/00/000", "tile/0/x000/000", "tile/0/000.p/01", "tile/../checkpoint", "tile/-1/000"],
    ...["tile/entries/", "tile/data/000", "tile/0/1000", "tile/0/000.p/", "tile/64x/000"],
  ];
  for (const path of bad) {
    assertEquals(isStaticFile(path), false, path);
    assertEquals(parseMirrorPath(`mirrors/${id}/${path}`), undefined, path);
  }
  assertEquals(parseMirrorPath(`mirrors/${"A".repeat(64)}/checkpoint`), undefined);
  assertEquals(parseMirrorPath(`mirrors/${id.slice(1)}/checkpoint`), undefined);
});
