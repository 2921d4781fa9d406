/** The runbook: which step may follow which, and what freezes a log. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  BY_ITSELF,
  CAUSES,
  parseTransition,
  signedTransition,
  type State,
  STATES,
  type Transition,
  TRANSITION_VERSION,
  transitionBytes,
} from "../../src/evidence/transition.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { FreezeGate } from "../../src/response/freeze.ts";
import { isFreezing, Runbook } from "../../src/response/runbook.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { newLog, newSigner } from "../evidence/histories.ts";

const { log } = await newLog();
const signer = await newSigner();
const other = await newSigner("monitor.invalid/other");
const CASE = "ab".repeat(32);
const ANOTHER_CASE = "cd".repeat(32);
const AT = "2026-01-02T03:04:05.678Z";

function step(from: State | null, to: State, more: Partial<Transition> = {}): Transition {
  return {
    version: TRANSITION_VERSION,
    incident: "INC-2026-001",
    log: { origin: log.origin, vkey: log.vkey.text },
    cause: "equivocation",
    evidence_ids: from === null ? [CASE] : [],
    ...{ from, to, at: AT, by: from === null || to === "FREEZE" ? BY_ITSELF : "Ada" },
    ...{ why: "because", monitor: signer.vkey.text },
    ...more,
  };
}

const WAY = [null, ...STATES] as const;

/** A runbook in which an incident is in this state. */
function upTo(state: State | null): Runbook {
  const runbook = new Runbook({ own: signer.vkey.text });
  for (let i = 0; WAY[i] !== state; i++) {
    assertEquals(runbook.take(step(WAY[i]!, WAY[i + 1]!)), undefined);
  }
  return runbook;
}

Deno.test("runbook: of all steps only the next one may be made, and each refusal says why", () => {
  let allowed = 0;
  for (const state of WAY) {
    for (const from of WAY) {
      for (const to of STATES) {
        const runbook = upTo(state);
        const isNext = from === state && WAY.indexOf(to) === WAY.indexOf(state) + 1;
        const refused = runbook.take(step(from, to));
        assertEquals(refused === undefined, isNext, `${state}: ${from} to ${to}: ${refused}`);
        // A refused step changes nothing.
        if (!isNext) assertEquals(runbook.find("INC-2026-001")?.state ?? null, state);
        else allowed++;
        if (refused !== undefined) assert(refused.length > 10, refused);
      }
    }
  }
  assertEquals(allowed, STATES.length);
  assertMatch(
    upTo("FREEZE").refusal(step("FREEZE", "RESOLVE"))!,
    /from which only INVESTIGATE follows/,
  );
  assertMatch(upTo("CLOSED").refusal(step("CLOSED", "DETECT"))!, /CLOSED, which is the end/);
});

Deno.test("runbook: what else is not allowed is refused with its reason", () => {
  const changes: readonly [state: State | null, Transition, RegExp][] = [
    [null, step(null, "DETECT", { evidence_ids: [] }), /has no case/],
    [null, step(null, "DETECT", { cause: "signature failure" }), /of which no case is made/],
    [null, step("FREEZE", "INVESTIGATE"), /is not known here/],
    ["FREEZE", step("FREEZE", "INVESTIGATE", { by: BY_ITSELF }), /needs a person's name/],
    ["FREEZE", step("FREEZE", "INVESTIGATE", { by: "HearSay" }), /needs a person's name/],
    ["FREEZE", step("FREEZE", "INVESTIGATE", { monitor: other.vkey.text }), /is another one/],
    ["FREEZE", step("FREEZE", "INVESTIGATE", { cause: "consistency failure" }), /nothing else/],
    [
      "FREEZE",
      step("FREEZE", "INVESTIGATE", { log: { origin: "x", vkey: log.vkey.text } }),
      /nothing else/,
    ],
    ["FREEZE", step("FREEZE", "INVESTIGATE", { evidence_ids: [ANOTHER_CASE] }), /no more cases/],
    ["INVESTIGATE", step("INVESTIGATE", "RESOLVE", { by: BY_ITSELF }), /needs a person's name/],
    ["INVESTIGATE", step("INVESTIGATE", "RESOLVE", { bundle: CASE }), /not gathered with RESOLVE/],
    ["FREEZE", step("FREEZE", "FREEZE", { evidence_ids: [CASE] }), /no new case/],
    ["FREEZE", step("FREEZE", "FREEZE", { evidence_ids: [ANOTHER_CASE], by: "Ada" }), /already/],
    ["INVESTIGATE", step("FREEZE", "FREEZE", { evidence_ids: [ANOTHER_CASE] }), /not in FREEZE/],
  ];
  for (const [state, wrong, why] of changes) {
    assertMatch(upTo(state).refusal(wrong) ?? "it was allowed", why);
  }
  assertEquals(
    upTo("FREEZE").take(step("FREEZE", "FREEZE", { evidence_ids: [ANOTHER_CASE] })),
    undefined,
  );
});

Deno.test("runbook: a log is frozen from the first step to RESOLVE, by each incident alone", () => {
  for (const state of STATES) {
    const runbook = upTo(state);
    const gate = new FreezeGate(runbook);
    assertEquals(gate.isFrozen(log), isFreezing(state), state);
    assertEquals(runbook.freezing(log.id).length, isFreezing(state) ? 1 : 0);
  }
  const both = upTo("FREEZE");
  const second = { incident: "INC-2026-002", evidence_ids: [ANOTHER_CASE] };
  both.take(step(null, "DETECT", second));
  for (const [from, to] of [["FREEZE", "INVESTIGATE"], ["INVESTIGATE", "RESOLVE"]] as const) {
    both.take(step(from, to));
  }
  assertEquals(both.freezing(log.id).map(({ id }) => id), ["INC-2026-002"]);
  assertEquals(new FreezeGate(both).isFrozen({ id: "another log" }), false);
});

Deno.test("runbook: what was accepted before the first hold is accepted while it lasts", () => {
  const runbook = upTo("DETECT");
  const accepted = { size: "8", root: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
  assertEquals(runbook.take(step("DETECT", "FREEZE", { accepted })), undefined);
  const gate = new FreezeGate(runbook);
  assertEquals([gate.accepts(log, 8n), gate.accepts(log, 9n)], [true, false]);
  const none = new FreezeGate(upTo("FREEZE"));
  assertEquals(none.accepts(log, 1n), false, "nothing was accepted before");
});

Deno.test("freeze: what is not written yet holds a log for itself, whatever else is written", () => {
  const gate = new FreezeGate(new Runbook());
  const hold = { cause: "equivocation", since: "2026-01-01T00:00:00Z", why: "two roots" } as const;
  const accepted = { size: "8", root: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
  gate.hold(log.id, "INC-2026-001", { ...hold, accepted });
  gate.hold(log.id, "case ab", { ...hold, why: "another", accepted: undefined });
  gate.hold(log.id, "case ab", { ...hold, why: "the same again", accepted: undefined });
  assertEquals(gate.holds(log).map(({ why }) => why), ["two roots", "another"]);
  assertEquals([gate.accepts(log, 8n), gate.accepts(log, 9n)], [true, false]);
  gate.written(log.id, "case cd");
  gate.written(log.id, "case ab");
  assertEquals(gate.isFrozen(log), true, "the incident that the journal lost holds it");
  gate.written(log.id, "INC-2026-001");
  assertEquals([gate.isFrozen(log), gate.holds(log)], [false, []]);
});

Deno.test("runbook: names count up within a year, beyond 999 too", () => {
  const runbook = new Runbook();
  for (
    const [name, next] of [
      ["INC-2026-001", "INC-2026-002"],
      ["INC-2026-998", "INC-2026-999"],
      ["INC-2026-999", "INC-2026-1000"],
      ["INC-2025-007", "INC-2026-1000"],
    ] as const
  ) {
    runbook.take(step(null, "DETECT", { incident: name }));
    assertEquals(runbook.nextId(AT), next);
  }
});

Deno.test("transition: a signed one is read, and nothing else", async () => {
  const transition = step(null, "DETECT");
  const record = signedTransition(transition, await signer.sign(transitionBytes(transition)));
  assertEquals(parseTransition(record), transition);
  const changes: readonly [
    Partial<Record<keyof Transition | "signature" | "more", unknown>>,
    RegExp,
  ][] = [
    [{ why: "another" }, /does not verify/],
    [{ by: "Mallory" }, /does not verify/],
    [{ to: "CLOSED" }, /does not verify/],
    [{ monitor: other.vkey.text }, /does not verify/],
    [{ incident: "INC-26-1" }, /incident/],
    [{ incident: "INC-2026-0999" }, /incident/],
    [{ why: "two\nlines" }, /one line/],
    [{ why: "" }, /one line/],
    [{ why: "x".repeat(1_001) }, /one line/],
    [{ by: "x".repeat(101) }, /one line/],
    [{ evidence_ids: [CASE, CASE] }, /each once/],
    [{ evidence_ids: ["ab"] }, /64 hex/],
    [{ cause: "lust" }, /one of/],
    [{ from: "SOMEWHERE" }, /one of/],
    [{ at: "yesterday" }, /RFC 3339/],
    [{ log: { origin: "x", vkey: "y" } }, /log.vkey/],
    [{ accepted: { size: "007", root: "" } }, /accepted/],
    [{ more: 1 }, /unknown member/],
  ];
  for (const [change, why] of changes) {
    const wrong = { ...record, ...change } as JsonObject;
    assertMatch(assertThrows(() => parseTransition(wrong), MalformedError).message, why);
  }
  for (const name of Object.keys(record)) {
    const { [name]: _, ...less } = record;
    assertStringIncludes(assertThrows(() => parseTransition(less), MalformedError).message, name);
  }
  assertEquals(CAUSES.length, 3);
});
