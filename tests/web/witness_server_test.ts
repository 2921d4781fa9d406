import { assertEquals, assertMatch } from "@std/assert";
import { WitnessLogs } from "../../src/authority/witness_logs.ts";
import { originHash } from "../../src/authority/witness_state.ts";
import {
  ADD_CHECKPOINT_PATH,
  answerWitness,
  SIGN_SUBTREE_PATH,
} from "../../src/web/witness_server.ts";
import type { HttpAnswer } from "../../src/world/world.ts";
import { CALLER, Stage } from "../authority/stage.ts";

/** Asks a stage's witness. */
function ask(
  stage: Stage,
  { path = ADD_CHECKPOINT_PATH, method = "POST", body = new Uint8Array(0) }: {
    path?: string;
    method?: string;
    body?: Uint8Array;
  } = {},
): Promise<HttpAnswer> {
  return answerWitness(
    {
      ...{ path, method, search: "", caller: { hostname: CALLER, port: 50_000 } },
      header: () => undefined,
      content: () => Promise.resolve(body),
    },
    { witness: stage.witness, failed: (error) => stage.refused.failed(error) },
  );
}

function textOf({ body }: HttpAnswer): string {
  return new TextDecoder().decode(body);
}

Deno.test("witness port: 409 is the recorded size and LF, as text/x.tlog.size", async () => {
  const stage = await Stage.of();
  const answer = await ask(stage, { body: await stage.log().request({ old: 3n, size: 5n }) });
  assertEquals([answer.status, textOf(answer)], [409, "0\n"]);
  assertEquals(answer.headers?.["content-type"], "text/x.tlog.size");
});

Deno.test("witness port: a refusal is a sentence that no terminal and no browser obeys", async () => {
  const stage = await Stage.of();
  const body = new TextEncoder().encode("old \x1b[2J<script>\n\n");
  const answer = await ask(stage, { body });
  assertEquals(answer.status, 400);
  assertMatch(textOf(answer), /^Cannot read request: [^\p{Cc}]*\n$/u);
  assertEquals(answer.headers?.["x-content-type-options"], "nosniff");
  assertEquals(answer.headers?.["content-type"], "text/plain; charset=utf-8");
});

Deno.test("witness port: 429 says when to come again, for one log and for one caller", async () => {
  for (
    const limits of [{ perSecondPerLog: 1, perSecond: 100 }, { perSecondPerLog: 9, perSecond: 2 }]
  ) {
    const stage = await Stage.of(["log.invalid/one"], { limits });
    const body = await stage.log().request({ old: 0n, size: 5n });
    assertEquals((await ask(stage, { body })).status, 200);
    const next = await stage.log().request({ old: 5n, size: 6n });
    const answer = await ask(stage, { body: next });
    assertEquals([answer.status, answer.headers?.["retry-after"]], [429, "1"]);
    stage.clock.ms = 1_000;
    assertEquals((await ask(stage, { body: next })).status, 200);
  }
});

Deno.test("witness port: 429 for a day's rate says when, in seconds", async () => {
  const stage = await Stage.of();
  const { log: { origin, vkey } } = stage.log();
  const listed = new Map([[origin, { notation: vkey.text, qpd: 1 }]]);
  stage.witness.follow(new WitnessLogs({ followed: [], listed }));
  const body = await stage.log().request({ old: 0n, size: 5n });
  assertEquals((await ask(stage, { body })).status, 200);
  const answer = await ask(stage, { body: await stage.log().request({ old: 5n, size: 6n }) });
  assertEquals([answer.status, answer.headers?.["retry-after"]], [429, "86400"]);
});

Deno.test("witness port: who sends too much is not read", async () => {
  const stage = await Stage.of(["log.invalid/one"], {
    limits: { perSecondPerLog: 9, perSecond: 2 },
  });
  assertEquals((await ask(stage)).status, 400);
  let isRead = false;
  const query = {
    ...{ path: ADD_CHECKPOINT_PATH, method: "POST", search: "" },
    caller: { hostname: CALLER, port: 50_000 },
    header: () => undefined,
    content: () => {
      isRead = true;
      return Promise.resolve(new Uint8Array(0));
    },
  };
  const { witness } = stage;
  const answer = await answerWitness(query, { witness, failed: () => {} });
  assertEquals([answer.status, isRead], [429, false]);
});

Deno.test("witness port: a disk that refuses is 503, and says when to come again", async () => {
  const stage = await Stage.of();
  const body = await stage.log().request({ old: 0n, size: 5n });
  stage.disk.fail({ at: 1, when: "before", lasting: false });
  const answer = await ask(stage, { body });
  assertEquals([answer.status, answer.headers?.["retry-after"]], [503, "10"]);
  assertEquals((await ask(stage, { body })).status, 200);
  const path = `/${originHash(stage.log().log.origin)}/checkpoint`;
  stage.disk.fail({ at: 1, when: "before", lasting: false });
  assertEquals((await ask(stage, { path, method: "GET" })).status, 503);
  assertEquals((await ask(stage, { path, method: "GET" })).status, 200);
  assertEquals((await ask(stage, { path })).headers?.["allow"], "GET, HEAD");
  assertEquals((await ask(stage, { path: path.toUpperCase(), method: "GET" })).status, 404);
});

Deno.test("witness port: /sign-subtree is there with a 0x06 key, and 404 without one", async () => {
  const [without, stage] = [await Stage.of(), await Stage.of(["log.invalid/one"], { both: true })];
  const path = SIGN_SUBTREE_PATH;
  assertEquals((await ask(without, { path })).status, 404);
  assertEquals(textOf(await ask(without, { path: "/" })).includes(path), false);
  const answer = await ask(stage, { path });
  assertEquals([answer.status, answer.headers?.["content-type"]], [
    400,
    "text/plain; charset=utf-8",
  ]);
  assertMatch(textOf(answer), /^Cannot read request: expected "subtree"/);
  assertEquals((await ask(stage, { path, method: "GET" })).headers?.["allow"], "POST");
  assertEquals(textOf(await ask(stage, { path: "/" })).includes(path), true);
});
