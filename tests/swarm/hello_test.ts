import { assert, assertEquals } from "@std/assert";
import { encodeHello, MAX_HELLO_BYTES, readHello } from "../../src/swarm/hello.ts";
import { SESSION_LIMITS } from "../../src/swarm/session.ts";
import { newMember } from "./stage.ts";

/** The most logs that a monitor follows, and the largest room (gossip/limits.ts, swarm/settings.ts). */
const MOST_LOGS = 1_024;
const LARGEST_ROOM = 256;

Deno.test("hello: one with the most logs and members fits a message", async () => {
  const { vkey } = await newMember(`monitor.example/${"x".repeat(100)}`);
  const address = { hostname: "2001:db8:1111:2222:3333:4444:5555:6666", port: 65_535 };
  const body = encodeHello({
    ...{ versions: [1], software: "hearsay/0.1.0", start: "0".repeat(32), seen: "192.0.2.1" },
    logs: Array.from({ length: MOST_LOGS }, (_, i) => i.toString(16).padStart(64, "0")),
    ...{ verdict: "accepted", limits: { messageBytes: 1, streams: 1 } },
    members: Array.from({ length: LARGEST_ROOM }, () => ({ vkey: vkey.text, address })),
  });
  assert(body.length <= SESSION_LIMITS.maxHelloBytes, `${body.length} bytes`);
  assertEquals(SESSION_LIMITS.maxHelloBytes, MAX_HELLO_BYTES);
  assertEquals(readHello(body).logs.length, MOST_LOGS);
});
