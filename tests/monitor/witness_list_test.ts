/** A daemon that is a witness and fetches its list of logs. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { LIST_FILE, LIST_MS } from "../../src/monitor/list_follower.ts";
import { MAX_LIST_BYTES } from "../../src/authority/log_list.ts";
import { type HttpRequest, WorldError } from "../../src/world/world.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { ED25519_KEY } from "../authority/stage.ts";
import { type Answer, fakeWorld } from "../sources/fake_http.ts";
import { Host, HOUR, MINUTE, STATE, type Told } from "./hosts.ts";

const URL = "https://lists.example/10qps.1";
const CALLER = "192.0.2.7";
const [one, two] = await Promise.all([
  PushingLog.named("log.invalid/1"),
  PushingLog.named("log.invalid/2"),
]);

function listOf(...logs: readonly (readonly [PushingLog, number])[]): string {
  return `logs/v0\n${
    logs.map(([{ log }, qpd]) => `vkey ${log.vkey.text}\nqpd ${qpd}\ncontact nobody\n`).join("")
  }`;
}

/** A host whose daemons fetch from a server that tests change, and are stopped at the end. */
class ListHost implements AsyncDisposable {
  answer: Answer | undefined = { body: listOf([one, 100]) };
  requests: readonly HttpRequest[] = [];
  constructor(readonly host: Host) {
    const { world, requests } = fakeWorld(() => {
      if (this.answer === undefined) throw new WorldError("other", "network is unreachable");
      return this.answer;
    });
    host.http = world.http;
    this.requests = requests;
  }

  static async make(): Promise<ListHost> {
    return new ListHost(await Host.make());
  }

  async start(list = URL): Promise<void> {
    await this.host.start({ logs: [], witness: { keys: [ED25519_KEY], pushed: [], list } });
  }

  async push(log: PushingLog, old: bigint, size: bigint) {
    const { witness } = this.host.daemon!.witnessing!;
    return await witness.addCheckpoint(await log.request({ old, size }), CALLER);
  }

  told(name: string): Told[] {
    return this.host.told.filter((told) => told.name === name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.stop();
  }
}

Deno.test("witness list: it is fetched at the start, and its logs are cosigned", async () => {
  await using it = await ListHost.make();
  await it.start();
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
  assertEquals((await it.push(two, 0n, 5n)).status, 404);
  assertEquals(it.told("witness.list").map(({ level, fields }) => [level, fields.logs]), [[
    "info",
    1,
  ]]);
  assertEquals(it.host.daemon!.status().witness!.list!.url, URL);
  assertEquals(it.requests[0]!.maxBytes, MAX_LIST_BYTES);
});

Deno.test("witness list: it is fetched again each hour; what is new counts, what is gone does not", async () => {
  await using it = await ListHost.make();
  await it.start();
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
  it.answer = { body: listOf([two, 100]) };
  await it.host.pass(LIST_MS - 2 * MINUTE);
  assertEquals([it.requests.length, (await it.push(two, 0n, 5n)).status], [1, 404]);
  await it.host.pass(3 * MINUTE);
  assertEquals(it.requests.length, 2);
  assertEquals((await it.push(two, 0n, 5n)).status, 200);
  assertEquals((await it.push(one, 5n, 9n)).status, 404);
  // It comes back, and what was cosigned is not forgotten.
  it.answer = { body: listOf([one, 100]) };
  await it.host.pass(HOUR + MINUTE);
  assertEquals(await it.push(one, 0n, 9n), { status: 409, size: 5n });
  assertEquals(it.told("witness.list").length, 3);
});

Deno.test("witness list: the same list is taken up and told once", async () => {
  await using it = await ListHost.make();
  await it.start();
  await it.host.pass(5 * HOUR);
  assert(it.requests.length >= 4);
  assertEquals(it.told("witness.list").length, 1);
});

Deno.test("witness list: a case about a listed log counts, after a restart too, while the list names it", async () => {
  await using it = await ListHost.make();
  await it.start();
  const { host } = it;
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
  const { witness } = host.daemon!.witnessing!;
  const forked = await one.request({ old: 5n, size: 5n, history: 1, proof: [] });
  assertEquals((await witness.addCheckpoint(forked, CALLER)).status, 422);
  for (const _ of ["now", "after a restart"]) {
    const { incidents, witness } = host.daemon!.status();
    assertEquals([incidents, witness!.listedCases, host.daemon!.casesHeld], [1, 1, 1]);
    await host.stop();
    await it.start();
  }
  it.answer = { body: listOf([two, 100]) };
  await host.pass(2 * HOUR);
  assertEquals([host.daemon!.status().incidents, host.daemon!.casesHeld], [0, 0]);
  assertEquals((await host.records()).length, 1, "it stays in the journal");
});

const USELESS: readonly [what: string, answer: Answer | undefined][] = [
  ["no network", undefined],
  ["HTTP status 500", { status: 500 }],
  ["HTTP status 404", { status: 404 }],
  ["a page", { body: "<html>logs/v0</html>\n" }],
  ["bytes that are no text", { body: Uint8Array.of(0xff, 0xfe, 0, 1) }],
  ["nothing", { body: "" }],
  ["more than is read", { body: "#".repeat(MAX_LIST_BYTES + 1) }],
];

for (const [what, answer] of USELESS) {
  Deno.test(`witness list: with ${what} the last good list stays in use, after a restart too, and is told`, async () => {
    await using it = await ListHost.make();
    await it.start();
    it.answer = answer;
    await it.host.pass(2 * HOUR);
    assertEquals((await it.push(one, 0n, 5n)).status, 200);
    const [told, ...more] = it.told("witness.list_unavailable");
    assertEquals([told!.level, more], ["warning", []]);
    assertMatch(String(told!.fields.detail), /^the copy that was fetched at \S+ stays in use$/);
    await it.host.stop();
    it.host.told.length = 0;
    await it.start();
    assertEquals((await it.push(one, 5n, 6n)).status, 200);
    assertMatch(
      String(it.told("witness.list")[0]!.fields.detail),
      /^this is the copy that was fetched/,
    );
    const { list } = it.host.daemon!.status().witness!;
    assert(list!.at !== undefined && list!.problem !== undefined);
    // It is tried again long before the hour is over.
    it.answer = { body: listOf([two, 100]) };
    await it.host.pass(10 * MINUTE);
    assertEquals((await it.push(two, 0n, 5n)).status, 200);
    assertEquals(it.host.daemon!.status().witness!.list!.problem, undefined);
  });
}

Deno.test("witness list: without a list and without a copy it starts, and says that it knows no log", async () => {
  await using it = await ListHost.make();
  it.answer = undefined;
  await it.start();
  const [{ fields }] = it.told("witness.list_unavailable") as [Told];
  assertMatch(String(fields.detail), /^none of its logs is known yet/);
  assertEquals((await it.push(one, 0n, 5n)).status, 404);
  it.answer = { body: listOf([one, 100]) };
  await it.host.pass(5 * MINUTE);
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
});

Deno.test("witness list: the copy of another list, or a spoilt one, is not used", async () => {
  await using it = await ListHost.make();
  await it.start();
  await it.host.stop();
  it.answer = undefined;
  await it.start("https://lists.example/other");
  assertEquals((await it.push(one, 0n, 5n)).status, 404);
  await it.host.stop();
  const path = `${STATE}/${LIST_FILE}`;
  const copy = it.host.disk.bytes(path)!;
  for (
    const bad of [
      copy.slice(1),
      copy.slice(copy.indexOf(0x0a) + 1),
      new Uint8Array(9),
      copy.slice(0, 60),
    ]
  ) {
    it.host.disk.put(path, bad);
    await it.start();
    assertEquals((await it.push(one, 0n, 5n)).status, 404);
    await it.host.stop();
  }
  it.host.disk.put(path, copy);
  await it.start();
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
});

Deno.test("witness list: what is left out of it is told, and the others count", async () => {
  await using it = await ListHost.make();
  it.answer = { body: listOf([one, 100], [one, 7], [two, 0]) };
  await it.start();
  const [{ level, fields }] = it.told("witness.list") as [Told];
  assertEquals([level, fields.logs, fields.left_out], ["warning", 1, 2]);
  assertMatch(
    String(fields.detail),
    /^line 5: the origin .* is listed before.*; line 8: qpd is "0"/,
  );
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
});

Deno.test("witness list: qpd is how much a log may ask in a day, and 429 says when to come again", async () => {
  await using it = await ListHost.make();
  it.answer = { body: listOf([one, 3], [two, 100]) };
  await it.start();
  for (let size = 0n; size < 3n; size++) {
    assertEquals((await it.push(one, size, size + 1n)).status, 200);
  }
  const more = await it.push(one, 3n, 4n);
  assert(more.status === 429);
  assertEquals(more.retryAfterS, 8 * 3_600);
  assertMatch(more.problem, /than the 3 requests a day that the list of logs gives it/);
  assertEquals((await it.push(two, 0n, 1n)).status, 200);
  await it.host.pass(4 * HOUR);
  assertEquals((await it.push(one, 3n, 4n)).status, 429);
  await it.host.pass(4 * HOUR);
  assertEquals((await it.push(one, 3n, 4n)).status, 200);
  assertEquals((await it.push(one, 4n, 5n)).status, 429);
  // Another rate counts as soon as it is listed.
  it.answer = { body: listOf([one, 86_400], [two, 100]) };
  await it.host.pass(2 * HOUR);
  assertEquals((await it.push(one, 4n, 5n)).status, 200);
});

Deno.test("witness list: a log of the configuration has no rate of the list", async () => {
  await using it = await ListHost.make();
  it.answer = { body: listOf([one, 1]) };
  await it.host.start({
    logs: [],
    witness: { keys: [ED25519_KEY], pushed: [one.log], list: URL },
  });
  for (let size = 0n; size < 3n; size++) {
    assertEquals((await it.push(one, size, size + 1n)).status, 200);
  }
});

Deno.test("witness list: a disk that refuses the copy is told, and the list is used", async () => {
  await using it = await ListHost.make();
  const { files } = it.host;
  it.host.files = {
    ...files,
    create(path, permissions) {
      if (path.includes(LIST_FILE)) throw new WorldError("other", "no space left");
      return files.create(path, permissions);
    },
  };
  await it.start();
  assertEquals((await it.push(one, 0n, 5n)).status, 200);
  assertMatch(String(it.host.refusals[0]), /no space left/);
});

Deno.test("witness list: a server that does not answer keeps no daemon from ending", async () => {
  await using it = await ListHost.make();
  it.host.http = { ...it.host.http, request: () => new Promise(() => {}) };
  await it.start();
  const { daemon } = it.host;
  await it.host.stop({ withinMs: 1 });
  await daemon!.close();
});

Deno.test("witness list: a reload fetches it at once", async () => {
  await using it = await ListHost.make();
  await it.start();
  it.answer = { body: listOf([two, 100]) };
  await it.host.reload({ logs: [], witness: { keys: [ED25519_KEY], pushed: [], list: URL } });
  assertEquals((await it.push(two, 0n, 5n)).status, 200);
});
