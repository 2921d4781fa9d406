import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Gate, MAX_PUSHES_AT_ONCE, MAX_PUSHES_OF_ADDRESS } from "../../src/federation/gate.ts";
import type { ServedJournals } from "../../src/federation/served.ts";
import {
  formatPush,
  MAX_PUSH_BYTES,
  mirrorId,
  parseProblem,
  parseProvenHead,
  parsePushed,
  parseRecords,
  parseStatus,
  type Push,
  type PushOutcome,
} from "../../src/federation/wire.ts";
import { EMPTY_ROOT } from "../../src/tlog/hashing.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { verifyConsistency } from "../../src/tlog/proof.ts";
import { answerFederation } from "../../src/web/federation_server.ts";
import { HTTP_SERVER_LIMITS, serveHttp } from "../../src/world/http_server.ts";
import { type HttpAnswer, type HttpQuery, WorldError } from "../../src/world/world.ts";
import { concatAll, linesOf, NAME, Publisher, stated } from "../federation/journals.ts";
import { readLog } from "../federation/reading.ts";
import { FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";

const ADDRESS = "192.0.2.1";
const LIMITS = { perSecondPerAddress: 1_000, perSecond: 10_000 };

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly search?: string;
  readonly from?: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A published journal, and what came of pushes. */
class Page {
  readonly publisher = new Publisher();
  readonly failures: unknown[] = [];
  readonly pushed: Push[] = [];
  outcome: PushOutcome | (() => Promise<PushOutcome>) = { status: 200, size: 7n };
  isMirroring = true;
  gate = new Gate({ clock: this.publisher.clock, limits: LIMITS });

  static async of(count: number): Promise<Page> {
    const page = new Page();
    page.publisher.put(linesOf(count));
    await page.publisher.start();
    return page;
  }

  get page(): ServedJournals {
    return {
      log: this.publisher.log,
      gate: this.gate,
      failed: (error) => this.failures.push(error),
      mirrors: () =>
        this.isMirroring
          ? {
            push: (push) => {
              this.pushed.push(push);
              return typeof this.outcome === "function"
                ? this.outcome()
                : Promise.resolve(this.outcome);
            },
            file: ({ id, file }) =>
              Promise.resolve(id === mirrorId("b") ? utf8(`${file} of b`) : undefined),
          }
          : undefined,
    };
  }

  ask(
    { path, method = "GET", search = "", from = ADDRESS, body = new Uint8Array(0), headers }: Asked,
  ): Promise<HttpAnswer> {
    const given = headers ?? { "content-length": `${body.length}` };
    const query: HttpQuery = {
      ...{ path, method, search, caller: { hostname: from, port: 50_000 } },
      header: (name) => given[name],
      content: () => Promise.resolve(body),
    };
    return answerFederation(query, this.page);
  }

  push(lines = 1, asked: Partial<Asked> = {}): Promise<HttpAnswer> {
    const body = formatPush({
      ...{ oldSize: 0n, checkpoint: "note\n", proof: [] },
      lines: linesOf(lines).bytes.map((line) => line.subarray(0, -1)),
    });
    return this.ask({ path: "/records", method: "POST", body, ...asked });
  }
}

function bodyOf({ body }: HttpAnswer): Uint8Array<ArrayBuffer> {
  return body ?? new Uint8Array(0);
}

/** Checks that an answer is a problem document, and gives its detail. */
function problemOf(answer: HttpAnswer, status: number): string {
  assertEquals(answer.status, status, new TextDecoder().decode(answer.body));
  assertEquals(answer.headers?.["content-type"], "application/problem+json");
  const problem = parseProblem(bodyOf(answer));
  assertEquals(problem.status, status);
  assertEquals(problem.type, `urn:hearsay:problem:${status}`);
  assert(problem.title.length > 0);
  assert(/^\P{Cc}*$/u.test(problem.detail));
  return problem.detail;
}

Deno.test("federation: status says under a signature what it says beside it", async () => {
  for (const count of [0, 5, 300]) {
    const page = await Page.of(count);
    const answer = await page.ask({ path: "/status" });
    assertEquals([answer.status, answer.headers?.["content-type"]], [200, "application/json"]);
    const { origin, treeSize, rootHash, checkpoint } = parseStatus(bodyOf(answer));
    assertEquals([origin, treeSize], [`${NAME}/incidents`, BigInt(count)]);
    assertEquals(stated(checkpoint).treeSize, treeSize);
    assertEquals(stated(checkpoint).root, rootHash.toBase64());
    if (count === 0) assertEquals(rootHash, EMPTY_ROOT);
  }
});

Deno.test("federation: records are the exact lines; an empty body at the end, 400 behind it", async () => {
  const page = await Page.of(5);
  const ask = (search: string) => page.ask({ path: "/records", search });
  const answer = await ask("start=1&count=3");
  assertEquals([answer.status, answer.headers?.["content-type"]], [200, "application/jsonl"]);
  assertEquals(bodyOf(answer), concatAll(page.publisher.lines.slice(1, 4)));
  assertEquals(parseRecords(bodyOf(answer)).length, 3);
  assertEquals(bodyOf(await ask("start=5&count=3")), new Uint8Array(0));
  assertStringIncludes(problemOf(await ask("start=6&count=3"), 400), "the size is 5");
  for (const search of ["", "start=0", "start=0&count=0", "start=-1&count=1", "start=a&count=1"]) {
    problemOf(await ask(search), 400);
  }
  problemOf(await ask(`start=${"9".repeat(5_000)}&count=1`), 400);
});

Deno.test("federation: the consistency proof leads from any older size to the head", async () => {
  const page = await Page.of(300);
  const newer = page.publisher.log.status();
  for (const older of [1n, 2n, 255n, 256n, 257n, 299n, 300n]) {
    const answer = await page.ask({ path: "/consistency-proof", search: `old_size=${older}` });
    const { oldSize, checkpoint, proof } = parseProvenHead(bodyOf(answer));
    assertEquals([oldSize, checkpoint], [older, newer.checkpoint]);
    const shorter = await Page.of(Number(older));
    assert(verifyConsistency({ older: shorter.publisher.log.status(), newer, proof }), `${older}`);
  }
  const same = await page.ask({ path: "/consistency-proof", search: "old_size=300" });
  assertEquals(parseProvenHead(bodyOf(same)).proof, []);
  problemOf(await page.ask({ path: "/consistency-proof", search: "old_size=301" }), 400);
  problemOf(await page.ask({ path: "/consistency-proof" }), 400);
});

Deno.test("federation: the static files are a log of C2SP tlog-tiles; no other file is there", async () => {
  const page = await Page.of(300);
  const { leaves } = await readLog(async (path) => {
    const answer = await page.ask({ path: `/${path}` });
    return answer.status === 200 ? bodyOf(answer) : undefined;
  });
  assertEquals(leaves.length, 300);
  const missing = [
    ...["/tile/0/002", "/tile/0/001.p/45", "/tile/1/000.p/2", "/tile/entries/001", "/tile/9/000"],
    ...["/tile/entries/x999/x999/x999/999", "/tile/63/000.p/1"],
  ];
  for (const path of missing) problemOf(await page.ask({ path }), 404);
  for (
    const path of ["/", "/x", "/checkpoint/", "/tile/0/../../key", "/mirrors/", "/%63heckpoint"]
  ) {
    problemOf(await page.ask({ path }), 404);
  }
  // A narrower one than any that was signed is part of it, too.
  assertEquals(bodyOf(await page.ask({ path: "/tile/0/001.p/44" })).length, 44 * 32);
  assertEquals(bodyOf(await page.ask({ path: "/tile/0/001.p/3" })).length, 3 * 32);
});

Deno.test("federation: mirrored journals have the same files under their name", async () => {
  const page = await Page.of(1);
  const [b, c] = [mirrorId("b"), mirrorId("c")];
  const text = async (path: string) =>
    new TextDecoder().decode(bodyOf(await page.ask({ path: `/mirrors/${path}` })));
  assertEquals(await text(`${b}/checkpoint`), "checkpoint of b");
  assertEquals(await text(`${b}/tile/0/000.p/1`), "tile/0/000.p/1 of b");
  problemOf(await page.ask({ path: `/mirrors/${c}/checkpoint` }), 404);
  problemOf(await page.ask({ path: `/mirrors/${b}/../x` }), 404);
  page.isMirroring = false;
  problemOf(await page.ask({ path: `/mirrors/${b}/checkpoint` }), 404);
});

Deno.test("federation: other methods are refused with those that are allowed", async () => {
  const page = await Page.of(1);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    for (const path of ["/status", "/checkpoint", "/tile/0/000.p/1", "/consistency-proof"]) {
      const answer = await page.ask({ path, method });
      problemOf(answer, 405);
      assertEquals(answer.headers?.allow, "GET, HEAD");
    }
  }
  const answer = await page.ask({ path: "/records", method: "PUT" });
  problemOf(answer, 405);
  assertEquals(answer.headers?.allow, "GET, HEAD, POST");
  assertEquals((await page.ask({ path: "/status", method: "HEAD" })).status, 200);
});

Deno.test("federation: what a mirror says of a push is told, with its reason", async () => {
  const page = await Page.of(0);
  const first = await page.push(3);
  assertEquals([first.status, parsePushed(bodyOf(first))], [200, 7n]);
  assertEquals(page.pushed[0]!.lines.length, 3);
  page.outcome = { status: 409, size: 12n, detail: "it holds 12" };
  const conflict = await page.push();
  assertEquals(problemOf(conflict, 409), "it holds 12");
  assertEquals(parseProblem(bodyOf(conflict)).size, 12n);
  for (const status of [400, 403, 422] as const) {
    page.outcome = { status, detail: `said \u001b[2J ${"x".repeat(2_000)}` };
    const detail = problemOf(await page.push(), status);
    assert(detail.startsWith("said \\u{1b}[2J x") && detail.length < 600);
  }
  for (const status of [429, 503] as const) {
    page.outcome = { status, detail: "later", retryAfterS: 9 };
    const answer = await page.push();
    problemOf(answer, status);
    assertEquals(answer.headers?.["retry-after"], "9");
  }
});

Deno.test("federation: a push without a length, too long, malformed or unwanted is not handed on", async () => {
  const page = await Page.of(0);
  problemOf(await page.push(1, { headers: {} }), 411);
  const length = `${MAX_PUSH_BYTES + 1}`;
  problemOf(await page.push(1, { headers: { "content-length": length } }), 413);
  for (const body of ["", "{}", "{}\n", "\n", "[]\nx\n", '{"checkpoint":1}\n', "\u{0}\n"]) {
    problemOf(await page.push(1, { body: utf8(body) }), 400);
  }
  problemOf(await page.push(1, { body: new Uint8Array(MAX_PUSH_BYTES).fill(0x5b) }), 400);
  page.isMirroring = false;
  problemOf(await page.push(), 403);
  assertEquals(page.pushed, []);
});

Deno.test("federation: no address takes more than its rate, nor all together theirs", async () => {
  const page = await Page.of(1);
  const { clock } = page.publisher;
  page.gate = new Gate({ clock, limits: { perSecondPerAddress: 3, perSecond: 5 } });
  const status = async (from: string) => (await page.ask({ path: "/status", from })).status;
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push(await status("192.0.2.1"));
  assertEquals(statuses, [200, 200, 200, 429]);
  assertEquals([await status("192.0.2.2"), await status("192.0.2.2")], [200, 200]);
  const refused = await page.ask({ path: "/status", from: "192.0.2.3" });
  problemOf(refused, 429);
  assertEquals(refused.headers?.["retry-after"], "1");
  clock.ms += 1_000;
  assertEquals(await status("192.0.2.3"), 200);
});

Deno.test("federation: whoever pushes what is refused pays for it", async () => {
  const page = await Page.of(1);
  const { clock } = page.publisher;
  page.gate = new Gate({ clock, limits: { perSecondPerAddress: 20, perSecond: 1_000 } });
  page.outcome = { status: 422, detail: "no" };
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await page.push()).status);
  assertEquals(statuses, [422, 422, 429, 429]);
  assertEquals((await page.push(1, { from: "192.0.2.9" })).status, 422);
});

Deno.test("federation: pushes at a time are few, and fewer of one address", async () => {
  const page = await Page.of(1);
  const { promise, resolve } = Promise.withResolvers<PushOutcome>();
  page.outcome = () => promise;
  const from = (address: number) => page.push(1, { from: `192.0.2.${address}` });
  const held = Array.from({ length: MAX_PUSHES_OF_ADDRESS }, () => from(1));
  problemOf(await from(1), 429);
  for (let i = MAX_PUSHES_OF_ADDRESS; i < MAX_PUSHES_AT_ONCE; i++) held.push(from(10 + i));
  problemOf(await from(99), 429);
  assertEquals((await page.ask({ path: "/status" })).status, 200);
  resolve({ status: 200, size: 1n });
  for (const answer of await Promise.all(held)) assertEquals(answer.status, 200);
  assertEquals((await from(99)).status, 200);
});

Deno.test("federation: if our own disk refuses, that is 503, told here, and no fault of the caller", async () => {
  const page = await Page.of(3);
  page.publisher.disk.fail({ at: 1, when: "before", lasting: true });
  const answer = await page.ask({ path: "/records", search: "start=0&count=3" });
  problemOf(answer, 503);
  assertEquals(page.failures.map((error) => error instanceof WorldError), [true]);
  page.publisher.disk.fail(undefined);
  assertEquals((await page.ask({ path: "/records", search: "start=0&count=3" })).status, 200);
});

Deno.test("federation: who sends its push slowly is closed, and holds up nobody", async () => {
  const page = await Page.of(3);
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const here = { hostname: "192.0.2.200", port: 80 };
  const server = serveHttp({
    ...{ listener: network.listen(here), clock, limits: HTTP_SERVER_LIMITS, onLack: () => {} },
    answer: (query) => answerFederation(query, page.page),
  });
  const head = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n{";
  const slow = [];
  for (let i = 0; i < MAX_PUSHES_AT_ONCE; i++) {
    const connection = await network.at(`192.0.2.${i + 1}`).connect(here, 1_000);
    await connection.write(utf8(head));
    slow.push(connection);
  }
  await settled();
  const ask = async (text: string): Promise<string> => {
    const connection = await network.at("192.0.2.99").connect(here, 1_000);
    await connection.write(utf8(text));
    await settled();
    const buffer = new Uint8Array(64 * 1024);
    const answer = new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer)));
    connection.close();
    return answer.slice(0, "HTTP/1.1 200".length);
  };
  assertEquals(await ask("GET /status HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200");
  const body = new TextDecoder().decode(formatPush({
    ...{ oldSize: 0n, checkpoint: "n", proof: [], lines: [] },
  }));
  const push = `POST /records HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  assertEquals(await ask(push), "HTTP/1.1 429");
  clock.advance(HTTP_SERVER_LIMITS.answerMs);
  await settled();
  assertEquals(await ask(push), "HTTP/1.1 200");
  for (const connection of slow) connection.close();
  await server.close();
});
