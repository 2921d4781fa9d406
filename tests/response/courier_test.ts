/** Receivers that hang, refuse, redirect, answer garbage or are gone; and the order of what they get. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Alert } from "../../src/response/alert.ts";
import { addressOf } from "../../src/response/allowed_hosts.ts";
import { MAX_WAITING } from "../../src/response/queue.ts";
import { channelsOf } from "../../src/response/channels.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type World, WorldError } from "../../src/world/world.ts";
import { inFolder, put } from "../cli/harness.ts";
import { Receiver, SECRET } from "./receiver.ts";
import { casesOf, HOUR, MINUTE, Rig, SECOND, UNREACHABLE } from "./rig.ts";

const LOG = { id: "key log.invalid/a", origin: "log.invalid/a", vkey: "v" };

Deno.test("alerts: of one case in order, and one that is refused holds up only its own case", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  const key = `equivocation ${record!.evidence_id}`;
  let refuses = true;
  rig.answer = ({ case: one, state }) => one === key && refuses && state === "begins" ? 400 : 204;
  await rig.start();
  await rig.record(record!);
  rig.event("incident.known", "info", { evidence_id: record!.evidence_id });
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(SECOND);
  assertEquals(rig.account, ["WARNING begins"]);
  // By now there is a sum of repeats as well, and it may not overtake the beginning.
  await rig.pass(3 * HOUR);
  assertEquals(rig.taken.length, 1);
  refuses = false;
  await rig.pass(3 * HOUR);
  const ofCase = rig.taken.filter((alert) => alert.case === key).map(({ state }) => state);
  assertEquals(ofCase, ["begins", "summary"]);
  assertEquals(rig.told.filter(({ name }) => name === "alert.recovered").length, 1);
  await rig.stop();
});

Deno.test("alerts: what is refused for ever is left out in the end, and that is told", async () => {
  const rig = await Rig.make();
  rig.answer = () => 422;
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(26 * HOUR);
  const lost = rig.told.filter(({ name }) => name === "alert.lost");
  assertEquals(lost.map(({ fields }) => fields.count), [1]);
  assert(rig.requests.length < 80, `${rig.requests.length}`);
  await rig.stop();
});

Deno.test("alerts: what is new does not wait for the next try of what was refused", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  rig.answer = ({ case: one }) => one.startsWith("trouble ") ? 422 : 204;
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  // By now the pauses are half an hour long.
  await rig.pass(4 * HOUR);
  assertEquals(rig.account, []);
  await rig.record(record!);
  await rig.pass(SECOND);
  assertEquals(rig.account, ["EMERGENCY begins"]);
  const { length } = rig.requests;
  await rig.pass(SECOND);
  assertEquals(rig.requests.length, length, "what was refused keeps its pauses");
  await rig.stop();
});

for (const [what, answer] of [["refused", 422], ["failed", UNREACHABLE]] as const) {
  Deno.test(`alerts: a reload tries again at once what was ${what}`, async () => {
    const rig = await Rig.make();
    rig.answer = () => answer;
    await rig.start();
    rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
    await rig.pass(4 * HOUR);
    rig.answer = () => 204;
    rig.alerting.reloaded({ has: () => true } as unknown as ReadonlySet<string>);
    await rig.pass(SECOND);
    assertEquals(rig.account, ["WARNING begins"]);
    assertEquals(rig.told.filter(({ name }) => name === "alert.recovered").length, 1);
    await rig.stop();
  });
}

Deno.test("alerts: what was refused, and then left out because too many wait, is not waited for", async () => {
  const rig = await Rig.make();
  rig.answer = () => 422;
  await rig.start();
  const tell = (i: number): void => {
    const log = { ...LOG, id: `key log.invalid/${i}`, origin: `log.invalid/${i}` };
    rig.event("log.frozen", "warning", { origin: log.origin, detail: "for long" }, { log });
  };
  for (let i = 0; i < MAX_WAITING; i++) tell(i);
  await rig.pass(SECOND);
  for (let i = 0; i < 10; i++) tell(MAX_WAITING + i);
  await rig.pass(SECOND);
  assertEquals(rig.told.filter(({ name }) => name === "alert.lost").length, 1);
  const { length } = rig.requests;
  await rig.pass(5 * MINUTE);
  assert(rig.requests.length > length);
  assertEquals(rig.alerting.status().channels[0]!.waiting, MAX_WAITING);
  await rig.stop();
});

Deno.test("alerts: a clock that is set ahead gives no channel up", async () => {
  const rig = await Rig.make();
  rig.answer = () => UNREACHABLE;
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(SECOND);
  // As on a machine that has no clock of its own, once it hears the time.
  rig.clock.ahead = 6 * 365 * 24 * HOUR;
  await rig.pass(MINUTE);
  assertEquals(rig.told.filter(({ name }) => name === "alert.disabled"), []);
  rig.answer = () => 204;
  await rig.pass(HOUR);
  assertEquals(rig.account, ["WARNING begins"]);
  await rig.stop();
});

Deno.test("alerts: a receiver that is gone for a day is given up, told by the others, and tried again", async () => {
  const rig = await Rig.make();
  const hook = rig.settings.channels[0]!;
  const channels = [hook, { ...hook, name: "other" }];
  rig.settings = { ...rig.settings, channels };
  let isGone = true;
  const taken: string[] = [];
  // Both lead to one place. Every other request is of the one that fails: told apart by its case.
  rig.answer = (alert) => {
    taken.push(`${alert.case} ${alert.state}`);
    return isGone ? UNREACHABLE : 204;
  };
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(25 * HOUR);
  const disabled = rig.told.filter(({ name }) => name === "alert.disabled");
  assertEquals(disabled.map(({ fields }) => fields.channel).sort(), ["hook", "other"]);
  const { length } = rig.requests;
  assert(length < 150, `${length} requests in a day`);
  await rig.pass(24 * HOUR);
  assertEquals(rig.requests.length, length, "nothing more is tried");
  const { channels: [status] } = rig.alerting.status();
  assertEquals([status!.isDisabled, status!.lastError], [true, "connection refused"]);
  isGone = false;
  rig.alerting.reloaded({ has: () => true } as unknown as ReadonlySet<string>);
  await rig.pass(MINUTE);
  assert(rig.alerts.some((alert) => alert.case === `trouble ${LOG.id} frozen`));
  assertEquals(rig.alerting.status().channels.map(({ waiting }) => waiting), [0, 0]);
  assertEquals(rig.told.filter(({ name }) => name === "alert.recovered").length, 2);
  await rig.stop();
});

Deno.test("alerts: a channel that was given up is tried for another day after a restart", async () => {
  const rig = await Rig.make();
  rig.answer = () => UNREACHABLE;
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(25 * HOUR);
  await rig.stop();
  const { length } = rig.requests;
  await rig.start();
  await rig.pass(HOUR);
  assert(rig.requests.length >= length + 2, "it is tried more than once");
  assertEquals(rig.told.filter(({ name }) => name === "alert.disabled").length, 1);
  await rig.stop();
});

Deno.test("alerts: a receiver that hangs is tried again, and the others do not wait for it", async () => {
  const rig = await Rig.make();
  const [hook] = rig.settings.channels;
  rig.settings = { ...rig.settings, channels: [hook!, { ...hook!, name: "other" }] };
  let asked = 0;
  const late = new WorldError("timed out", "no answer within 15000 ms");
  const hanging = () =>
    new Promise<Error>((done) => rig.clock.after(15 * SECOND, () => done(late)));
  rig.answer = () => ++asked === 1 ? hanging() : 204;
  await rig.start();
  rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
  await rig.pass(SECOND);
  assertEquals([rig.requests.length, rig.taken.length], [2, 1]);
  await rig.pass(30 * SECOND);
  assertEquals(rig.taken.length, 2);
  await rig.stop();
});

/** An alert like any other. */
async function someAlert(): Promise<Alert> {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  await rig.start();
  await rig.record(record!);
  await rig.pass(SECOND);
  await rig.stop();
  return rig.taken[0]!;
}

function hookTo(world: World, url: string, secret: string, allow: readonly string[] = []) {
  const channel = {
    name: "hook",
    least: "INFO",
    kind: "webhook",
    webhook: { url, secret },
  } as const;
  return channelsOf(world, { channels: [channel], allow })[0]!;
}

inFolder(
  "alerts: a webhook leads to nobody on this machine or network, unless allowed by name",
  async (folder) => {
    const secret = put(folder, "secret", SECRET);
    const alert = await someAlert();
    await using receiver = new Receiver();
    const { port } = new URL(receiver.url);
    const asked: unknown[] = [];
    const names: Record<string, string[]> = {
      "hooks.example.com": ["203.0.113.9", "127.0.0.1"],
      "rebind.example.com": ["::ffff:10.0.0.1"],
      "metadata.example.com": ["169.254.169.254"],
      "six.example.com": ["fe80::1%eth0"],
      "odd.example.com": ["not an address"],
    };
    const world: World = {
      ...denoWorld(),
      http: {
        ...denoWorld().http,
        lookup: (hostname) => Promise.resolve(names[hostname] ?? []),
        request: (request) => {
          asked.push(request);
          return denoWorld().http.request(request);
        },
      },
    };
    const forbidden = [
      ...["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "localhost", "a.localhost", "[::1]"],
      ...["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "10.1.2.3", "192.168.1.1", "169.254.169.254"],
      ...["100.64.0.1", "[fd00::1]", "[64:ff9b::7f00:1]", "0.0.0.0", "printer", "box.local"],
      ...Object.keys(names),
    ];
    for (const host of forbidden) {
      for (const scheme of ["http", "https"]) {
        const channel = hookTo(world, `${scheme}://${host}:${port}/hook`, secret);
        const error = await assertRejects(() => channel.send(alert), WorldError, "", host);
        assertEquals(error.kind, "not permitted", host);
      }
    }
    assertEquals(asked, []);
    await hookTo(world, receiver.url, secret, ["127.0.0.1"]).send(alert);
    assertEquals(receiver.alerts, [alert]);
    // Allowed is the name, and not whatever else leads there.
    await assertRejects(
      () => hookTo(world, `http://10.0.0.1:${port}/`, secret, ["127.0.0.1"]).send(alert),
      WorldError,
      'put "allow": ["10.0.0.1"]',
    );
  },
);

Deno.test("alerts: a name's address is the one that was looked at", async () => {
  const world = { http: { ...denoWorld().http, lookup: () => Promise.resolve(["203.0.113.9"]) } };
  const place = { hostname: "hooks.example.com", timeoutMs: SECOND };
  assertEquals(await addressOf(world, { ...place, allow: [] }), "203.0.113.9");
  assertEquals(await addressOf(world, { ...place, allow: ["HOOKS.example.com."] }), undefined);
});

inFolder("alerts: redirects, garbage, long answers and errors of a receiver", async (folder) => {
  const secret = put(folder, "secret", SECRET);
  const alert = await someAlert();
  await using other = new Receiver();
  await using receiver = new Receiver();
  const send = () => hookTo(denoWorld(), receiver.url, secret, ["127.0.0.1"]).send(alert);
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = () => new Response(null, { status, headers: { location: other.url } });
    await assertRejects(send, WorldError, "redirects are not followed");
  }
  assertEquals(other.asked, 0);
  for (const status of [401, 404, 410, 429, 500, 502, 503]) {
    receiver.answer = () => new Response("no", { status });
    await assertRejects(send, WorldError, `status ${status}`);
  }
  // What it says about what it took is of no interest, however long.
  receiver.answer = () => new Response("x".repeat(1_000_000));
  await send();
  receiver.answer = () => new Response(new Uint8Array([0, 255, 27, 91]));
  await send();
  assertEquals(receiver.received.length, 2);
});

inFolder("alerts: a secret that is none is told without its words", async (folder) => {
  const alert = await someAlert();
  for (const content of ["hunter2", `whsec_${btoa("too short")}`, "x".repeat(5_000)]) {
    const channel = hookTo(denoWorld(), "https://203.0.113.1/", put(folder, "secret", content));
    const error = await assertRejects(() => channel.send(alert), Error, "holds no secret");
    assert(!error.message.includes(content));
  }
  const missing = hookTo(denoWorld(), "https://203.0.113.1/", `${folder}/none`);
  assertMatch((await assertRejects(() => missing.send(alert), WorldError)).message, /No such file/);
});

for (const jumpMs of [366 * 24 * HOUR, -HOUR, -366 * 24 * HOUR]) {
  Deno.test(`alerts: a wall clock that is set by ${jumpMs / HOUR} hours gives no channel up early or late`, async () => {
    const rig = await Rig.make();
    rig.answer = () => UNREACHABLE;
    await rig.start();
    rig.event("log.frozen", "warning", { origin: LOG.origin, detail: "for long" }, { log: LOG });
    await rig.pass(2 * HOUR);
    rig.clock.ahead = jumpMs;
    await rig.pass(21 * HOUR);
    assertEquals(rig.told.filter(({ name }) => name === "alert.disabled"), []);
    const { length } = rig.requests;
    await rig.pass(HOUR);
    assert(rig.requests.length > length, "it is tried on");
    await rig.pass(HOUR);
    assertEquals(rig.told.filter(({ name }) => name === "alert.disabled").length, 1);
    await rig.stop();
  });
}
