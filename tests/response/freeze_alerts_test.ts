/** What alerts say of frozen logs and of the incidents that freeze them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Settings } from "../../src/monitor/settings.ts";
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import { doneAbout, nextCommands } from "../../src/response/freeze_words.ts";
import { occurrenceOf } from "../../src/response/occurrences.ts";
import { wordsOf } from "../../src/response/words.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { frameOf } from "../cli/harness.ts";
import { grow } from "../evidence/histories.ts";
import { Host, HOUR, INCIDENTS, logAt, MINUTE, parted } from "../monitor/hosts.ts";
import { ScriptedSource } from "../monitor/scripted_source.ts";
import { SECRET } from "./receiver.ts";
import { casesOf, Rig } from "./rig.ts";

const ALERTS: Settings["alerts"] = {
  channels: [{
    ...{ name: "hook", least: "INFO", kind: "webhook" },
    webhook: { url: "https://hooks.example.com/x", secret: "hook.secret" },
  }],
  allow: ["hooks.example.com"],
};

/** Has a host's alerts taken, and gives those that were, each once. */
function taking(host: Host): Map<string, Alert> {
  const taken = new Map<string, Alert>();
  host.disk.put("hook.secret", SECRET);
  host.http = {
    ...denoWorld().http,
    request: ({ content }) => {
      const alert = parseAlert(new TextDecoder().decode(content));
      taken.set(alert.id, alert);
      return Promise.resolve({ status: 200, header: () => undefined, body: new Uint8Array(0) });
    },
  };
  return taken;
}

const inShort = (taken: Map<string, Alert>): string[] =>
  [...taken.values()].map(({ level, state, case: key }) =>
    `${level} ${state} ${key.startsWith("equivocation ") ? "equivocation" : key}`
  );

const ADA = { by: "Ada Lovelace", why: "restored from a backup; see mail" };

async function step(host: Host, incident: string, to: "INVESTIGATE" | "RESOLVE" | "CLOSED") {
  const stepped = await host.daemon!.step({ incident, to, ...ADA });
  assert("incident" in stepped, JSON.stringify(stepped));
  await host.pass(MINUTE);
}

Deno.test("freeze alerts: a proven case is one EMERGENCY that names its incident and the next commands, and who lets the log go on is told", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS });
  await host.hear([await frameOf(theirs, 9)]);
  await host.pass(MINUTE);
  assertEquals(inShort(taken), ["EMERGENCY begins equivocation"]);
  const [{ title, text }] = [...taken.values()] as [Alert];
  assertMatch(title, /^PROVEN: the key of log .* it is FROZEN \(INC-2026-001\)$/);
  assertStringIncludes(text, "The log IS FROZEN. You need not do it");
  assertStringIncludes(text, "The incident is INC-2026-001, in the state FREEZE.");
  assertStringIncludes(text, 'OPERATING, "When it fires"');
  assertStringIncludes(text, "  hearsay incidents report INC-2026-001\n");
  assertStringIncludes(text, '  hearsay incidents advance INC-2026-001 --by "" --why ""\n');
  for (const to of ["INVESTIGATE", "RESOLVE", "CLOSED"] as const) {
    await step(host, "INC-2026-001", to);
  }
  assertEquals(inShort(taken).slice(1), [
    "INFO begins incident INC-2026-001 RESOLVE",
    "INFO begins incident INC-2026-001 CLOSED",
  ]);
  const [, resolved, closed] = [...taken.values()];
  assertMatch(resolved!.title, /^INC-2026-001 is resolved by Ada Lovelace: log .* goes on$/);
  assertStringIncludes(resolved!.text, ADA.why);
  assertMatch(closed!.title, /^INC-2026-001 is closed by Ada Lovelace: log /);
  // Nothing more comes of them, after a restart too.
  await host.stop();
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS });
  await host.pass(2 * HOUR);
  assertEquals(taken.size, 3);
});

Deno.test("freeze alerts: a log that two incidents freeze is not said to go on when one is resolved", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS });
  await host.hear([await frameOf(theirs, 9)]);
  await host.pass(MINUTE);
  await step(host, "INC-2026-001", "INVESTIGATE");
  await host.hear([await frameOf(theirs, 8)]);
  await host.pass(MINUTE);
  const second = [...taken.values()].at(-1)!;
  assertMatch(second.title, /it is FROZEN \(INC-2026-002\)$/);
  await step(host, "INC-2026-001", "RESOLVE");
  const resolved = [...taken.values()].at(-1)!;
  assertMatch(resolved.title, /: log .* stays FROZEN by another incident$/);
});

Deno.test("freeze alerts: a freeze by suspicion is one WARNING, which accuses nobody", async () => {
  const log = grow(await logAt(), 20);
  const source = new ScriptedSource(log, 4);
  await using host = await Host.make();
  const taken = taking(host);
  await host.start({ logs: [{ source }], alerts: ALERTS });
  [source.size, source.proofTrouble] = [8, "wrong"];
  await host.pass(HOUR);
  const about = [...taken.values()].filter(({ case: key }) => key.startsWith("incident "));
  assertEquals(about.map(({ level, case: key }) => `${level} ${key}`), [
    "WARNING incident INC-2026-001 FREEZE",
  ]);
  const [{ title, text, action }] = about as [Alert];
  assertEquals(action, "freeze_acceptance");
  assertMatch(title, /^Log .* is FROZEN on suspicion \(INC-2026-001\): nothing is proven$/);
  assertStringIncludes(text, "Nothing is proven against anybody.");
  assertStringIncludes(text, "3 proofs in a row");
  assert(!text.includes("told again"), text);
});

Deno.test("freeze alerts: a crash between a step and its alert loses no alert", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const duties = { logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS };
  await host.start(duties);
  await host.hear([await frameOf(theirs, 9)]);
  await host.pass(MINUTE);
  await step(host, "INC-2026-001", "INVESTIGATE");
  // A monitor without alerts takes the step, as one that crashes before it has told.
  await host.stop();
  await host.start({ ...duties, alerts: undefined });
  await step(host, "INC-2026-001", "RESOLVE");
  await host.stop();
  await host.start(duties);
  await host.pass(MINUTE);
  assertEquals(inShort(taken).slice(1), ["INFO begins incident INC-2026-001 RESOLVE"]);
});

Deno.test("freeze alerts: while the disk refuses the incident, the case is told within a second or so", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS });
  const { open } = host.files;
  const goOn = Promise.withResolvers<void>();
  host.files.open = async (path, mode) => {
    // The incident's first step waits: the case is in the journal already.
    if (host.toldOf("incident.recorded").length > 0 && path.includes(INCIDENTS)) await goOn.promise;
    return await open(path, mode);
  };
  await host.hear([await frameOf(theirs, 9)]);
  await host.pass(MINUTE);
  assertEquals(taken.size, 1);
  goOn.resolve();
});

Deno.test("freeze alerts: the words name the configuration, and claim no freeze that nobody knows of", async () => {
  const [record] = await casesOf(await Rig.make(), 1);
  const evidence = { kind: "conflict", record: record! } as const;
  const telling = {
    ...{ event: "incident.recorded", state: "begins" as const, subject: record!.log.origin },
    ...{ monitor: "m", detail: "", since: "s", at: "a", count: 1, isOfMonitor: false, evidence },
  };
  const incident = { id: "INC-2026-007", state: "FREEZE" } as const;
  const config = "/etc/my monitor/hearsay.jsonc";
  const frozen = wordsOf({ ...telling, freeze: { isFrozen: true, incident }, config });
  assertStringIncludes(
    frozen.text,
    "hearsay incidents report INC-2026-007 --config '/etc/my monitor/hearsay.jsonc'\n",
  );
  assertStringIncludes(frozen.text, `hearsay verify case.json --log ${record!.log.vkey}`);
  const unknown = wordsOf(telling);
  assert(!/FROZEN|INC-/.test(unknown.title + unknown.text), unknown.text);
  const unwritten = wordsOf({ ...telling, freeze: { isFrozen: true } });
  assertMatch(unwritten.title, /; it is FROZEN$/);
  assertStringIncludes(unwritten.text, "not written down yet");
  const over = wordsOf({
    ...telling,
    freeze: { isFrozen: false, incident: { ...incident, state: "RESOLVE" } },
  });
  assertMatch(over.title, /; it is NOT frozen \(INC-2026-007\)$/);
  assertStringIncludes(doneAbout({ isFrozen: false }), "no incident has this case");
  assertEquals(nextCommands({ id: "INC-2026-007", state: "INVESTIGATE" }, undefined).split("\n"), [
    "hearsay incidents report INC-2026-007",
    'hearsay incidents resolve INC-2026-007 --by "" --why ""',
  ]);
});

Deno.test("freeze alerts: a step has a case of its own, and the step that follows a proven case has none", () => {
  const fields = { incident: "INC-2026-001", origin: "log.invalid/split", evidence_ids: ["a"] };
  const step = { ...fields, by: "hearsay", why: "it signed both", frozen: true };
  const of = (to: string, cause: string) => {
    const event = { name: "incident.step", level: "info", fields: { ...step, to, cause } };
    return occurrenceOf(event);
  };
  assertEquals(of("FREEZE", "equivocation"), undefined);
  assertEquals(of("INVESTIGATE", "equivocation"), undefined);
  for (const to of ["FREEZE", "RESOLVE", "CLOSED"]) {
    const up = of(to, "signature failure");
    assert(up?.phase === "up");
    assertEquals([up.key, up.facts.subject], [`incident INC-2026-001 ${to}`, fields.origin]);
    for (const state of ["begins", "summary"] as const) {
      const { title, text } = wordsOf({
        ...{ ...up, ...up.facts, state, monitor: "m", since: "s", at: "a", count: 2 },
        isOfMonitor: false,
      });
      assertStringIncludes(title, "INC-2026-001");
      assert(!`${title}${text}`.includes("The known case"), title);
    }
  }
});

Deno.test("freeze alerts: a record that nobody would believe is no repeat of a known case", async () => {
  const [record] = await casesOf(await Rig.make(), 1);
  const evidence = { kind: "conflict", record: record! } as const;
  const { title } = wordsOf({
    ...{ event: "incident.refused", state: "begins" as const, subject: record!.log.origin },
    ...{ monitor: "m", detail: "", since: "s", at: "a", count: 1, isOfMonitor: false, evidence },
  });
  assertMatch(title, /^A record about log log\.invalid\/split convinces nobody$/);
});
