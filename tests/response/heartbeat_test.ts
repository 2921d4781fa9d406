/** The heartbeat: it goes out for as long as all logs are looked at, and no longer. */
import { assertEquals } from "@std/assert";
import { Heartbeat } from "../../src/response/heartbeat.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { SettableClock, settled } from "../gossip/fake_network.ts";
import { MINUTE } from "./rig.ts";

Deno.test("heartbeat: it goes out while all is watched, and is held back when it is not", async () => {
  const clock = new SettableClock();
  const asked: string[] = [];
  let status = 200;
  let isWatching = true;
  const heartbeat = new Heartbeat({
    world: {
      clock,
      http: {
        ...denoWorld().http,
        lookup: () => Promise.resolve(["203.0.113.4"]),
        request: ({ url, content }) => {
          asked.push(`${content === undefined ? "GET" : "POST"} ${url}`);
          if (status === 0) return Promise.reject(new WorldError("timed out", "no answer"));
          return Promise.resolve({ status, header: () => undefined, body: new Uint8Array(0) });
        },
      },
    },
    settings: { url: "https://beats.example.com/berlin", everyMs: 5 * MINUTE },
    allow: [],
    isWatching: () => isWatching,
  });
  const running = heartbeat.run();
  await clock.advance(3 * MINUTE);
  // It beats on, whatever the wall clock is set to.
  clock.ahead = 365 * 24 * 60 * MINUTE;
  await clock.advance(3 * MINUTE);
  clock.ahead = -60 * MINUTE;
  await clock.advance(3 * MINUTE);
  clock.ahead = 0;
  await clock.advance(2 * MINUTE);
  assertEquals(asked, Array(2).fill("GET https://beats.example.com/berlin"));
  assertEquals(heartbeat.status(), { lastBeatAt: "2026-01-01T00:10:00.000Z" });
  isWatching = false;
  await clock.advance(60 * MINUTE);
  assertEquals(asked.length, 2);
  assertEquals(heartbeat.status(), { lastBeatAt: "2026-01-01T00:10:00.000Z", isHeldBack: true });
  isWatching = true;
  for (const [one, lastError] of [[500, "status 500"], [0, "no answer"]] as const) {
    status = one;
    await clock.advance(5 * MINUTE);
    assertEquals(heartbeat.status().lastError, lastError);
  }
  status = 204;
  await clock.advance(5 * MINUTE);
  assertEquals(heartbeat.status().lastError, undefined);
  heartbeat.stop();
  await settled();
  await running;
  assertEquals(clock.pending, 0);
});

Deno.test("heartbeat: it leads to nobody on this machine or network, unless allowed", async () => {
  const clock = new SettableClock();
  for (const url of ["http://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "http://localhost/"]) {
    const heartbeat = new Heartbeat({
      world: { clock, http: { ...denoWorld().http, request: () => Promise.reject(new Error()) } },
      ...{ settings: { url, everyMs: MINUTE }, allow: [], isWatching: () => true },
    });
    await heartbeat.beat();
    assertEquals(/if that is meant, put "allow"/.test(heartbeat.status().lastError ?? ""), true);
  }
});
