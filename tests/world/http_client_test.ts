/** What a client of a service gives; its manners are tested through `HttpFetcher` as well. */
import { assertEquals, assertRejects } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { HttpClient } from "../../src/world/http_client.ts";
import { WorldError } from "../../src/world/world.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { fakeWorld, type Server } from "../sources/fake_http.ts";

const ONE = { url: "https://a.example/one?x=1", maxBytes: 10 };
const TWO = { url: "https://a.example/two", maxBytes: 10 };

/** A client whose time passes when it is told to. */
function asking(server: Server) {
  const { world: { http }, requests } = fakeWorld(server);
  const clock = new ManualClock();
  const client = new HttpClient({ world: { http, clock }, contact: "x", timeoutMs: 7_000 });
  return { client, clock, requests };
}

Deno.test("HttpClient: content, absence and refusal are told apart", async () => {
  const { client, requests } = asking((path, { url }) => {
    if (url === ONE.url) return { body: "hello" };
    return path === "/two" ? { status: 500 } : undefined;
  });
  assertEquals(await client.get(ONE), { kind: "content", body: utf8("hello") });
  assertEquals(await client.get(TWO), { kind: "refused", status: 500, retryAfterMs: undefined });
  assertEquals(await client.get({ ...ONE, url: "https://a.example/" }), { kind: "absent" });
  assertEquals(requests.map(({ timeoutMs, maxBytes }) => [timeoutMs, maxBytes]), [
    ...Array(3).fill([7_000, 10]),
  ]);
});

Deno.test("HttpClient: who asks to wait is not asked for anything until then, and told how long it is", async () => {
  let isBusy = true;
  const { client, clock, requests } = asking(() =>
    isBusy ? { status: 503, headers: { "retry-after": "3" } } : { body: "hello" }
  );
  assertEquals(await client.get(ONE), { kind: "refused", status: 503, retryAfterMs: 3_000 });
  isBusy = false;
  await clock.advance(1_000);
  assertEquals(await client.get(TWO), { kind: "put off", retryAfterMs: 2_000 });
  await clock.advance(1_999);
  assertEquals(await client.get(TWO), { kind: "put off", retryAfterMs: 1 });
  assertEquals(requests.length, 1);
  await clock.advance(1);
  assertEquals(await client.get(TWO), { kind: "content", body: utf8("hello") });
});

Deno.test("HttpClient: what has not changed is given again, until it is to forget", async () => {
  const { client, requests } = asking((_path, { headers }) =>
    headers["if-none-match"] === undefined
      ? { body: "hello", headers: { etag: '"1"' } }
      : { status: 304 }
  );
  const get = () => client.get({ ...ONE, conditional: true });
  for (let i = 0; i < 2; i++) {
    assertEquals(await get(), { kind: "content", body: utf8("hello") });
  }
  client.forget();
  await get();
  await client.get(ONE);
  assertEquals(requests.map(({ headers }) => headers["if-none-match"]), [
    ...[undefined, '"1"', undefined, undefined],
  ]);
});

Deno.test("HttpClient: too much, and silence, are the world's failures", async () => {
  const { client } = asking((path) => {
    if (path === "/two") throw new WorldError("timed out", "no answer within 7000 ms");
    return { body: "x".repeat(11) };
  });
  assertEquals((await assertRejects(() => client.get(ONE), WorldError)).kind, "too large");
  assertEquals((await assertRejects(() => client.get(TWO), WorldError)).kind, "timed out");
});
