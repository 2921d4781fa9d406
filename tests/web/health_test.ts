/** Whether a daemon is well is never said by one that has not looked. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { OVERDUE_MS, reasonsNotReady } from "../../src/monitor/readiness.ts";
import type { LogStatus, Status } from "../../src/monitor/status.ts";
import { PROBE_KEPT_MS, WriteProbe } from "../../src/monitor/write_probe.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Files, type World, WorldError } from "../../src/world/world.ts";
import { FULL, LOG, vkeyOf } from "./full_status.ts";
import { ask, pageOf, textIn } from "./page_of.ts";

const NOW = Date.parse(FULL.now);
const { nextLookAt: _next, ...LOOKING } = LOG;

function later(ms: number): string {
  return new Date(NOW + ms).toISOString();
}

/** A status of one log. */
function statusOf(...logs: readonly LogStatus[]): Status {
  return {
    ...{ name: "m", vkey: FULL.vkey, startedAt: FULL.startedAt, now: FULL.now },
    ...{ incidents: 0, unwritten: false, logs, peers: [] },
  };
}

const NAME = `log log.invalid/"one"\\ (key 0a1b2c3d, before 99999999)`;

/** Logs, and the reason not to be ready that each gives. */
const LOGS: readonly [what: string, log: LogStatus, reason?: string][] = [
  ["unchanged", { ...LOG, lastResult: "unchanged" }],
  // It is watched all the same.
  ["inconsistent", { ...LOG, lastResult: "inconsistent" }],
  ["unproven", { ...LOG, lastResult: "unproven" }],
  ["frozen", { ...LOG, lastResult: "frozen" }],
  [
    "unavailable",
    { ...LOG, lastResult: "unavailable" },
    "cannot be reached, or its answer is no signed checkpoint",
  ],
  [
    "unverified",
    { ...LOG, lastResult: "unverified" },
    "answers with a checkpoint that no known key of it has signed",
  ],
  [
    "not written",
    { ...LOG, lastResult: "not written" },
    "could not be looked at: our own disk or database refuses to write",
  ],
  ["due just now", { ...LOG, nextLookAt: later(-OVERDUE_MS) }],
  [
    "due for too long",
    { ...LOG, nextLookAt: later(-OVERDUE_MS - 1) },
    "is looked at no more: the last look was at 2026-11-28T10:00:00.000Z",
  ],
  ["under way", { ...LOOKING, lastLookAt: later(-OVERDUE_MS) }],
  [
    "under way for too long",
    { ...LOOKING, lastLookAt: later(-OVERDUE_MS - 1) },
    `is looked at no more: the last look was at ${later(-OVERDUE_MS - 1)}`,
  ],
];

for (const [what, log, reason] of LOGS) {
  Deno.test(`ready: with a log whose look is ${what}: ${reason ?? "yes"}`, () => {
    const reasons = reason === undefined ? [] : [`${NAME} ${reason}`];
    assertEquals(reasonsNotReady(statusOf(log), undefined), reasons);
  });
}

Deno.test("ready: never before every log was looked at, nor with none to look at", () => {
  const { lastResult: _result, lastLookAt: _at, ...unseen } = { ...LOG, origin: "other" };
  assertEquals(reasonsNotReady(statusOf(LOG, unseen), undefined).length, 1);
  assertStringIncludes(reasonsNotReady(statusOf(unseen), undefined)[0]!, "was not looked at yet");
  assertEquals(reasonsNotReady(statusOf(), undefined), ["no log is followed"]);
  // A witness of logs that push follows them by what they push.
  const witness = { vkeys: [vkeyOf("m")], logs: 1, cosigned: 0, pushed: [] };
  assertEquals(reasonsNotReady({ ...statusOf(), witness }, undefined), []);
});

Deno.test("ready: not if a folder or a case cannot be written, and that is said first", () => {
  const status = { ...statusOf(), unwritten: true };
  assertEquals(reasonsNotReady(status, "state: No space left on device"), [
    "a folder cannot be written: state: No space left on device",
    "a proven conflict could not be written: the disk refuses",
    "no log is followed",
  ]);
});

Deno.test("readyz: 200 or 503 with the reasons, of which a bounded number is told", async () => {
  const ready = await ask(pageOf(statusOf(LOG)), "/readyz");
  assertEquals([ready.status, JSON.parse(textIn(ready))], [200, { ready: true, reasons: [] }]);
  const logs = Array.from({ length: 25 }, (_, i): LogStatus => ({
    ...{ ...LOG, origin: `log.invalid/${i}`, lastResult: "unavailable" },
  }));
  const not = await ask(pageOf(statusOf(...logs)), "/readyz");
  const { ready: isReady, reasons, leftOut } = JSON.parse(textIn(not));
  assertEquals([not.status, isReady, reasons.length, leftOut], [503, false, 20, 5]);
  const full = pageOf(statusOf(LOG), { tryWriting: () => Promise.resolve("state: full") });
  assertEquals((await ask(full, "/readyz")).status, 503);
});

Deno.test("healthz: answers whatever the status is, as it says only that the process answers", async () => {
  const page = pageOf({}, {
    status: () => {
      throw new Error("nobody asks for it");
    },
  });
  assertEquals((await ask(page, "/healthz")).status, 200);
});

/** The real world on a clock that the test sets, with files that may refuse. */
function worldWith(clock: { ms: number }, files: Partial<Files> = {}): World {
  const world = denoWorld();
  return {
    ...world,
    clock: { ...world.clock, monotonic: () => clock.ms },
    files: { ...world.files, ...files },
  };
}

Deno.test("write probe: leaves nothing behind, and one that a crash left is no hindrance", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
  try {
    for (const name of ["probe.tmp", "probe.tmp.new"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, "");
    }
    const probe = new WriteProbe({ world: worldWith({ ms: 0 }), folders: [folder] });
    assertEquals(await probe.look(), undefined);
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("write probe: says which folder refuses and why, and asks again only after a time", async () => {
  const [one, two] = [Deno.makeTempDirSync(), Deno.makeTempDirSync()];
  try {
    const clock = { ms: 0 };
    let [isFull, tries] = [true, 0];
    const { files } = denoWorld();
    const world = worldWith(clock, {
      create: (path, permissions) => {
        tries++;
        return isFull && path.startsWith(two)
          ? Promise.reject(new WorldError("other", "No space left on device"))
          : files.create(path, permissions);
      },
    });
    const probe = new WriteProbe({ world, folders: [one, two, one] });
    const refused = `${two}: No space left on device`;
    assertEquals(await Promise.all([probe.look(), probe.look()]), [refused, refused]);
    assertEquals(tries, 2);
    isFull = false;
    clock.ms = PROBE_KEPT_MS - 1;
    assertEquals([await probe.look(), tries], [refused, 2]);
    clock.ms = PROBE_KEPT_MS;
    assertEquals([await probe.look(), tries], [undefined, 4]);
  } finally {
    for (const folder of [one, two]) Deno.removeSync(folder, { recursive: true });
  }
});
